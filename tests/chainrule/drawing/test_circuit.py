"""Circuits: the lectures' numbers, read back from the picture wire by wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import pytest
from tests.circuits import Circuit
from tests.legibility import problems

import chainrule as cr
from chainc.ir.types import Array

Point = Mapping[cr.Node, float]

FIGURE_SPACE = "\u2007"  # what pads the columns of a matrix


def read(drawing: cr.Drawing) -> Circuit:
    svg = drawing.svg()
    assert problems(svg) == []
    return Circuit(svg)


def inputs(names: str) -> list[cr.Node]:
    return [cr.input(name) for name in names.split()]


def g1() -> tuple[cr.Node, list[cr.Node], Point]:
    x, y, z = inputs("x y z")
    return (x + y) * z, [x, y, z], {x: -2, y: 5, z: -4}


def test_g1() -> None:
    f, leaves, at = g1()
    found = read(cr.draw(f, cr.grad(f, leaves), values=at))
    assert found.leaving("x") == ("−2", "−4")
    assert found.leaving("y") == ("5", "−4")
    assert found.leaving("z") == ("−4", "3")
    assert found.leaving("+") == ("3", "−4")
    assert found.leaving("×") == ("−12", "1")
    assert found.small_print("×") == ["∂/∂a = b", "∂/∂b = a"]
    assert found.small_print("+") == ["∂/∂a = ∂/∂b = 1"]


def neuron() -> tuple[cr.Node, list[cr.Node], Point]:
    """w0·x0 + w1·x1 + w2 of G2, and where."""
    w0, w1, w2, x0, x1 = leaves = inputs("w0 w1 w2 x0 x1")
    at = dict(zip(leaves, (2, -3, -3, -1, -2), strict=True))
    return w0 * x0 + w1 * x1 + w2, leaves, at


LEAVES = {
    "w0": ("2", "−0.1966"),
    "w1": ("−3", "−0.3932"),
    "w2": ("−3", "0.1966"),
    "x0": ("−1", "0.3932"),
    "x1": ("−2", "−0.5898"),
}


def test_g2_the_sigmoid_as_a_chain() -> None:
    s, leaves, at = neuron()
    f = 1 / (cr.exp(s * -1) + 1)
    found = read(cr.draw(f, cr.grad(f, leaves), values=at))
    assert {name: found.leaving(name) for name in LEAVES} == LEAVES
    assert found.leaving("×", "w0") == ("−2", "0.1966")
    assert found.leaving("×", "w1") == ("6", "0.1966")
    assert found.leaving("+", "w2") == ("1", "0.1966")
    assert found.leaving("× (−1)") == ("−1", "−0.1966")
    assert found.leaving("exp") == ("0.3679", "−0.5344")
    assert found.leaving("+ 1") == ("1.368", "−0.5344")
    assert found.leaving("1 / x") == ("0.7311", "1")
    assert found.small_print("exp") == ["∂/∂x = e^x"]
    assert found.small_print("1 / x") == ["∂/∂x = −1/x²"]
    assert found.small_print("× (−1)") == ["∂/∂x = −1"]


def test_g3_the_chain_collapses_into_one_gate() -> None:
    s, leaves, at = neuron()
    chain = 1 / (cr.exp(-s) + 1)
    (after,) = [stage for stage in cr.compile(chain).stages if stage.name == "stabilize"]
    for gate in (cr.sigmoid(s), after.graph.outputs[0]):
        found = read(cr.draw(gate, cr.grad(gate, leaves), values=at))
        assert {name: found.leaving(name) for name in LEAVES} == LEAVES
        assert found.leaving("σ") == ("0.7311", "1")
        assert found.leaving("+", "w2") == ("1", "0.1966")
        assert found.small_print("σ") == ["∂/∂x = σ·(1 − σ)"]


def g4() -> tuple[cr.Node, list[cr.Node], Point]:
    x1, x2, x3 = inputs("x1 x2 x3")
    z1 = cr.square(x1)
    return z1 * (x2 * x3 - 2 * z1), [x1, x2, x3], {x1: 1, x2: 2, x3: 3}


def test_g4_a_fan_out_is_the_sum_of_its_parts() -> None:
    y, leaves, at = g4()
    found = read(cr.draw(y, cr.grad(y, leaves), values=at))
    assert found.leaving("x × x") == ("1", "4 + (−2) = 2")
    assert found.branches("x × x") == {"× 2": "−2", "×": "4"}
    assert found.leaving("x1") == ("1", "2 + 2 = 4")
    assert found.leaving("x2") == ("2", "3")
    assert found.leaving("x3") == ("3", "2")
    assert found.leaving("× 2") == ("2", "−1")
    assert found.leaving("a − b") == ("4", "1")
    assert found.leaving("×", "a − b") == ("4", "1")
    assert found.small_print("x × x") == ["∂/∂x = x + x"]
    assert found.small_print("a − b") == ["∂/∂a = 1", "∂/∂b = −1"]


def test_g5_unnecessary_derivatives_stay_away() -> None:
    i, u = (inputs(" ".join(f"{name}{k}" for k in range(1, 7))) for name in "Iu")
    v, w = inputs("v1 v2 v3 v4"), inputs("w1 w2")
    numbers = np.array([1, 2, 3, 4, 5, 6, 1, -1, 1, -1, 1, -1, 2, 1, 3, -2, 1, 2], float)
    at = dict(zip([*i, *u, *v, *w], numbers, strict=True))
    a, b, c = (u[k] * i[k] + u[k + 1] * i[k + 1] for k in (0, 2, 4))
    x, y = cr.tanh(v[0] * a + v[1] * b), cr.tanh(v[2] * b + v[3] * c)
    f = w[0] * x + w[1] * y
    found = read(cr.draw(f, cr.grad(f, [*u, *v, *w]), values=at))

    i_, u_, v_, w_ = np.split(numbers, [6, 12, 16])
    sums = (u_ * i_).reshape(3, 2).sum(1)
    x_, y_ = np.tanh(v_[:2] @ sums[:2]), np.tanh(v_[2:] @ sums[1:])
    dx, dy = w_ * (1 - np.array([x_, y_]) ** 2)
    parts = np.array([[dx * v_[0], 0], [dx * v_[1], dy * v_[2]], [0, dy * v_[3]]])
    du = np.repeat(parts.sum(1), 2) * i_
    dv = np.array([dx * sums[0], dx * sums[1], dy * sums[1], dy * sums[2]])
    by_hand = dict(zip([*u, *v, *w], (*du, *dv, x_, y_), strict=True))
    for node, gradient in by_hand.items():
        assert float(found.leaving(node.op.label)[1].replace("−", "-")) == pytest.approx(
            gradient, rel=1e-3
        )
    assert {found.leaving(node.op.label)[1] for node in i} == {""}
    sums_shown = [text for texts in found.texts.values() for text in texts if " + " in text]
    terms, total = parts[1], parts[1].sum()
    written = [f"{a:.4g} + ({b:.4g}) = {total:.4g}" for a, b in (terms, terms[::-1])]
    assert len(sums_shown) == 1
    assert sums_shown[0].replace("−", "-") in [
        *written,
        *(w.replace("(", "").replace(")", "") for w in written),
    ]


def test_values_alone_by_name_and_from_top_to_bottom() -> None:
    f, leaves, at = g1()
    found = read(cr.draw(f, values={"x": -2, "y": 5, "z": -4}))
    assert found.leaving("+") == ("3", "")
    assert found.leaving("×") == ("−12", "")
    down = cr.draw(f, cr.grad(f, leaves), values=at, direction="TB").svg()
    assert problems(down) == []
    sides = Circuit(down).texts
    (q,) = [name for name, lines in sides.items() if lines == ["3"] and name.endswith("t")]
    assert sides[f"{q[:-1]}b"] == ["−4"]


def test_the_gradient_of_an_inner_node_is_asked_for() -> None:
    x, y = inputs("x y")
    q = x * y
    f = cr.square(q)
    found = read(cr.draw(f, cr.grad(f, q), values={x: 2, y: 3}))
    assert found.leaving("×") == ("6", "6 + 6 = 12")
    assert found.leaving("x") == ("2", "")


def test_small_tensors_in_full_and_large_ones_in_summary() -> None:
    x, w = cr.input("x", ("batch", 2)), cr.parameter("w", (2, 64), "ones")
    h = x @ w
    loss = cr.sum(cr.square(h))
    at = np.array([[1.0, -2.0], [0.5, 4.0]], np.float32)
    found = read(cr.draw(loss, cr.grad(loss, w), values={x: at}))
    rows, gradient = found.leaving("x")
    assert (rows.replace(FIGURE_SPACE, ""), gradient) == ("[1  −2]\n[0.5  4]", "")
    value, gradient = found.leaving("w")
    assert value.splitlines()[:3] == ["[2,64]", "mean 1", "1 … 1"]
    expected = at.T @ (2 * (at @ np.ones((2, 64))))
    low, high = (f"{end:.3g}".replace("-", "−") for end in (expected.min(), expected.max()))
    assert gradient.splitlines()[0] == "[2,64]"
    assert f"{low} … {high}" in gradient.splitlines()
    assert found.small_print("A B") == ["∇B = Aᵀ·G"]


def step() -> tuple[cr.Function[tuple[Array, ...]], Mapping[cr.Node, object]]:
    x, t = cr.input("x", ("batch", 2)), cr.input("t", ("batch", 1))
    w = cr.parameter("w", (2, 1), "ones")
    loss = cr.mean(cr.square(x @ w - t))
    program = cr.compile(cr.optim.SGD(lr=0.1).minimize(loss))
    return program, {x: np.array([[1, 2], [3, -4]], np.float32), t: np.zeros((2, 1), np.float32)}


def test_every_stage_of_a_training_step_shows_its_values() -> None:
    program, at = step()
    x = np.array([[1, 2], [3, -4]], float)
    h = x @ np.ones((2, 1))
    gradient = x.T @ h  # of the mean of two squares
    wanted = {
        "\n".join(f"[{value:.4g}]" for value in column.ravel())
        for column in (h, gradient, 1 - 0.1 * gradient)
    }
    for stage in program.stages:
        drawing = stage.graph.draw(values=at)
        assert problems(drawing.svg()) == [], stage.name
        found = Circuit(drawing.svg())
        texts = {
            "\n".join(lines).replace(FIGURE_SPACE, "").replace("−", "-")
            for lines in found.texts.values()
        }
        shown = wanted if stage.name != "fuse" else {w for w in wanted if w in texts}
        assert shown <= texts, stage.name
        assert f"{(h**2).mean():.4g}" in texts
    assert any(line.startswith("fused kernel") for lines in found.texts.values() for line in lines)


def test_a_closed_layer_shows_the_values_that_leave_it() -> None:
    x = cr.input("x")
    with cr.scope("layer"):
        h = cr.exp(cr.square(x))
    f = h * 3
    found = read(cr.draw(f, cr.grad(f, x), values={x: 1}, fold="layer"))
    assert found.leaving("layer\n2 ops") == ("2.718", "3")
    assert found.leaving("x")[1] == "8.155 + 8.155 = 16.31"


def test_lists_of_nodes_are_drawn_like_nodes() -> None:
    f, leaves, at = g1()
    assert cr.draw([f], cr.grad(f, leaves)).dot == cr.draw(f, *cr.grad(f, leaves)).dot
    assert (
        cr.draw(f, cr.grad(f, leaves), values=at).dot
        == cr.draw([f, *cr.grad(f, leaves)], values=at).dot
    )


def test_several_results_are_drawn_as_the_whole_graph() -> None:
    f, leaves, at = g1()
    found = read(cr.draw(f, leaves[0] * 2, cr.grad(f, leaves[2]), values=at))
    assert found.leaving("× 2") == ("−4", "")
    assert found.leaving("x") == ("−2", "")


def test_a_branch_to_one_reader_twice_shows_the_sum_of_both_parts() -> None:
    x = cr.input("x", (2, 2))
    at = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    f = cr.sum(x * x + cr.exp(x))
    found = read(cr.draw(f, cr.grad(f, x), values={x: at}))
    parts = {reader: text.replace(FIGURE_SPACE, "") for reader, text in found.branches("x").items()}
    assert parts["x × x"] == "sum of 2 parts\n[2  4]\n[6  8]"
    assert parts["exp"] == "[2.718  7.389]\n[20.09  54.6]"


def test_what_makes_no_circuit() -> None:
    f, leaves, at = g1()
    x, y, _ = leaves
    with pytest.raises(cr.InputError, match=r"draw: there is no value for z f32[\s\S]*'z'"):
        cr.draw(f, values={x: 1, y: 2})
    with pytest.raises(cr.InputError, match=r"draw: the graph does not read[\s\S]*x, y, z"):
        cr.draw(f, values={**at, f: 3})
    with pytest.raises(cr.InputError, match=r"values= is list[\s\S]*test_circuit.py[\s\S]*by node"):
        cr.draw(f, values=cast("Point", [1, 2, 3]))
    with pytest.raises(cr.InputError, match=r"circuit of 13\d nodes[\s\S]*detail=\"layers\""):
        cr.draw(_long(x), values={x: 1})


def _long(x: cr.Node) -> cr.Node:
    steps: Sequence[int] = range(130)
    for _ in steps:
        x = cr.sin(x)
    return x


def test_a_large_circuit_closes_its_layers() -> None:
    x = cr.input("x")
    y = x
    for layer in range(14):
        with cr.scope(f"layer{layer}"):
            for _ in range(10):
                y = cr.sin(y)
    found = read(cr.draw(y, cr.grad(y, x), values={x: 1}))
    value = 1.0
    for _ in range(10):
        value = float(np.sin(value))
    assert found.leaving("layer0\n10 ops")[0] == f"{value:.4g}"
