"""What leaves a loop: the graph, and equal numbers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import chainrule as cr
from chainc.interpreters import reference
from chainc.ir import Graph, Node
from chainc.ir.types import Array
from chainc.ops.contract import Contract
from chainc.ops.index import ScatterAdd
from chainc.ops.runs.scan import Scan
from chainc.passes import Pass
from chainc.passes.contractions.lift import lift

STEPS = 6


def network() -> tuple[Node, list[Node]]:
    """A loss over all steps of a recurrent network that reads a table, and its parameters."""
    words = cr.input("words", (STEPS, "batch"), dtype="int32")
    table = cr.input("table", (7, 3), dtype="float64")
    wx, wh = (cr.input(key, (n, 4), dtype="float64") for key, n in (("wx", 3), ("wh", 4)))
    b, h0 = cr.input("b", (4,), dtype="float64"), cr.input("h0", ("batch", 4), dtype="float64")

    def cell(h: Node, word: Node) -> tuple[Node, Node]:
        h = cr.tanh(cr.take(table, word) @ wx + h @ wh + b)
        return h, h

    _, every = cr.scan(cell, carry=h0, xs=words)
    assert isinstance(every, Node)
    return cr.sum(every * every), [table, wx, wh, b, h0]


def kinds(graph: Graph) -> Counter[str]:
    return Counter(node.op.name for node in graph.nodes)


def steps(graph: Graph) -> list[Graph]:
    """What the loops do in each step, each once."""
    found = {node.op.body: None for node in graph.nodes if isinstance(node.op, Scan)}
    return list(found)


def test_one_product_is_left_in_a_step_each_way() -> None:
    loss, parameters = network()
    graph = Graph((loss, *cr.grad(loss, parameters)))
    before = Pass("lift", lift).apply(graph)
    inside = [kinds(body) for body in steps(before)]
    assert [count["contract"] for count in inside] == [1, 1]
    assert all(count["take"] == count["scatter_add"] == 0 for count in inside)
    outside = [node for node in before.nodes if isinstance(node.op, Contract)]
    summed = [node.shape for node in outside if node.ndim == 2]  # over all steps
    assert sorted(summed) == [(3, 4), (4, 4)]  # the derivatives of wx and of wh
    assert sum(isinstance(node.op, ScatterAdd) for node in before.nodes) == 1


def test_its_numbers_are_the_same() -> None:
    loss, parameters = network()
    graph = Graph((loss, *cr.grad(loss, parameters)))
    random = np.random.default_rng(0)
    values: dict[str, Array] = {
        "words": random.integers(0, 7, (STEPS, 2)).astype(np.int32),
        **{key: random.normal(size=s) for key, s in (("table", (7, 3)), ("wx", (3, 4)))},
        **{key: random.normal(size=s) for key, s in (("wh", (4, 4)), ("b", (4,)), ("h0", (2, 4)))},
    }
    expected = reference.evaluate(graph, values).outputs
    for found, true in zip(reference.evaluate(lift(graph), values).outputs, expected, strict=True):
        assert np.allclose(found, true, rtol=1e-12, atol=0)


def test_a_loop_that_remembers_nothing_is_none() -> None:
    x, w = cr.input("x", (5, 2, 3)), cr.input("w", (3, 4))
    _, every = cr.scan(lambda c, x_t: (c, cr.exp(x_t @ w)), carry=cr.constant(0.0), xs=x)
    assert isinstance(every, Node)
    lifted = lift(Graph((every,)))
    assert kinds(lifted) == {"input": 2, "contract": 1, "exp": 1}


def test_a_graph_without_loops_stays_what_it_is() -> None:
    graph = Graph((cr.exp(cr.input("x", (2,))),))
    assert lift(graph) is graph


def windows(axis: int) -> tuple[Node, dict[str, Array]]:
    """To every one of several arrays something is added, where each says."""
    random = np.random.default_rng(axis)
    shape = (3, 2, 5, 4)
    new = (*shape[: axis + 1], 2, *shape[axis + 2 :])
    values: dict[str, Array] = {
        "x": random.normal(size=shape),
        "new": random.normal(size=new),
        "at": np.array([[0, 1], [1, 1], [1, 0]], np.int32),
    }
    x, more = (cr.input(key, values[key].shape, "float64") for key in ("x", "new"))

    def step(_: object, each: tuple[Node, Node, Node]) -> tuple[tuple[()], Node]:
        x, at, new = each
        return (), cr.scatter_add(x, at, new, axis=axis)

    _, every = cr.scan(step, (), (x, cr.input("at", (3, 2), "int32"), more))
    assert isinstance(every, Node)
    return every, values


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_loop_without_carries_adds_to_all_at_once(axis: int) -> None:
    every, values = windows(axis)
    lifted = Pass("lift", lift).apply(Graph((every,)))
    assert not steps(lifted)
    expected = reference.evaluate(Graph((every,)), values).outputs
    np.testing.assert_array_equal(reference.evaluate(lifted, values).outputs[0], expected[0])


@pytest.mark.parametrize("target", ["llvm", "numpy"])
@pytest.mark.parametrize("wrong", [-1, 5])
def test_one_that_adds_beyond_the_end_is_refused(target: str, wrong: int) -> None:
    """Not to what lies behind it."""
    every, values = windows(1)
    values["at"][1, 0] = wrong
    with pytest.raises(cr.InputError, match=r"out of range"):
        cr.compile(every, target=target)(**values)


def test_carries_have_the_shape_that_steps_ask_for() -> None:
    """Each step reads and gives rows of four, and so does the loop."""

    def step(x: Node, new: Node) -> tuple[Node, None]:
        rows = cr.reshape(x, (6, 4))
        return cr.reshape(rows * rows + cr.sum(rows) + new, (2, 3, 4)), None

    x, new = cr.input("x", (2, 3, 4), "float64"), cr.input("new", (5, 6, 4), "float64")
    last, _ = cr.scan(step, x, new)
    assert isinstance(last, Node)
    (body,) = steps(Pass("lift", lift).apply(Graph((last,))))
    assert body.outputs[0].shape == (6, 4)
    random = np.random.default_rng(0)
    values = {
        "x": random.normal(size=(2, 3, 4)) * 0.1,
        "new": random.normal(size=(5, 6, 4)) * 0.01,
    }
    expected = values["x"].reshape(6, 4)
    for each in values["new"]:
        expected = expected * expected + expected.sum() + each
    for target in ("llvm", "numpy"):
        found = cr.compile(last, target=target)(**values)
        np.testing.assert_allclose(found, expected.reshape(2, 3, 4), rtol=1e-12)
