"""Adaptive pooling, enlargement and unfolding by their definitions, and what is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
from tests.sliding import Floats, windows

import chainrule as cr

random = np.random.default_rng(7)
LINE = r"test_resizing\.py:\d+"
SIZES = [(7, 6), (1, 3), (8, 8), (5, 1)]


def images(size: tuple[int, int]) -> tuple[cr.Node, Floats]:
    value = random.standard_normal((2, 3, *size))
    return cr.input("x", ("batch", 3, *size), dtype="float64"), value


@pytest.mark.parametrize("target", ["numpy", "llvm"])
@pytest.mark.parametrize("wanted", [(1, 1), (2, 3), (4, 4), (7, 6), (9, 2)], ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_adaptive_pooling_takes_means_of_parts(
    size: tuple[int, int], wanted: tuple[int, int], target: str
) -> None:
    x, value = images(size)
    found = cr.compile(cr.adaptive_avg_pool2d(x, wanted), target=target)(x=value)
    assert found.shape[2:] == wanted
    for row, column in np.ndindex(wanted):
        rows, columns = (
            slice(i * n // m, math.ceil((i + 1) * n / m))
            for i, n, m in zip((row, column), size, wanted, strict=True)
        )
        np.testing.assert_allclose(
            found[:, :, row, column], value[:, :, rows, columns].mean((2, 3)), atol=1e-12
        )


@pytest.mark.parametrize("target", ["numpy", "llvm"])
@pytest.mark.parametrize("scale", [1, 2, (3, 1), (2, 4)], ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_nearest_repeats_pixels(
    size: tuple[int, int], scale: int | tuple[int, int], target: str
) -> None:
    x, value = images(size)
    rows, columns = (scale, scale) if isinstance(scale, int) else scale
    found = cr.compile(cr.upsample(x, scale), target=target)(x=value)
    assert np.array_equal(found, value.repeat(rows, axis=2).repeat(columns, axis=3))


@pytest.mark.parametrize("target", ["numpy", "llvm"])
@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("scale", [2, (3, 1), (2, 4)], ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_bilinear_lies_on_the_lines_between_pixels(
    size: tuple[int, int], scale: int | tuple[int, int], aligned: bool, target: str
) -> None:
    x, value = images(size)
    found = cr.compile(cr.upsample(x, scale, "bilinear", aligned), target=target)(x=value)
    wanted = value
    for axis, times in enumerate((scale, scale) if isinstance(scale, int) else scale, start=2):
        pixels = value.shape[axis]
        places = (np.arange(pixels * times) + 0.5) / times - 0.5
        if aligned:
            places = np.linspace(0, pixels - 1, pixels * times)
        lines = np.moveaxis(wanted, axis, -1).reshape(-1, pixels)
        drawn = np.stack([np.interp(places, np.arange(pixels), line) for line in lines])
        moved = np.moveaxis(wanted, axis, -1).shape[:-1]
        wanted = np.moveaxis(drawn.reshape(*moved, -1), -1, axis)
    np.testing.assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("mode", ["linear", "trilinear"])
def test_sequences_and_volumes_lie_on_lines_too(mode: str, aligned: bool) -> None:
    """What is interpolated along one axis after another: a volume is one of images of images."""
    value = random.standard_normal((2, 3, *(4, 3, 5)[: 1 if mode == "linear" else 3]))
    x = cr.input("x", value.shape, dtype="float64")
    scale = (2,) if mode == "linear" else (2, 3, 1)
    found = cr.compile(cr.upsample(x, scale, mode, aligned), target="numpy")(x=value)
    wanted = value
    for axis, times in enumerate(scale, start=2):
        lines = np.moveaxis(wanted, axis, -1)
        flat = lines.reshape(1, 1, -1, lines.shape[-1])
        line = cr.input("line", flat.shape, dtype="float64")
        drawn = cr.compile(cr.upsample(line, (1, times), "bilinear", aligned), target="numpy")
        wanted = np.moveaxis(drawn(line=flat).reshape(*lines.shape[:-1], -1), -1, axis)
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_nearest_repeats_sequences_and_volumes() -> None:
    value = random.standard_normal((2, 3, 2, 1, 3))
    x = cr.input("x", value.shape, dtype="float64")
    found = cr.compile(cr.upsample(x, (2, 3, 1)), target="numpy")(x=value)
    assert np.array_equal(found, value.repeat(2, axis=2).repeat(3, axis=3))
    sequence = cr.input("s", (2, 3, 2), dtype="float64")
    found = cr.compile(cr.upsample(sequence, (4,)), target="numpy")(s=value[..., 0, 0])
    assert np.array_equal(found, value[..., 0, 0].repeat(4, axis=2))


def test_a_mean_of_a_constant_image_is_the_constant() -> None:
    x = cr.input("x", (1, 1, 4, 5))
    ones = np.full((1, 1, 4, 5), 7.0, np.float32)
    larger = cr.compile([cr.upsample(x, 3, "bilinear"), cr.adaptive_avg_pool2d(x, 3)])(x=ones)
    assert all(np.allclose(each, 7, rtol=1e-6) for each in larger)


@pytest.mark.parametrize(
    "resized",
    [
        lambda x: cr.adaptive_avg_pool2d(x, (2, 3)),
        lambda x: cr.adaptive_avg_pool2d(x, 2),
        lambda x: cr.upsample(x, 2),
        lambda x: cr.upsample(x, (2, 3), "bilinear"),
        lambda x: cr.upsample(x, (2, 3), "bilinear", align_corners=True),
        lambda x: cr.unfold(x, 2, stride=2, padding=1),
        cr.global_avg_pool,
    ],
)
def test_first_and_second_derivatives(resized: Callable[[cr.Node], cr.Node]) -> None:
    x = cr.input("x", (2, 2, 4, 4), dtype="float64")
    point = {"x": random.standard_normal((2, 2, 4, 4))}
    loss = cr.sum(cr.sin(resized(x)))
    assert cr.check_grad(loss, x, point).worst.error < 1e-6
    second = cr.sum(cr.square(cr.grad(loss, x)))
    assert cr.check_grad(second, x, point).worst.error < 1e-6


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_unfolding_gives_a_column_for_each_window(target: str) -> None:
    x, value = images((7, 6))
    columns = cr.unfold(x, (2, 3), stride=(1, 2), padding=1, dilation=2)
    found = cr.compile(columns, target=target)(x=value)
    expected = windows(value, (2, 3), (1, 2), [(1, 1), (1, 1)], (2, 2))
    for position, (_, window) in enumerate(expected):
        assert np.array_equal(found[:, :, position], window.reshape(2, -1))
    assert position + 1 == found.shape[2]


def test_a_kernel_times_the_columns_is_the_convolution() -> None:
    x, value = images((7, 6))
    kernel = random.standard_normal((5, 3, 2, 2))
    product = cr.einsum("ok,bkp->bop", cr.constant(kernel.reshape(5, -1)), cr.unfold(x, 2))
    found, wanted = cr.compile([product, cr.conv2d(x, kernel)])(x=value)
    np.testing.assert_allclose(found, wanted.reshape(2, 5, -1), atol=1e-12)


# --- what is refused

X = cr.input("x", ("batch", 4, 7, 6))

REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "no size": (
        lambda: cr.adaptive_avg_pool2d(X, 0),
        r"adaptive_avg_pool2d: size must be a whole number, at least 1, or 2 of them, got 0\n",
    ),
    "a fraction": (
        lambda: cr.upsample(X, 1.5),  # type: ignore[arg-type]
        r"upsample: scale must be a whole number, at least 1, or 2 of them, got 1.5\n"
        r"(?s:.*)try: give scale=2",
    ),
    "no mode": (
        lambda: cr.upsample(X, 2, "cubic"),
        r"upsample: there is no mode 'cubic'\n(?s:.*)try: give mode=\"nearest\" or mode=\"bilin",
    ),
    "corners of repeated pixels": (
        lambda: cr.upsample(X, 2, align_corners=True),
        r"upsample: repeated pixels have no corners to align\n(?s:.*)try: give mode=\"bilinear\"",
    ),
    "more numbers than axes": (
        lambda: cr.upsample(X, (2, 2, 2, 2)),
        r"upsample: scale must be a whole number, at least 1, or 2 of them, got \(2, 2, 2, 2\)\n",
    ),
    "an image as a volume": (
        lambda: cr.upsample(X, 2, "trilinear"),
        r"upsample: images are NCDHW, .*, and \[batch,4,7,6\] has 4 axes\n(?s:.*)try: declare",
    ),
    "another rank": (
        lambda: cr.upsample(cr.input("s", ("batch", 4, 9)), 2),
        r"upsample: images are NCHW, .*, and \[batch,4,9\] has 3 axes\n(?s:.*)try: declare",
    ),
    "integers": (
        lambda: cr.upsample(cr.input("s", ("batch", 4, 9, 9), dtype="int32"), 2, "bilinear"),
        r"upsample: s i32.* is not floating-point\n(?s:.*)try: convert it",
    ),
    "a window larger than the image": (
        lambda: cr.unfold(X, 7),
        r"unfold: a window of 7 × 7 is larger than images of 7 × 6\n(?s:.*)try: choose a smaller",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_where_it_is_declared(name: str) -> None:
    action, message = REFUSED[name]
    with pytest.raises(cr.ChainruleError, match=f"^{message}") as caught:
        action()
    assert re.search(rf"\n  where: [^\n]*{LINE}\n", str(caught.value))
