"""The page's formulas are the library's activations and optimizers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.compiled.function import Numbers
from chainrule.playgrounds import kernels
from chainrule.playgrounds.choices import ACTIVATION_PARTS, ACTIVATIONS, OPTIMIZERS
from chainrule.playgrounds.data_sets import CLASSES, EDGE, POINTS, data_sets

LIBRARY: dict[str, Callable[[cr.Node], cr.Node]] = {
    "tanh": cr.tanh,
    "sigmoid": cr.sigmoid,
    "relu": cr.relu,
    "leaky": lambda z: cr.where(z > 0, z, 0.01 * z),
    "elu": lambda z: cr.where(z > 0, z, cr.expm1(z)),
    "silu": cr.silu,
    "gelu": lambda z: 0.5 * z * (1 + cr.tanh(0.7978845608028654 * (z + 0.044715 * z**3))),
    "linear": lambda z: z,
}
RULES: dict[str, optim.Optimizer] = {
    "sgd": optim.SGD(lr=0.1),
    "momentum": optim.SGD(lr=0.1, momentum=0.9),
    "nesterov": optim.SGD(lr=0.1, momentum=0.9, nesterov=True),
    "adagrad": optim.AdaGrad(lr=0.1),
    "rmsprop": optim.RMSProp(lr=0.1, alpha=0.9),
    "adam": optim.Adam(lr=0.1),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_and_its_slope_are_the_librarys(name: str) -> None:
    z, part = cr.input("z", ("n",)), cr.input("part", (ACTIVATION_PARTS,))
    made, expected = kernels.activation(z, part), LIBRARY[name](z)
    slopes = [cr.grad(cr.sum(each), z) for each in (made, expected)]
    run = cr.compile([made, expected, *slopes], target="numpy")
    at = np.concatenate([np.linspace(-8, 8, 201), [0.0]]).astype(np.float32)
    value, known, slope, known_slope = run(z=at, part=np.array(ACTIVATIONS[name].parts))
    np.testing.assert_allclose(value, known, atol=3e-6)
    np.testing.assert_allclose(slope, known_slope, atol=3e-6)


def drawn(size: int, seed: int) -> Numbers:
    return np.random.default_rng(seed).normal(0, 0.5, size).astype(np.float32)


@pytest.fixture(scope="module")
def step() -> cr.Function[tuple[Numbers, ...]]:
    return cr.compile(list(kernels.step(1).values()), target="numpy")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_three_steps_are_those_of_the_library(
    step: cr.Function[tuple[Numbers, ...]], name: str
) -> None:
    """A network with one hidden layer of three neurons, against one declared with layers."""
    size, rows = 2 * kernels.BLOCK, 6
    masks = np.zeros((2, 8), np.float32)
    masks[0, :3], masks[1, 0] = 1, 1
    features = np.zeros((rows, 8), np.float32)
    features[:, :2] = drawn(2 * rows, 1).reshape(rows, 2)
    target = np.sign(drawn(rows, 2))
    start = drawn(size, 3)
    slots = [start, np.zeros(size, np.float32), np.zeros(size, np.float32), np.zeros(2, np.float32)]
    tanh = ACTIVATIONS["tanh"].parts
    for _ in range(3):
        names = ("parameters", "first", "second", "sums")
        slots = list(step(
            x=features, target=target, masks=masks, coefficients=np.array([tanh, tanh]),
            optimizer=np.array(OPTIMIZERS[name].parts), rate=0.1, l1=0.0, l2=0.0, logistic=0.0,
            **dict(zip(names, slots, strict=True)),
        ))  # fmt: skip
    first, last = start[:64].reshape(8, 8)[:3, :2], start[72:75]
    w, b = cr.parameter("w", (3, 2), first), cr.parameter("b", (3,), start[64:67])
    u, c = cr.parameter("u", (3,), last), cr.parameter("c", (), start[136])
    x, y = cr.input("x", ("batch", 2)), cr.input("y", ("batch",))
    output = cr.tanh(cr.tanh(x @ w.T + b) @ u + c)
    update = RULES[name].minimize(0.5 * cr.mean((output - y) ** 2))
    training = cr.training(update, epochs=3, batch_size=rows, shuffle=False)
    data = {"x": features[:, :2], "y": target}
    state = cr.compile(training, target="numpy").run(data, progress=False).state
    expected = {name: np.asarray(state[name], np.float32) for name in "wbuc"}
    found = slots[0]
    np.testing.assert_allclose(found[:64].reshape(8, 8)[:3, :2], expected["w"], atol=2e-6)
    np.testing.assert_allclose(found[64:67], expected["b"], atol=2e-6)
    np.testing.assert_allclose(found[72:75], expected["u"], atol=2e-6)
    np.testing.assert_allclose(found[136], expected["c"], atol=2e-6)
    # what is not there does not move
    np.testing.assert_array_equal(found[24:64], start[24:64])


def test_points_lie_in_the_square_and_classes_take_turns() -> None:
    found = data_sets()
    names = [name for name in found if not name.endswith("_target")]
    run = cr.compile(list(found.values()), target="numpy")
    quiet = dict(zip(found, run(seed=1, noise=0.0), strict=True))
    other = dict(zip(found, run(seed=2, noise=0.3), strict=True))
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
