"""Every loss where a plain formula overflows, cancels or takes ∞ from ∞: as numbers of any size."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pytest
from tests.values import values

import chainrule as cr
from chainrule import losses

TARGETS = pytest.mark.parametrize("target", ["numpy", "llvm"])
Wide = npt.NDArray[np.longdouble]
Nodes = Mapping[str, cr.Node]
Values = Mapping[str, Wide]

SPECIAL = [0, 1e-40, 1e-8, 0.5, 1, 20, 88, 1e4, 1e18, 1e37]
AT = np.array([*SPECIAL, *(-x for x in SPECIAL)], np.float32)
PAIR = (0.5, 3.0)


def grid() -> dict[str, npt.NDArray[np.generic]]:
    """Pairs of all numbers, with both classes, and with variances."""
    z, t = (part.ravel() for part in np.meshgrid(AT, AT))
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 2, z.size).astype(np.float32)
    variances = rng.choice(np.array([0, 1e-6, 1, 1e38], np.float32), z.size)
    return {"z": z, "t": t, "b": classes, "v": variances}


def bce(g: Values) -> Wide:
    # of a class, softplus(±z), which loses nothing
    found: Wide = np.logaddexp(0, np.where(g["b"] == 1, -g["z"], g["z"]))
    return found


def huber(g: Values) -> Wide:
    d = np.abs(g["z"] - g["t"])
    near = np.minimum(d, 2)
    return np.asarray(near * near / 2 + 2 * (d - near), np.longdouble)


def gaussian(g: Values) -> Wide:
    v = np.maximum(g["v"], np.float32(1e-6))
    return np.asarray((np.log(v) + (g["z"] - g["t"]) ** 2 / v) / 2, np.longdouble)


ELEMENTS: dict[str, tuple[Callable[[Nodes], cr.Node], Callable[[Values], Wide]]] = {
    "binary": (lambda n: losses.binary_cross_entropy(n["z"], n["b"], reduction="none"), bce),
    "binary of classes": (
        lambda n: losses.binary_cross_entropy(n["z"], n["b"], weights=PAIR, reduction="none"),
        lambda g: np.where(g["b"] == 1, PAIR[1], PAIR[0]) * bce(g),
    ),
    "binary focal": (
        lambda n: losses.binary_focal(n["z"], n["b"], reduction="none"),
        lambda g: (-np.expm1(-bce(g))) ** 2 * bce(g),
    ),
    "binary focal, concave": (
        lambda n: losses.binary_focal(n["z"], n["b"], 0.5, reduction="none"),
        lambda g: (-np.expm1(-bce(g))) ** np.longdouble(0.5) * bce(g),
    ),
    "binary hinge": (
        lambda n: losses.binary_hinge(n["z"], n["b"], reduction="none"),
        lambda g: np.maximum(0, 1 - (2 * g["b"] - 1) * g["z"]),
    ),
    "absolute": (
        lambda n: losses.absolute_error(n["z"], n["t"], reduction="none"),
        lambda g: np.abs(g["z"] - g["t"]),
    ),
    "huber": (lambda n: losses.huber(n["z"], n["t"], 2, reduction="none"), huber),
    "quantile": (
        lambda n: losses.quantile(n["z"], n["t"], 0.25, reduction="none"),
        lambda g: np.maximum(0.25 * (g["t"] - g["z"]), 0.75 * (g["z"] - g["t"])),
    ),
    "gaussian": (
        lambda n: losses.gaussian_nll(n["z"], n["t"], n["v"], reduction="none"), gaussian
    ),
}  # fmt: skip


CANCELLING = ("binary", "binary focal", "binary focal, concave")


@TARGETS
@pytest.mark.parametrize("name", ELEMENTS)
def test_elements_of_any_size(name: str, target: str) -> None:
    declared, formula = ELEMENTS[name]
    given = grid()
    nodes = {key: cr.input(key, (value.size,)) for key, value in given.items()}
    loss = declared(nodes)
    read = cr.Graph([loss]).leaves("input")
    slopes = cr.grad(cr.sum(loss), [leaf for leaf in read if leaf.op.label != "b"])
    found, *gradients = values([loss, *slopes], target, None, **given)
    with np.errstate(over="ignore"):
        wide = formula({key: value.astype(np.longdouble) for key, value in given.items()})
        wanted = wide.astype(np.float32)
    # softplus(z) - z t is as exact as z
    lost = 3e-7 * np.abs(given["z"]) if name in CANCELLING else np.full(found.shape, 1e-37)
    assert np.isclose(found, wanted, rtol=2e-5, atol=lost).all()
    for gradient in gradients:
        assert not np.isnan(gradient).any()
        if name != "gaussian":
            assert np.abs(gradient).max() <= 3


def rows() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    rng = np.random.default_rng(1)
    return rng.choice(AT, (300, 4)), rng.integers(0, 4, 300).astype(np.int32)


def log_p(z: Wide) -> Wide:
    less = z - z.max(axis=1, keepdims=True)
    found: Wide = less - np.logaddexp.reduce(less, axis=1, keepdims=True)
    return found


ROWS: dict[str, tuple[Callable[..., cr.Node], Callable[[Wide, Wide], Wide]]] = {
    "labels": (losses.cross_entropy, lambda z, t: -(t * log_p(z)).sum(1)),
    "smoothed": (
        lambda z, y, **more: losses.cross_entropy(z, y, label_smoothing=0.2, **more),
        lambda z, t: -((0.8 * t + 0.05) * log_p(z)).sum(1),
    ),
    "focal": (
        losses.focal,
        lambda z, t: (-np.expm1((t * log_p(z)).sum(1))) ** 2 * -(t * log_p(z)).sum(1),
    ),
    "focal, concave": (
        lambda z, y, **more: losses.focal(z, y, 0.5, **more),
        lambda z, t: np.sqrt(-np.expm1((t * log_p(z)).sum(1))) * -(t * log_p(z)).sum(1),
    ),
    "hinge": (
        losses.hinge,
        lambda z, t: ((1 - t) * np.maximum(0, 1 + (z - (t * z).sum(1, keepdims=True)))).sum(1) / 4,
    ),
}


@TARGETS
@pytest.mark.parametrize("name", ROWS)
def test_rows_of_logits_of_any_size(name: str, target: str) -> None:
    declared, formula = ROWS[name]
    logits, labels = rows()
    z, y = cr.input("z", logits.shape), cr.input("y", labels.shape, "int32")
    loss = declared(z, y, reduction="none")
    found, slope = values([loss, cr.grad(cr.sum(loss), z)], target, z=logits, y=labels)
    wanted = formula(logits.astype(np.longdouble), np.eye(4, dtype=np.longdouble)[labels])
    np.testing.assert_allclose(found, wanted.astype(np.float32), rtol=2e-5, atol=1e-6)
    assert np.abs(slope).max() <= 2


@TARGETS
@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.kl_divergence])
def test_a_class_that_cannot_be_and_has_no_share_counts_nowhere(
    loss: Callable[[cr.Node, cr.Node], cr.Node], target: str
) -> None:
    z, t = cr.input("z", (2, 3)), cr.input("t", (2, 3))
    node = loss(z, t)
    at = np.array([[0, 0, -np.inf], [1e38, -1e38, 0]], np.float32)
    shares = np.array([[0.5, 0.5, 0], [1, 0, 0]], np.float32)
    found, *slopes = values([node, *cr.grad(node, [z, t])], target, z=at, t=shares)
    wanted = np.log(2) / 2 if loss is losses.cross_entropy else 0
    np.testing.assert_allclose(found, wanted, atol=1e-7)
    np.testing.assert_allclose(slopes[0], 0, atol=1e-7)
    assert not np.isnan(slopes[1]).any()


@TARGETS
@pytest.mark.parametrize("wrong", [-np.inf, -1e38])
def test_a_focal_loss_of_a_class_that_cannot_be_has_a_gradient(wrong: float, target: str) -> None:
    z, y = cr.input("z", (1, 2)), cr.input("y", (1,), "int32")
    loss = losses.focal(z, y)
    at = np.array([[wrong, 0]], np.float32)
    found, slope = values([loss, cr.grad(loss, z)], target, z=at, y=np.array([0], np.int32))
    assert found == -np.float32(wrong)
    np.testing.assert_array_equal(slope, [[-1, 1]])


@TARGETS
def test_logits_of_a_pair_of_networks_of_any_size(target: str) -> None:
    real, fake = cr.input("real", AT.shape), cr.input("fake", (3,))
    d = losses.gan.discriminator(real, fake)
    g = losses.gan.generator(fake)
    nodes = [d, g, *cr.grad(d, [real, fake]), cr.grad(g, fake)]
    near = np.array([-1e38, 0, 1e38], np.float32)
    found = values(nodes, target, real=np.clip(AT, -1e36, 1e36), fake=near)
    assert np.isfinite(found[0])
    np.testing.assert_allclose(found[1], 1e38 / 3, rtol=1e-6)
    np.testing.assert_allclose(found[3], np.array([0, 0.5, 1]) / 3)
    np.testing.assert_allclose(found[4], np.array([-1, -0.5, 0]) / 3)
    assert np.isfinite(found[2]).all()
