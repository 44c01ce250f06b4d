"""The page's functions, put together as it does, are the library's layers and optimizers."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from functools import cache
from types import ModuleType

import numpy as np
import pytest

import chainrule as cr
from chainc.ir import Graph
from chainrule import nn, optim
from chainrule.compiled.function import Numbers
from chainrule.playgrounds import kernels, seen, updates
from chainrule.playgrounds.choices import ACTIVATIONS, OPTIMIZERS
from chainrule.playgrounds.data_sets import CLASSES, EDGE, POINTS, data_sets

Arrays = Mapping[str, Numbers]
Program = Callable[[Arrays], Arrays]


def sigmoid(z: Numbers) -> Numbers:
    return 1 / (1 + np.exp(-z))


SLOPES = np.linspace(0.1, 0.8, 8, dtype=np.float32)
FORMULAS: Mapping[str, Callable[[Numbers], Numbers]] = {
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "relu": lambda z: np.maximum(z, 0),
    "leaky": lambda z: np.where(z > 0, z, 0.01 * z),
    "prelu": lambda z: np.where(z > 0, z, SLOPES * z),
    "elu": lambda z: np.where(z > 0, z, np.expm1(z)),
    "softplus": lambda z: np.logaddexp(0, z),
    "silu": lambda z: z * sigmoid(z),
    "gelu": lambda z: 0.5 * z * (1 + np.tanh(0.7978845608028654 * (z + 0.044715 * z**3))),
    "linear": lambda z: z,
}


def drawn(size: int, seed: int) -> Numbers:
    return np.random.default_rng(seed).normal(0, 0.5, size).astype(np.float32)


def number(value: float) -> Numbers:
    return np.array(value, np.float32)


@cache
def compiled(make: Callable[..., kernels.Kernel], *choice: object) -> Program:
    made = make(*choice)
    read = {leaf.op.label for leaf in Graph(tuple(made.values())).leaves("input")}
    program = cr.compile(list(made.values()), target="numpy")

    def run(given: Arrays) -> Arrays:
        found = program(**{name: given[name] for name in read})
        return dict(zip(made, found, strict=True))

    return run


@pytest.mark.parametrize("name", FORMULAS)
def test_a_layer_goes_forward_and_back(name: str) -> None:
    """Against formulas and their central differences, in float64."""
    made, formula, rows = ACTIVATIONS[name].made, FORMULAS[name], 7
    given = {
        "x": drawn(8 * rows, 1).reshape(rows, 8), "weights": drawn(64, 2).reshape(8, 8),
        "biases": drawn(8, 3), "above": drawn(8 * rows, 4).reshape(rows, 8), "slopes": SLOPES,
    }  # fmt: skip
    x, w = given["x"].astype(float), given["weights"].astype(float)
    z = x @ w.T + given["biases"]
    ahead = compiled(kernels.forward, made)(given)
    np.testing.assert_allclose(ahead["values"], formula(z), atol=3e-6)
    of_z = given["above"] * (formula(z + 1e-6) - formula(z - 1e-6)) / 2e-6
    ahead = {"z": z.astype(np.float32), **given, **ahead}
    back = compiled(kernels.backward, made)(ahead)
    np.testing.assert_allclose(back["weights"], of_z.T @ x, atol=1e-5)
    np.testing.assert_allclose(back["biases"], of_z.sum(axis=0), atol=1e-5)
    np.testing.assert_allclose(back["x"], of_z @ w, atol=1e-5)
    if name == "prelu":
        of_slopes = (given["above"] * np.minimum(z, 0)).sum(axis=0)
        np.testing.assert_allclose(back["slopes"], of_slopes, atol=1e-5)
    first = compiled(kernels.backward_first, made)(ahead)
    np.testing.assert_array_equal(first["weights"], back["weights"])
    assert "x" not in first


def test_of_two_sums_the_larger_one_counts() -> None:
    rows = 7
    given = {
        "x": drawn(8 * rows, 1).reshape(rows, 8), "above": drawn(8 * rows, 4).reshape(rows, 8),
        "weights": drawn(64, 2).reshape(8, 8), "weights2": drawn(64, 5).reshape(8, 8),
        "biases": drawn(8, 3), "biases2": drawn(8, 6),
    }  # fmt: skip
    sums = [given["x"] @ given[f"weights{n}"].T + given[f"biases{n}"] for n in ("", "2")]
    ahead = compiled(kernels.forward_of_two)(given)
    np.testing.assert_allclose(ahead["values"], np.maximum(*sums), atol=1e-6)
    back = compiled(kernels.backward_of_two)({**given, **ahead})
    first = sums[0] > sums[1]
    assert 0.2 < first.mean() < 0.8
    before = 0
    for number, chosen in (("", first), ("2", ~first)):
        of_z = given["above"] * chosen
        np.testing.assert_allclose(back[f"weights{number}"], of_z.T @ given["x"], atol=1e-5)
        np.testing.assert_allclose(back[f"biases{number}"], of_z.sum(axis=0), atol=1e-5)
        before = before + of_z @ given[f"weights{number}"]
    np.testing.assert_allclose(back["x"], before, atol=1e-5)


def test_what_is_seen_are_bytes_and_counts() -> None:
    values = np.linspace(-2, 2, 4 * 4 * 8, dtype=np.float32).reshape(16, 8)
    given = {"values": values, "scale": number(2), "there": np.arange(8, dtype=np.float32) < 3}
    given["there"] = given["there"].astype(np.float32)
    wanted = np.floor(127.5 * values / 2 + 128).clip(0, 255)
    np.testing.assert_array_equal(compiled(seen.output, 4)(given)["bytes"], wanted[:, 0])
    small = wanted.reshape(4, 4, 8)[::2, ::2].transpose(2, 0, 1)
    np.testing.assert_array_equal(compiled(seen.pictures, 4)(given)["bytes"], small)
    parts = np.floor((values[:, :3] + 1.5) / 0.15).clip(0, 19).astype(int)
    counts = np.bincount(parts.ravel(), minlength=20)
    np.testing.assert_array_equal(compiled(seen.histogram)(given)["counts"], counts)


@pytest.mark.parametrize("name", FORMULAS)
def test_a_program_has_the_same_activation(name: str) -> None:
    if name not in ("linear", "prelu"):
        assert repr(ACTIVATIONS[name].made) == repr(written(nn, ACTIVATIONS[name].code))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_program_has_the_same_optimizer(name: str) -> None:
    chosen = OPTIMIZERS[name]
    assert written(optim, chosen.code.format(rate=1.0)) == chosen.made


def written(library: ModuleType, code: str) -> object:
    """What a call with constants gives: GELU("tanh")."""
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    made: Callable[..., object] = getattr(library, ast.unparse(call.func))
    named = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
    return made(*map(ast.literal_eval, call.args), **named)


def placed(blocks: Numbers, layer: int, parts: Arrays) -> None:
    """Gradients where their parameters are."""
    block = blocks[layer]
    weights = np.ravel(parts["weights"])
    block[: weights.size] = weights
    bias = parts["biases"] if "biases" in parts else parts["bias"]
    block[64 : 64 + np.size(bias)] = bias


PULLS = np.tile(np.repeat(np.array([1, 0], np.float32), [64, 8]), (2, 1))


def stepped(name: str, slots: Arrays, mask: Numbers, rows: Arrays) -> Arrays:
    """A step of a network with one hidden layer, as the page makes it."""
    tanh = ACTIVATIONS["tanh"].made
    hidden, last = slots["parameters"]
    given = {"x": rows["x"], "weights": hidden[:64].reshape(8, 8), "biases": hidden[64:]}
    values = compiled(kernels.forward, tanh)(given)["values"]
    head = {**rows, "x": values, "weights": last[:8], "bias": last[64], "back": last[:8]}
    output = compiled(kernels.head, True, False)(head)
    back = compiled(kernels.backward_first, tanh)({**given, "values": values, "above": output["x"]})
    gradient = np.zeros((2, 72), np.float32)
    placed(gradient, 0, back)
    placed(gradient, 1, output)
    penalties = {"l1": number(0.01), "l2": number(0.02), "pulls": PULLS}
    pulled = compiled(updates.penalised)({"gradient": gradient, **slots, **penalties})
    update = compiled(updates.update, OPTIMIZERS[name].made)
    return {
        **slots,
        **update({**slots, **pulled, "mask": mask, "lr": number(0.1)}),
    }


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_three_steps_are_those_of_the_library(name: str) -> None:
    """A network with one hidden layer of three neurons, against one declared with layers."""
    rows = 6
    mask = np.zeros((2, 72), np.float32)
    mask[0, :64].reshape(8, 8)[:3, :2] = 1
    mask[0, 64:67], mask[1, :3], mask[1, 64] = 1, 1, 1
    features = np.zeros((rows, 8), np.float32)
    features[:, :2] = drawn(2 * rows, 1).reshape(rows, 2)
    target = np.sign(drawn(rows, 2))
    start = drawn(144, 3).reshape(2, 72) * mask
    empty = np.zeros_like(start)
    slots: Arrays = {
        "parameters": start,
        "step": np.zeros((), np.int64),
        "state1": empty,
        "state2": empty,
    }
    for _ in range(3):
        slots = stepped(name, slots, mask, {"x": features, "target": target})
    w = cr.parameter("w", (3, 2), start[0, :64].reshape(8, 8)[:3, :2])
    b, u = cr.parameter("b", (3,), start[0, 64:67]), cr.parameter("u", (3,), start[1, :3])
    c = cr.parameter("c", (), start[1, 64])
    x, y = cr.input("x", ("batch", 2)), cr.input("y", ("batch",))
    output = cr.tanh(cr.tanh(x @ w.T + b) @ u + c)
    loss = 0.5 * cr.mean((output - y) ** 2)
    loss = loss + cr.regularize.l1(0.01, [w, u]) + cr.regularize.l2(0.02, [w, u])
    chosen = written(optim, OPTIMIZERS[name].code.format(rate=0.1))
    assert isinstance(chosen, optim.Optimizer)
    training = cr.training(chosen.minimize(loss), epochs=3, batch_size=rows, shuffle=False)
    data = {"x": features[:, :2], "y": target}
    state = cr.compile(training, target="numpy").run(data, progress=False).state
    expected = {name: np.asarray(state[name], np.float32) for name in "wbuc"}
    hidden, last = slots["parameters"]
    np.testing.assert_allclose(hidden[:64].reshape(8, 8)[:3, :2], expected["w"], atol=2e-6)
    np.testing.assert_allclose(hidden[64:67], expected["b"], atol=2e-6)
    np.testing.assert_allclose(last[:3], expected["u"], atol=2e-6)
    np.testing.assert_allclose(last[64], expected["c"], atol=2e-6)
    # what is not there stays 0
    np.testing.assert_array_equal(slots["parameters"][mask == 0], 0)


def test_points_lie_in_the_square_and_classes_take_turns() -> None:
    found = data_sets()
    names = [name for name in found if not name.endswith("_target")]
    program = cr.compile(list(found.values()), target="numpy")
    quiet = dict(zip(found, program(seed=1, noise=0.0), strict=True))
    other = dict(zip(found, program(seed=2, noise=0.3), strict=True))
    for name in names:
        points, target = quiet[name], quiet[f"{name}_target"]
        assert points.shape == (POINTS, 2)
        assert np.abs(points).max() <= EDGE
        assert np.abs(target).max() <= 1
        assert not np.array_equal(points, other[name])
        if name not in ("plane", "wave", "bumps"):
            np.testing.assert_array_equal(target, CLASSES)
    inside = np.hypot(*quiet["circle"].T)
    assert inside[CLASSES > 0].max() < 2.6
    assert inside[CLASSES < 0].min() > 3.4
    assert np.all((quiet["xor"].prod(axis=1) > 0) == (CLASSES > 0))
