"""Pooling: each window of an image as one number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from chainc.ir import Node, Operand, scope
from chainc.ir.errors import DTypeError, InputError
from chainc.ir.leaves import as_nodes, constant
from chainc.ir.types import Array, format_shape, static
from chainc.ops import argmax, mean, pick, reshape, sum
from chainc.ops.movement import as_flag
from chainrule.declare.windows.geometry import (
    Geometry,
    Numbers,
    Padding,
    geometry,
    images,
    misfit,
    require_float,
    times,
)

__all__ = [
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "global_avg_pool",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
]


def max_pooling(slides: Geometry, x: Operand, ceil_mode: bool) -> Node:
    """The largest element of each window; the first of equal ones takes the whole derivative."""
    node = images(slides.title, x, slides.rank)
    slides = _reaching(slides, node, ceil_mode)
    windows = slides.windows(node, _lowest(slides.title, node))
    if not _elements_within(slides, node).all():
        raise misfit(
            slides.title,
            node,
            f"a window with dilation and padding {slides.border} holds nothing of images of "
            f"{times(static(node.shape[2:]))}",
            "choose a smaller dilation or stride, or less padding",
        )
    rows = reshape(windows, (*node.shape[:2], *windows.shape[2 : -slides.rank], -1))
    return pick(rows, argmax(rows))


def average_pooling(slides: Geometry, x: Operand, count_include_pad: bool, ceil_mode: bool) -> Node:
    """The mean of each window; of its elements within the image, unless the padding counts too."""
    node = images(slides.title, x, slides.rank)
    require_float(slides.title, node)
    counts_padding = as_flag(slides.title, "count_include_pad", count_include_pad)
    reaching = _reaching(slides, node, ceil_mode)
    total = sum(reaching.windows(node), tuple(range(-slides.rank, 0)))
    counted = _elements_within(reaching, node, slides.padding if counts_padding else ())
    if (counted == math.prod(slides.taps)).all():
        return total / math.prod(slides.taps)
    return total / constant(counted.astype(node.type.dtype.numpy))


def pool_slides(
    title: str,
    rank: int,
    size: Numbers,
    stride: Numbers | None,
    padding: Padding,
    dilation: Numbers = 1,
) -> Geometry:
    """Windows that lie side by side unless a stride is given, each with elements of the image.

    Raises:
        InputError: a number is none or too small, or the padding more than half a window.
    """
    slides = geometry(title, rank, size, size if stride is None else stride, padding, dilation)
    pairs = zip(slides.padding, slides.slides, strict=True)
    if any(2 * max(pair) > slide.span for pair, slide in pairs):
        raise InputError(
            f"{title}: a padding of {slides.border} is more than half of a window of "
            f"{times(slide.span for slide in slides.slides)}",
            hint="give less padding, so that every window holds a part of the image",
        )
    return slides


def _lowest(title: str, x: Node) -> float:
    """What is never the largest."""
    if x.type.dtype.is_float:
        return -math.inf
    if x.type.dtype.is_bool:
        raise DTypeError(
            f"{title}: Booleans have no order", hint='convert them with cr.astype(x, "float32")'
        )
    return float(np.iinfo(x.type.dtype.name).min)


def _reaching(slides: Geometry, x: Node, ceil_mode: bool) -> Geometry:
    """With as much padding after the images as a last window needs that begins before their end.

    As in PyTorch, such a window counts if it begins in the image or in the padding before it.
    """
    if not as_flag(slides.title, "ceil_mode", ceil_mode):
        return slides
    reaching: list[tuple[int, int]] = []
    sizes = static(x.shape[2:])
    for size, (low, high), slide in zip(sizes, slides.padding, slides.slides, strict=True):
        over = (low + size + high - slide.span) % slide.stride
        start = low + size + high - slide.span - over + slide.stride
        begins_inside = over > 0 and 0 <= start < low + size
        reaching.append((low, high + slide.stride - over if begins_inside else high))
    return replace(slides, padding=tuple(reaching))


def _elements_within(slides: Geometry, x: Node, border: Sequence[tuple[int, int]] = ()) -> Array:
    """How many taps of each window lie within an image and this border around it."""
    counts: Array = np.ones((), np.int64)
    counted = border or ((0, 0),) * slides.rank
    rows = zip(static(x.shape[2:]), slides.padding, slides.slides, counted, strict=True)
    for size, (low, high), slide, (before, after) in rows:
        starts = np.arange(slide.positions(low + size + high)) * slide.stride - low
        taps = starts[:, None] + np.arange(slide.taps) * slide.dilation
        counts = np.multiply.outer(counts, ((-before <= taps) & (taps < size + after)).sum(1))
    return counts


def global_avg_pool(x: Operand, keepdims: bool = False) -> Node:
    """The mean of each channel: (batch, channels, ...) to (batch, channels).

    Args:
        x: images of any rank, (batch, channels, height, width) or another.
        keepdims: whether the axes of the image stay, with size 1.

    Raises:
        ShapeError: there are no axes beside the batch and the channels.
    """
    with scope("global_avg_pool"):
        return global_average("global_avg_pool", x, keepdims)


def global_average(title: str, x: Operand, keepdims: bool = False) -> Node:
    (node,) = as_nodes(x)
    if node.ndim < 3:
        raise misfit(
            title,
            node,
            f"{format_shape(node.shape)} are no images [batch,channels,height,width]",
            "give it an axis of positions at least, beside the batch and the channels",
        )
    return mean(node, tuple(range(2, node.ndim)), as_flag(title, "keepdims", keepdims))


def max_pool1d(
    x: Operand,
    size: Numbers,
    stride: Numbers | None = None,
    padding: Padding = 0,
    dilation: Numbers = 1,
    ceil_mode: bool = False,
) -> Node:
    """`max_pool2d` of sequences (batch, channels, length)."""
    with scope("max_pool1d"):
        slides = pool_slides("max_pool1d", 1, size, stride, padding, dilation)
        return max_pooling(slides, x, ceil_mode)


def max_pool2d(
    x: Operand,
    size: Numbers,
    stride: Numbers | None = None,
    padding: Padding = 0,
    dilation: Numbers = 1,
    ceil_mode: bool = False,
) -> Node:
    """The largest element of each window; the first of equal ones takes the whole derivative.

    Args:
        x: images, (batch, channels, height, width).
        size: of a window: a number, or one an axis.
        stride: pixels from one window to the next; by default the size, so none overlap.
        padding: pixels around the images that are never the largest, at most half a window.
        dilation: pixels from one element of a window to the next.
        ceil_mode: whether there is a last window that begins in the image and ends beyond it.

    Raises:
        ShapeError: the images are not NCHW, or smaller than a window.
        InputError: a number is none or too small, or the padding too large.
    """
    with scope("max_pool2d"):
        slides = pool_slides("max_pool2d", 2, size, stride, padding, dilation)
        return max_pooling(slides, x, ceil_mode)


def max_pool3d(
    x: Operand,
    size: Numbers,
    stride: Numbers | None = None,
    padding: Padding = 0,
    dilation: Numbers = 1,
    ceil_mode: bool = False,
) -> Node:
    """`max_pool2d` of volumes (batch, channels, depth, height, width)."""
    with scope("max_pool3d"):
        slides = pool_slides("max_pool3d", 3, size, stride, padding, dilation)
        return max_pooling(slides, x, ceil_mode)


def avg_pool1d(
    x: Operand,
    size: Numbers,
    stride: Numbers | None = None,
    padding: Padding = 0,
    count_include_pad: bool = False,
    ceil_mode: bool = False,
) -> Node:
    """`avg_pool2d` of sequences (batch, channels, length)."""
    with scope("avg_pool1d"):
        slides = pool_slides("avg_pool1d", 1, size, stride, padding)
        return average_pooling(slides, x, count_include_pad, ceil_mode)


def avg_pool2d(
    x: Operand,
    size: Numbers,
    stride: Numbers | None = None,
    padding: Padding = 0,
    count_include_pad: bool = False,
    ceil_mode: bool = False,
) -> Node:
    """The mean of each window.

    Args:
        x: images, (batch, channels, height, width).
        size: of a window: a number, or one an axis.
        stride: pixels from one window to the next; by default the size, so none overlap.
        padding: zeros around the images, at most half a window.
        count_include_pad: whether these zeros count; by default a mean is over the pixels of the
            image that a window holds. (In PyTorch the default is True.)
        ceil_mode: whether there is a last window that begins in the image and ends beyond it; what
            lies beyond the padding never counts.

    Raises:
        ShapeError: the images are not NCHW, or smaller than a window.
        InputError: a number is none or too small, or the padding too large.
    """
    with scope("avg_pool2d"):
        slides = pool_slides("avg_pool2d", 2, size, stride, padding)
        return average_pooling(slides, x, count_include_pad, ceil_mode)


def avg_pool3d(
    x: Operand,
    size: Numbers,
    stride: Numbers | None = None,
    padding: Padding = 0,
    count_include_pad: bool = False,
    ceil_mode: bool = False,
) -> Node:
    """`avg_pool2d` of volumes (batch, channels, depth, height, width)."""
    with scope("avg_pool3d"):
        slides = pool_slides("avg_pool3d", 3, size, stride, padding)
        return average_pooling(slides, x, count_include_pad, ceil_mode)
