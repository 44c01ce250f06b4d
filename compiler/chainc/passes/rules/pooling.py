"""Rules of `convolve` about pooling: the elements of a window are compared tap by tap.

pick(rows, argmax(rows))                           →   max(tap 0, tap 1, …)
argmax(rows)                                       →   0 where tap 0 is the largest, else 1 where …
overlap_add(g where one_hot(argmax(rows)), else 0) →   g where argmax(rows) is the tap, else 0
overlap_add(y)                                     →   reshape(permute(y)), where none overlap

So no window is copied, and nothing is looked up or added in place.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import reduce

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir import Node, apply
from chainc.ir.leaves import constant
from chainc.ir.types import (
    Axes,
    Dim,
    Shape,
    TensorType,
    coefficient_of,
    float32,
    int32,
    named,
    product,
)
from chainc.ops import (
    astype,
    equal,
    less,
    logical_or,
    maximum,
    not_equal,
    pad,
    permute_dims,
    reshape,
    where,
)
from chainc.ops.index import ArgMax, OneHot, Pick
from chainc.ops.logic import Cast
from chainc.ops.movement import Reshape
from chainc.ops.parts.slicing import Pad, Slice
from chainc.ops.parts.window import OverlapAdd, Sliding, Window
from chainc.ops.reduce import Max
from chainc.rewriting.rules import Equation, RuleSet

rule = RuleSet()

Slides = tuple[Sliding, ...]

MOST_TAPS = 16  # that are compared one after another; larger windows are folded in a loop

BATCH = named("batch")
PAIRS, THREES = (Sliding(2, 2), Sliding(2, 2)), (Sliding(3, 2), Sliding(2, 1))


def _f32(*shape: Dim) -> TensorType:
    """An operand to test a rule with."""
    return TensorType(shape, float32)


# ----- the largest element, and which it is


@rule.fast(
    exact_for="i",
    at=[
        ((1, 2), (Sliding(2), Sliding(2, 2)), (2, 2, 2, 4), 3, _f32(2, 3, 4)),
        ((1, 2), (Sliding(4, 5), Sliding(5)), (2, 1, 1, 20), 3, _f32(2, 4, 5)),
    ],
)
def largest_of_each_window(
    axes: Axes, slides: Slides, shape: Shape, axis: int, x: Node
) -> Equation:
    """Looked for and picked, it is the same element but for the sign of a zero."""
    windows = apply(Window(axes, slides), x)
    rows = apply(Reshape(shape), windows)

    def largest() -> Node | None:
        if not _are_rows(windows, shape, axis):
            return None
        if math.prod(_taps(slides)) > MOST_TAPS:
            return apply(Max(tuple(range(axis, windows.ndim))), windows)
        return reduce(maximum, _by_tap(x, Window(axes, slides)))

    return apply(Pick(), rows, apply(ArgMax(axis), rows)), largest


@rule.exact(
    at=[
        ((1, 2), (Sliding(2), Sliding(2, 2)), (2, 2, 2, 4), 3, _f32(2, 3, 4)),
        ((1, 2), PAIRS, (BATCH, 2, 2, 4), 3, TensorType((BATCH, 5, 4), int32)),
    ]
)
def position_in_each_window(
    axes: Axes, slides: Slides, shape: Shape, axis: int, x: Node
) -> Equation:
    """The first tap that is as large as the largest; a NaN is."""
    windows = apply(Window(axes, slides), x)
    position = apply(Cast(int32), apply(ArgMax(axis), apply(Reshape(shape), windows)))

    def first() -> Node | None:
        if not _are_rows(windows, shape, axis) or math.prod(_taps(slides)) > MOST_TAPS:
            return None
        taps = _by_tap(x, Window(axes, slides))
        largest = reduce(maximum, taps)
        found = constant(len(taps) - 1, int32)
        for number, tap in reversed(list(enumerate(taps[:-1]))):
            found = where(_is_largest(tap, largest), constant(number, int32), found)
        return found

    return position, first


def _are_rows(windows: Node, shape: Shape, axis: int) -> bool:
    """Is each window in that shape one row along the last axis?"""
    return axis == len(shape) - 1 and shape[:axis] == windows.shape[:axis]


def _taps(slides: Slides) -> tuple[int, ...]:
    return tuple(slide.taps for slide in slides)


def _by_tap(x: Node, window: Window) -> Sequence[Node]:
    """The first element of each window, the second, and so on."""
    shape = window.infer(x.type).shape
    found = []
    for taps in itertools.product(*(range(slide.taps) for slide in window.slides)):
        starts, stops, steps = [0] * x.ndim, list(x.shape), [1] * x.ndim
        for axis, slide, tap in zip(window.axes, window.slides, taps, strict=True):
            starts[axis], steps[axis] = tap * slide.dilation, slide.stride
            stops[axis] = starts[axis] + (coefficient_of(shape[axis]) - 1) * slide.stride + 1
        found.append(apply(Slice(tuple(starts), tuple(stops), tuple(steps)), x))
    return found


def _is_largest(tap: Node, largest: Node) -> Node:
    found = equal(tap, largest)
    return logical_or(found, not_equal(tap, tap)) if tap.type.dtype.is_float else found


# ----- derivatives


@rule.fast(
    exact_for="i",
    at=[
        (
            OverlapAdd((2, 3), PAIRS, (5, 4)), Reshape((BATCH, 2, 2, 2, 2, 2)), OneHot(4),
            ArgMax(4), _f32(BATCH, 2, 2, 2, 4), _f32(BATCH, 2, 2, 2, 1),
        ),
        (
            OverlapAdd((1, 0), THREES, (8, 4)), Reshape((3, 3, 3, 2)), OneHot(6),
            ArgMax(2), _f32(3, 3, 6), _f32(3, 3, 1),
        ),
    ],
)  # fmt: skip
def derivative_of_largest(
    f: OverlapAdd,
    windows: Reshape,
    coded: OneHot,
    found: ArgMax,
    rows: Node,
    g: Node,
) -> Equation:
    """Each element compares itself with what the windows that hold it have picked."""
    picked = apply(found, rows)
    spread = where(less(0, apply(coded, picked)), g, 0)
    total = apply(f, apply(windows, spread))

    def compared() -> Node | None:
        shape = picked.shape
        if (g.shape, windows.shape) != ((*shape, 1), (*shape, *_taps(f.slides))):
            return None
        if any(slide.dilation > 1 for slide in f.slides):
            return None
        return _Unpooling(f).of(astype(picked, int32), reshape(g, shape))

    return total, compared


@dataclass(frozen=True)
class _Unpooling:
    """What windows along `axes` have picked, put back.

    Along an axis of stride s, element s·q + r lies in windows q - m, as tap r + s·m of each.
    """

    f: OverlapAdd

    @property
    def axes(self) -> Axes:
        return self.f.axes

    @property
    def most_back(self) -> Axes:
        """How far back a window lies, at most, that holds an element."""
        return tuple((slide.taps - 1) // slide.stride for slide in self.f.slides)

    @property
    def quotients(self) -> Axes:
        rows = zip(self.f.lengths, self.f.slides, strict=True)
        return tuple(-(-length // slide.stride) for length, slide in rows)

    def of(self, picked: Node, g: Node) -> Node:
        widths = [(0, 0)] * g.ndim
        for axis, most, quotient in zip(self.axes, self.most_back, self.quotients, strict=True):
            widths[axis] = (most, quotient - coefficient_of(g.shape[axis]))
        around, padded = pad(picked, widths, -1), pad(g, widths)
        parts = []
        for back in itertools.product(*(range(most + 1) for most in self.most_back)):
            index, cotangent = (self._moved(x, back) for x in (around, padded))
            parts.append(where(equal(index, self._tap_numbers(back, g.ndim)), cotangent, 0))
        return self._joined(sum(parts[1:], parts[0]))

    def _moved(self, x: Node, back: Sequence[int]) -> Node:
        """What lies so many places back, with an axis of size 1 for the elements of a stride."""
        starts, stops = [0] * x.ndim, list(x.shape)
        rows = zip(self.axes, self.most_back, self.quotients, back, strict=True)
        for axis, most, quotient, m in rows:
            starts[axis] = most - m
            stops[axis] = starts[axis] + quotient
        return self._beside(apply(Slice(tuple(starts), tuple(stops), (1,) * x.ndim), x))

    def _beside(self, x: Node) -> Node:
        """With an axis of size 1 behind each of `axes`, for the elements of a stride."""
        pairs = [(dim, 1) if axis in self.axes else (dim,) for axis, dim in enumerate(x.shape)]
        return reshape(x, tuple(dim for pair in pairs for dim in pair))

    def _tap_numbers(self, back: Sequence[int], rank: int) -> Node:
        """Which tap each element is of the windows so many places back; -1: it is none."""
        numbers, inside = np.zeros((), np.int32), np.ones((), np.bool_)
        for slide, m in zip(self.f.slides, back, strict=True):
            taps = np.arange(slide.stride, dtype=np.int32) + slide.stride * m
            numbers = np.add.outer(numbers * slide.taps, taps)
            inside = np.logical_and.outer(inside, taps < slide.taps)
        found = np.where(inside, numbers, -1).transpose(np.argsort(self.axes))
        strides = {axis: slide.stride for axis, slide in zip(self.axes, self.f.slides, strict=True)}
        pairs = [(1, strides[axis]) if axis in strides else (1,) for axis in range(rank)]
        return constant(found.reshape([dim for pair in pairs for dim in pair]).astype(np.int32))

    def _joined(self, x: Node) -> Node:
        """The elements of each stride as neighbours, up to the length of each axis."""
        dims, rank = iter(x.shape), x.ndim - len(self.axes)
        whole = tuple(
            product((next(dims), next(dims))) if axis in self.axes else next(dims)
            for axis in range(rank)
        )
        lengths = dict(zip(self.axes, self.f.lengths, strict=True))
        stops = tuple(lengths.get(axis, dim) for axis, dim in enumerate(whole))
        return apply(Slice((0,) * rank, stops, (1,) * rank), reshape(x, whole))


@rule.exact(
    at=[
        ((1,), (Sliding(2, 2),), (7,), _f32(BATCH, 3, 2)),
        ((2, 0), (Sliding(2, 2), Sliding(3, 3)), (4, 9), _f32(3, 2, 2, 2, 3)),
    ]
)
def overlap_add_side_by_side(axes: Axes, slides: Slides, lengths: Axes, y: Node) -> Equation:
    """Windows of which each begins where another ends: every element is in its place."""
    total = apply(OverlapAdd(axes, slides, lengths), y)

    def placed() -> Node | None:
        if any(slide != Sliding(slide.taps, slide.taps) for slide in slides):
            return None
        if 0 in y.shape:
            return None
        taps = {axis: total.ndim + i for i, axis in enumerate(axes)}
        pairs = [(axis, taps[axis]) if axis in taps else (axis,) for axis in range(total.ndim)]
        order = [axis for pair in pairs for axis in pair]
        high, joined = [0] * total.ndim, list(total.shape)
        for axis, slide in zip(axes, slides, strict=True):
            joined[axis] = coefficient_of(y.shape[axis]) * slide.taps
            high[axis] = coefficient_of(total.shape[axis]) - coefficient_of(joined[axis])
        whole = reshape(permute_dims(y, order), joined)
        none = (0,) * total.ndim
        return apply(Pad(none, tuple(high), none), whole) if any(high) else whole

    return total, placed
