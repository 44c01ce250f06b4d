"""Pooling against loops over positions, its derivatives and ties, and what is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.sliding import Floats, gathered, windows

import chainrule as cr
from chainc.ir.types import static

random = np.random.default_rng(5)
LINE = r"test_pooling\.py:\d+"

SETTINGS: list[dict[str, Any]] = [
    {"size": 2},
    {"size": 3},
    {"size": 3, "stride": 2},
    {"size": 3, "stride": 2, "padding": 1},
    {"size": 2, "stride": 3},
    {"size": 3, "stride": 1, "padding": "same"},
]


def pooled(
    x: Floats, setting: dict[str, Any], reduce: Callable[..., Floats], fill: float
) -> Floats:
    rank, size = x.ndim - 2, setting["size"]
    padding = {"same": size // 2}.get(setting.get("padding", 0), setting.get("padding", 0))
    stride, dilation = setting.get("stride", size), setting.get("dilation", 1)
    found = windows(
        x, [size] * rank, [stride] * rank, [(padding, padding)] * rank, [dilation] * rank, fill
    )
    axes = tuple(range(2, x.ndim))
    return gathered({position: reduce(window, axis=axes) for position, window in found})


@pytest.mark.parametrize("target", ["numpy", "llvm"])
@pytest.mark.parametrize("setting", [*SETTINGS, {"size": 2, "dilation": 2, "stride": 1}], ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_max_pooling(rank: int, setting: dict[str, Any], target: str) -> None:
    x = random.standard_normal((2, 3, *(6, 7, 5)[:rank]))
    images = cr.input("x", ("batch", *x.shape[1:]), dtype="float64")
    y = getattr(cr, f"max_pool{rank}d")(images, **setting)
    assert np.array_equal(cr.compile(y, target=target)(x=x), pooled(x, setting, np.max, -np.inf))


@pytest.mark.parametrize("target", ["numpy", "llvm"])
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_average_pooling_counts_the_image_or_all(
    rank: int, setting: dict[str, Any], target: str
) -> None:
    x = random.standard_normal((2, 3, *(6, 7, 5)[:rank]))
    images = cr.input("x", ("batch", *x.shape[1:]), dtype="float64")
    function = getattr(cr, f"avg_pool{rank}d")
    of_image = cr.compile(function(images, **setting), target=target)(x=x)
    np.testing.assert_allclose(of_image, pooled(x, setting, np.nanmean, np.nan), atol=1e-12)
    of_all = cr.compile(function(images, **setting, count_include_pad=True), target=target)(x=x)
    np.testing.assert_allclose(of_all, pooled(x, setting, np.mean, 0.0), atol=1e-12)


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_a_last_window_may_end_beyond_the_image(target: str) -> None:
    """Five pixels by windows of two: the last holds one of them; PyTorch's `ceil_mode`."""
    x = np.arange(1.0, 6).reshape(1, 1, 5)
    sequence = cr.input("x", x.shape, dtype="float64")
    pools = [
        cr.max_pool1d(sequence, 2, ceil_mode=True),
        cr.avg_pool1d(sequence, 2, ceil_mode=True),
        cr.avg_pool1d(sequence, 2, padding=1, count_include_pad=True, ceil_mode=True),
        cr.avg_pool1d(sequence, 3, 5, padding=1, count_include_pad=True, ceil_mode=True),
        cr.max_pool1d(sequence, 1, stride=3, ceil_mode=True),
        cr.max_pool1d(sequence, 6, ceil_mode=True),
    ]
    found = [each[0, 0] for each in cr.compile(pools, target=target)(x=x)]
    wanted: list[list[float]] = [
        [2, 4, 5],
        [1.5, 3.5, 5],
        [0.5, 2.5, 4.5],  # the padding after the image is no pixel that a window begins with
        [1, 2.5],  # 5 and a zero that counts: what lies beyond the padding does not
        [1, 4],  # a window at pixel 6 would begin beyond the image
        [5],
    ]
    for each, row in zip(found, wanted, strict=True):
        np.testing.assert_allclose(each, row, atol=1e-12)
        assert len(each) == len(row)


def test_global_pooling_takes_the_mean_of_a_channel() -> None:
    x = random.standard_normal((2, 3, 4, 5))
    images = cr.input("x", ("batch", 3, 4, 5), dtype="float64")
    np.testing.assert_allclose(cr.compile(cr.global_avg_pool(images))(x=x), x.mean((2, 3)))
    kept = cr.compile(cr.global_avg_pool(images, keepdims=True))(x=x)
    np.testing.assert_allclose(kept, x.mean((2, 3), keepdims=True))


# --- derivatives


def of_pool(x: Floats, target: str, **setting: Any) -> Floats:
    """The derivative of the sum of the maxima, each weighted by its place, from 1."""
    images = cr.input("x", x.shape, dtype="float64")
    y = cr.max_pool2d(images, **setting)
    shape = static(y.shape)
    weights = np.arange(1.0, math.prod(shape) + 1).reshape(shape)
    return np.asarray(cr.compile(cr.grad(cr.sum(y * weights), images), target=target)(x=x))


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_of_equal_elements_the_first_takes_the_derivative(target: str) -> None:
    flat = of_pool(np.zeros((1, 1, 4, 4)), target, size=2)
    assert flat[0, 0].tolist() == [[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]]
    rows = of_pool(np.array([[[[0.0, 1, 1], [1, 1, 1]]]]), target, size=(2, 3))
    assert rows[0, 0].tolist() == [[0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("function", "stride", "gone"),
    [
        (cr.max_pool2d, 2, {"scatter_add", "overlap_add", "one_hot", "argmax", "pick"}),
        (cr.max_pool2d, 1, {"scatter_add", "overlap_add", "one_hot", "argmax", "pick"}),
        (cr.avg_pool2d, 2, {"scatter_add", "overlap_add"}),
        (cr.avg_pool2d, 1, {"scatter_add"}),
    ],
)
def test_nothing_is_looked_up_or_added_in_place(
    function: Callable[..., cr.Node], stride: int, gone: set[str]
) -> None:
    x = cr.input("x", ("batch", 2, 6, 7))
    slope = cr.grad(cr.sum(cr.square(function(x, 2, stride))), x)
    compiled = cr.compile(slope).stages[-1].graph
    ops = {node.op.name for node in compiled.nodes}
    assert not ops & gone


@pytest.mark.parametrize("size", [2, 3])
def test_after_a_relu_only_the_largest_are_looked_at(size: int) -> None:
    x = random.integers(-2, 3, (2, 3, 7, 6)).astype(np.float64)  # with ties, and zeros among them
    images = cr.input("x", x.shape, dtype="float64")
    bent = cr.relu(images)
    loss = cr.sum(cr.sin(cr.max_pool2d(bent, size, 2)) * 3.0)
    at_once = cr.compile(cr.grad(loss, images))
    in_steps = cr.compile(cr.Graph((cr.grad(loss, images), cr.grad(loss, bent))))
    (masks,) = (n for n in at_once.stages[-2].graph.nodes if n.op.name == "less")
    assert masks.shape[2:] == cr.max_pool2d(images, size, 2).shape[2:]
    slope, before = in_steps(x=x)
    assert np.array_equal(slope, np.where(x > 0, before, 0))
    assert np.array_equal(at_once(x=x), slope)


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_windows_that_overlap_add_their_derivatives(target: str) -> None:
    x = np.array([[[[0.0, 5, 0, 0], [0, 0, 0, 0], [0, 0, 9, 0], [0, 0, 0, 0]]]])
    found = of_pool(x, target, size=3, stride=1)
    assert found[0, 0].tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 10, 0], [0, 0, 0, 0]]


def test_padding_takes_no_derivative() -> None:
    x = np.full((1, 1, 3, 3), -7.0)
    assert of_pool(x, "numpy", size=3, stride=2, padding=1)[0, 0].tolist() == [
        [1, 2, 0],
        [3, 4, 0],
        [0, 0, 0],
    ]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("function", ["max_pool2d", "avg_pool2d"])
def test_first_and_second_derivatives(function: str, setting: dict[str, Any]) -> None:
    x = cr.input("x", (2, 2, 5, 4), dtype="float64")
    point = {"x": random.standard_normal((2, 2, 5, 4))}
    loss = cr.sum(cr.sin(getattr(cr, function)(x, **setting)))
    assert cr.check_grad(loss, x, point).worst.error < 1e-6
    second = cr.sum(cr.square(cr.grad(loss, x)))
    assert cr.check_grad(second, x, point).worst.error < 1e-6


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_a_nan_in_a_window_is_its_maximum(target: str) -> None:
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    x[0, 0, 1, 0] = np.nan
    images = cr.input("x", x.shape, dtype="float64")
    found = cr.compile(cr.max_pool2d(images, 2), target=target)(x=x)
    assert np.array_equal(found[0, 0], np.array([[np.nan, 7], [13, 15]]), equal_nan=True)


def test_integers_have_a_maximum_and_no_mean() -> None:
    x = np.array([[[-5, -7, -3]]], np.int32)
    sequence = cr.input("x", (1, 1, 3), dtype="int32")
    assert cr.compile(cr.max_pool1d(sequence, 3, 1, 1))(x=x).tolist() == [[[-5, -3, -3]]]
    with pytest.raises(
        cr.DTypeError, match=r"^avg_pool1d: x i32.* is not floating-point\n(?s:.*)try"
    ):
        cr.avg_pool1d(sequence, 3)
    flags = cr.input("x", (1, 1, 3), dtype="bool")
    with pytest.raises(
        cr.DTypeError, match=r"^max_pool1d: Booleans have no order\n(?s:.*)try: conv"
    ):
        cr.max_pool1d(flags, 3)


# --- what is refused

X = cr.input("x", ("batch", 4, 7, 6))

REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "a window larger than the image": (
        lambda: cr.max_pool2d(X, (7, 7)),
        r"max_pool2d: a window of 7 × 7 is larger than images of 7 × 6\n(?s:.*)try: choose",
    ),
    "more padding than half a window": (
        lambda: cr.max_pool2d(X, 3, padding=2),
        r"max_pool2d: a padding of 2\+2, 2\+2 is more than half of a window of 3 × 3\n"
        r"(?s:.*)try: give less padding, so that every window holds a part of the image",
    ),
    "a window in the padding alone": (
        lambda: cr.max_pool2d(cr.input("dot", ("batch", 1, 2, 1)), 2, 1, 2, dilation=3),
        r"max_pool2d: a window with dilation and padding 2\+2, 2\+2 holds nothing of images"
        r" of 2 × 1\n(?s:.*)try: choose a smaller dilation or stride, or less padding",
    ),
    "another rank": (
        lambda: cr.avg_pool2d(cr.input("s", ("batch", 4, 9)), 2),
        r"avg_pool2d: images are NCHW, .*, and \[batch,4,9\] has 3 axes",
    ),
    "a size of 0": (
        lambda: cr.avg_pool2d(X, 0),
        r"avg_pool2d: size must be a whole number, at least 1, or 2 of them, got 0\n(?s:.*)try:",
    ),
    "same with a stride": (
        lambda: cr.avg_pool2d(X, 2, padding="same"),
        r'avg_pool2d: padding "same" keeps the size of an image, which a stride of 2 × 2 does',
    ),
    "no images": (
        lambda: cr.global_avg_pool(cr.input("s", ("batch", 4))),
        r"global_avg_pool: \[batch,4\] are no images .*\n(?s:.*)try: give it an axis of positions",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_where_it_is_declared(name: str) -> None:
    action, message = REFUSED[name]
    with pytest.raises(cr.ChainruleError, match=f"^{message}") as caught:
        action()
    assert re.search(rf"\n  where: [^\n]*{LINE}\n", str(caught.value))
