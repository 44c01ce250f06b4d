"""Images of another size: enlarged, or brought to a given one by means.

Along each axis the result is a matrix times the pixels, so any derivative is one of matrices too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chainc.ir import Node, Operand, scope
from chainc.ir.errors import InputError
from chainc.ir.leaves import constant
from chainc.ir.types import static
from chainc.ops import broadcast_to, concat, einsum, permute_dims, reshape, window
from chainc.ops.movement import as_flag
from chainrule.declare.arguments import is_one_of
from chainrule.declare.windows.geometry import Numbers, images, numbers, require_float
from chainrule.declare.windows.pooling import average_pooling, pool_slides

__all__ = ["adaptive_avg_pool2d", "upsample"]

RANKS = {"linear": 1, "bilinear": 2, "trilinear": 3}
MODES = ("nearest", *RANKS)

Weights = npt.NDArray[np.float64]


def adaptive_avg_pool2d(x: Operand, size: Numbers) -> Node:
    """Means over parts of an image, as many along each axis as the result is to have.

    Part i of an axis of n pixels in m parts is from ⌊i·n/m⌋ to ⌈(i+1)·n/m⌉, as in PyTorch: where m
    does not divide n, parts differ in size and share pixels.

    Args:
        x: images, (batch, channels, height, width).
        size: of the result, (height, width), or one number for both; 1 is the mean of each channel.

    Raises:
        ShapeError: the images are not NCHW.
        InputError: a size is no positive whole number.
    """
    with scope("adaptive_avg_pool2d"):
        return adaptive_average(
            "adaptive_avg_pool2d", x, numbers("adaptive_avg_pool2d", "size", size, 2)
        )


def adaptive_average(title: str, x: Operand, size: tuple[int, ...]) -> Node:
    node = images(title, x, 2)
    require_float(title, node)
    sizes = static(node.shape[2:])
    if not any(n % m for n, m in zip(sizes, size, strict=True)):
        parts = tuple(n // m for n, m in zip(sizes, size, strict=True))
        return average_pooling(pool_slides(title, 2, parts, None, 0), node, False, False)
    for axis, (n, m) in enumerate(zip(sizes, size, strict=True), start=2):
        node = _along(node, axis, _means(n, m))
    return node


def _means(pixels: int, parts: int) -> Weights:
    """A row for each part, with 1 over its size at its pixels."""
    starts = np.arange(parts) * pixels // parts
    stops = -(-np.arange(1, parts + 1) * pixels // parts)
    position = np.arange(pixels)
    inside = (starts[:, None] <= position) & (position < stops[:, None])
    return inside / (stops - starts)[:, None]


def _along(x: Node, axis: int, weights: Weights) -> Node:
    """The matrix times the pixels of each line along an axis."""
    letters = "bcdhw"[: x.ndim]
    line = letters[axis]
    matrix = constant(weights.astype(x.type.dtype.numpy))
    return einsum(f"{letters},z{line}->{letters.replace(line, 'z')}", x, matrix)


def upsample(
    x: Operand, scale: Numbers, mode: str = "nearest", align_corners: bool = False
) -> Node:
    """Images enlarged a whole number of times.

    Args:
        x: images, (batch, channels, height, width); sequences for "linear", volumes for
            "trilinear", and what has as many axes as numbers are given for "nearest".
        scale: how many times higher and wider: a number, or one an axis.
        mode: "nearest" repeats pixels; "bilinear" weighs the four around a place by their distance,
            "linear" two of a sequence, "trilinear" eight of a volume.
        align_corners: whether the places of the corner pixels are kept, rather than those of the
            images' edges; not for "nearest". As in PyTorch, in either case.

    Raises:
        ShapeError: x has another number of axes.
        InputError: a scale is no positive whole number, or there is no such mode.
    """
    with scope("upsample"):
        return enlarged("upsample", x, *enlargement("upsample", scale, mode, align_corners))


def enlargement(
    title: str, scale: Numbers, mode: str, align_corners: bool
) -> tuple[tuple[int, ...], str, bool]:
    """The arguments of an enlargement, checked.

    Raises:
        InputError: one makes no sense.
    """
    if not is_one_of(mode, MODES):
        raise InputError(
            f"{title}: there is no mode {mode!r}",
            hint='give mode="nearest" or mode="bilinear"; "linear" and "trilinear" are for '
            "sequences and volumes",
        )
    times = numbers(title, "scale", scale, RANKS.get(mode) or _axes_of(scale))
    aligned = as_flag(title, "align_corners", align_corners)
    if aligned and mode == "nearest":
        raise InputError(
            f"{title}: repeated pixels have no corners to align",
            hint='give mode="bilinear", or leave align_corners out',
        )
    return times, mode, aligned


def _axes_of(scale: object) -> int:
    """Those of an image, unless a number is given for each of another."""
    return len(scale) if isinstance(scale, list | tuple) and len(scale) in (1, 3) else 2


def enlarged(title: str, x: Operand, scale: tuple[int, ...], mode: str, aligned: bool) -> Node:
    node = images(title, x, len(scale))
    if mode == "nearest":
        return _repeated(node, scale)
    require_float(title, node)
    for axis, times in enumerate(scale, start=2):
        if times == 1:
            continue
        if aligned:
            (pixels,) = static(node.shape[axis : axis + 1])
            node = _along(node, axis, _between_corners(pixels, times))
        else:
            node = _between_edges(node, axis, times)
    return node


def _repeated(x: Node, scale: tuple[int, ...]) -> Node:
    sizes = static(x.shape[2:])
    spread, repeated = list(x.shape[:2]), list(x.shape[:2])
    for size, times in zip(sizes, scale, strict=True):
        spread += [size, 1]
        repeated += [size, times]
    shape = [size * times for size, times in zip(sizes, scale, strict=True)]
    return reshape(broadcast_to(reshape(x, spread), repeated), (*x.shape[:2], *shape))


def _between_corners(pixels: int, times: int) -> Weights:
    """The first and the last place are those of the first and the last pixel."""
    places = np.linspace(0, pixels - 1, pixels * times)
    return _weights(places, np.arange(pixels))


def _weights(places: Weights, pixels: npt.NDArray[np.int64]) -> Weights:
    """What each pixel counts at each place: 1 less the distance, or nothing."""
    weights: Weights = np.clip(1 - np.abs(places[:, None] - pixels), 0, 1)
    return weights


def _between_edges(x: Node, axis: int, times: int) -> Node:
    """Each pixel becomes `times` of them, which lie between it and its two neighbours.

    Place r is (r + ½) / times - ½ from the pixel; beyond the first and the last pixel is their own
    value.
    """
    places = (np.arange(times) + 0.5) / times - 0.5
    weights = _weights(places, np.array([-1, 0, 1]))
    (pixels,) = static(x.shape[axis : axis + 1])
    whole = [slice(None)] * axis
    first, last = x[(*whole, slice(0, 1))], x[(*whole, slice(pixels - 1, pixels))]
    neighbours = window(concat([first, x, last], axis), 3, axis)
    matrix = constant(weights.astype(x.type.dtype.numpy))
    letters = "bcdhw"[: x.ndim]
    between = einsum(f"{letters}t,rt->{letters}r", neighbours, matrix)
    order = (*range(axis + 1), x.ndim, *range(axis + 1, x.ndim))
    shape = tuple(dim if i != axis else pixels * times for i, dim in enumerate(x.shape))
    return reshape(permute_dims(between, order), shape)
