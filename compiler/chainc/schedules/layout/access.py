"""Where the elements of a view lie: strides and panels, and addresses at a point of a loop nest.

The number of rows of a call is not known when compiling, their largest number (the capacity) is.
Strides follow from the capacity, so they are static; only loops over rows have a bound that is
known at run time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import singledispatch
from itertools import pairwise
from typing import TypeVar

from chainc.dataclass import dataclass
from chainc.ir.movements import (
    Broadcast,
    Diagonal,
    Flip,
    Movement,
    Permute,
    Reshape,
    Slice,
    Window,
)
from chainc.ir.types import Dim, Shape, Size, bind, coefficient_of, names_of, product, static
from chainc.loops.values import Address, Affine, Bound, Parameter, Rows
from chainc.lowering.views import Buffer, Panels, View
from chainc.schedules.layout.machine import PADDING

T = TypeVar("T")


class UnboundError(Exception):
    """A view or extent needs the number of rows when compiling."""


@dataclass(frozen=True)
class Capacity:
    """The largest values of the named sizes; at most one name, the rows of a call."""

    sizes: Mapping[str, int]

    def shape(self, shape: Shape) -> tuple[int, ...]:
        return static(tuple(bind(dim, self.sizes) for dim in shape))

    def dim(self, dim: Dim) -> int:
        return self.shape((dim,))[0]


def bound_of(dim: Dim, rounded: int = 1) -> Bound:
    """A loop's bound: a number, or a multiple of the rows, rounded up."""
    if isinstance(dim, int):
        return -(-dim // rounded) * rounded
    if len(dim.names) > 1:
        raise UnboundError(f"the size {dim}")
    return Rows(dim.coefficient, rounded)


def storage_size(buffer: Buffer, capacity: Capacity) -> int:
    """Elements of a buffer's storage, padding included."""
    shape = capacity.shape(buffer.type.shape)
    if buffer.panels is None:
        return math.prod(shape)
    extent = shape[buffer.panels.axis]
    return -(-extent // buffer.panels.lanes) * _panel_size(buffer, shape)


def _panel_size(buffer: Buffer, shape: Sequence[int]) -> int:
    assert buffer.panels is not None
    others = math.prod(n for axis, n in enumerate(shape) if axis != buffer.panels.axis)
    return (others + buffer.panels.gap) * buffer.panels.lanes


@dataclass(frozen=True)
class PanelPosition:
    """A position along an axis in panels: panel · lanes + lane."""

    panel: Affine
    lane: Affine
    lanes: int


Point = tuple[
    Affine | PanelPosition, ...
]  # a position along each axis; of vectors, of their first lane


def moved(point: tuple[T, ...], axis: int, to: T) -> tuple[T, ...]:
    """The point, or the shape, with another entry along one axis."""
    return (*point[:axis], to, *point[axis + 1 :])


@dataclass(frozen=True)
class Access:
    """The elements of a view: `offset` + Σ position · stride, in elements of a parameter.

    Along the axis `panels`, the stride is that within a panel.
    """

    parameter: Parameter
    shape: Shape
    strides: tuple[int, ...]
    offset: int = 0
    panels: int | None = None  # the axis in panels
    lanes: int = 1
    panel_stride: int = 0

    def broadcast(self, shape: Shape) -> Access:
        """The same elements over more axes, by the NumPy rule."""
        new = len(shape) - len(self.shape)
        kept = zip(self.shape, self.strides, shape[new:], strict=True)
        strides = (0,) * new + tuple(0 if old != dim else s for old, s, dim in kept)
        panels = None if self.panels is None else self.panels + new
        moved = replace(self, shape=shape, strides=strides, panels=panels)
        return moved.flat() if panels is not None and strides[panels] == 0 else moved

    def flat(self) -> Access:
        """Without panels, which matter no more once a panel's axis is broadcast."""
        return replace(self, panels=None, lanes=1, panel_stride=0)

    def splits(self, axis: int) -> bool:
        return self.panels == axis

    def roomy(self, lanes: int) -> bool:
        """May a vector stand out behind the last element? Own storage is whole cache lines."""
        return self.parameter.padded and lanes * self.parameter.dtype.itemsize <= PADDING

    def address(self, point: Point, vector_axis: int | None = None) -> Address:
        """Of the element at a point; lanes go along `vector_axis`."""
        position = Affine(self.offset)
        for axis, place in enumerate(point):
            position = position + self._along(axis, place)
        stride = 1 if vector_axis is None else self.strides[vector_axis]
        return Address(self.parameter, position, stride)

    def _along(self, axis: int, place: Affine | PanelPosition) -> Affine:
        stride = self.strides[axis]
        if self.panels != axis:
            if isinstance(place, PanelPosition):
                place = place.panel * place.lanes + place.lane
            return place * stride
        if isinstance(place, PanelPosition):
            if place.lanes != self.lanes:
                raise ValueError(f"panels of {place.lanes}, not of {self.lanes}")
            return place.panel * self.panel_stride + place.lane * stride
        if place.terms:
            raise ValueError(f"axis {axis} lies in panels; its position must be split")
        panel, lane = divmod(place.constant, self.lanes)
        return Affine(panel * self.panel_stride + lane * stride)


def part_of(
    whole: Access, shape: Shape, starts: tuple[int, ...], steps: tuple[int, ...] = ()
) -> Access:
    """So many elements from somewhere on, some steps apart; all where no start is given."""
    if not starts:
        return whole
    steps = steps or (1,) * len(starts)
    offset = whole.offset + sum(a * b for a, b in zip(starts, whole.strides, strict=True))
    strides = tuple(a * b for a, b in zip(steps, whole.strides, strict=True))
    return replace(whole, shape=shape, strides=strides, offset=offset)


def access(view: View, parameter: Parameter, capacity: Capacity) -> Access:
    """Of a view of a buffer.

    Raises:
        UnboundError: a movement depends on the number of rows.
    """
    found = whole(view.buffer, parameter, capacity)
    for movement in view.movements:
        found = _moved(movement, found, capacity)
    return found


def whole(buffer: Buffer, parameter: Parameter, capacity: Capacity) -> Access:
    """Of all elements of a buffer.

    Raises:
        UnboundError: the strides of an array of the caller's depend on the number of rows.
    """
    given = buffer.role in ("input", "output")
    if given and any(isinstance(dim, Size) for dim in buffer.type.shape[1:]):
        raise UnboundError(f"the strides of {buffer.name}")
    shape = capacity.shape(buffer.type.shape)
    panels = buffer.panels
    if panels is None:
        return Access(parameter, buffer.type.shape, row_major(shape))
    return Access(
        parameter,
        buffer.type.shape,
        _within_panel(panels, shape),
        panels=panels.axis,
        lanes=panels.lanes,
        panel_stride=_panel_size(buffer, shape),
    )


def _within_panel(panels: Panels, shape: Sequence[int]) -> tuple[int, ...]:
    """Strides in a panel, in which the axes lie in an order of their own."""
    order = panels.order or [axis for axis in range(len(shape)) if axis != panels.axis]
    steps = row_major([*(shape[axis] for axis in order), panels.lanes])
    strides = dict(zip((*order, panels.axis), steps, strict=True))
    return tuple(strides[axis] for axis in range(len(shape)))


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    strides, step = [], 1
    for extent in reversed(shape):
        strides.append(step)
        step *= extent
    return tuple(reversed(strides))


@singledispatch
def _moved(movement: Movement, found: Access, capacity: Capacity) -> Access:
    """What a movement makes of where elements lie."""
    raise NotImplementedError(f"no access through {type(movement).__name__}")


@_moved.register
def _permute(movement: Permute, found: Access, _capacity: Capacity) -> Access:
    strides = tuple(found.strides[axis] for axis in movement.axes)
    panels = None if found.panels is None else movement.axes.index(found.panels)
    return replace(found, shape=movement.shape, strides=strides, panels=panels)


@_moved.register
def _broadcast(movement: Broadcast, found: Access, _capacity: Capacity) -> Access:
    return found.broadcast(movement.shape)


@_moved.register
def _slice(movement: Slice, found: Access, _capacity: Capacity) -> Access:
    if found.panels is not None and _cut(found, movement, found.panels):
        raise ValueError("an axis in panels cannot be sliced")
    starts = zip(movement.starts, found.strides, strict=True)
    offset = found.offset + sum(start * stride for start, stride in starts)
    steps = zip(found.strides, movement.steps, strict=True)
    strides = tuple(stride * step for stride, step in steps)
    return replace(found, shape=movement.shape, strides=strides, offset=offset)


def _cut(found: Access, movement: Slice, axis: int) -> bool:
    whole_axis = movement.shape[axis] == found.shape[axis]
    return not whole_axis or movement.starts[axis] != 0 or movement.steps[axis] != 1


@_moved.register
def _flip(movement: Flip, found: Access, _capacity: Capacity) -> Access:
    if found.panels is not None and found.panels in movement.axes:
        raise ValueError("an axis in panels cannot be flipped")
    strides, offset = list(found.strides), found.offset
    for axis in movement.axes:
        extent = found.shape[axis]
        if not isinstance(extent, int):
            raise UnboundError(f"a flip along {extent}")
        offset += (extent - 1) * strides[axis]
        strides[axis] = -strides[axis]
    return replace(found, strides=tuple(strides), offset=offset)


@_moved.register
def _window(movement: Window, found: Access, _capacity: Capacity) -> Access:
    if found.panels in movement.axes:
        raise ValueError("no window slides along an axis in panels")
    strides, taps = list(found.strides), []
    for axis, (between_positions, between_taps) in zip(movement.axes, movement.steps, strict=True):
        taps.append(found.strides[axis] * between_taps)
        strides[axis] *= between_positions
    return replace(found, shape=movement.shape, strides=(*strides, *taps))


@_moved.register
def _diagonal(movement: Diagonal, found: Access, _capacity: Capacity) -> Access:
    axis, other = movement.axis, movement.other
    if found.panels in (axis, other):
        raise ValueError("an axis in panels has no diagonal")
    strides = list(found.strides)
    strides[axis] += strides.pop(other)
    panels = found.panels
    if panels is not None and panels > other:
        panels -= 1
    return replace(found, shape=movement.shape, strides=tuple(strides), panels=panels)


@_moved.register
def _reshape(movement: Reshape, found: Access, capacity: Capacity) -> Access:
    """Axes are grouped so that each group keeps its number of elements."""
    if 0 in movement.shape:
        return replace(found, shape=movement.shape, strides=(0,) * len(movement.shape)).flat()
    strides: list[int] = []
    panels: int | None = None
    for old, new in _groups(found.shape, movement.shape):
        kept = [axis for axis in old if found.shape[axis] != 1]
        added = [axis for axis in new if movement.shape[axis] != 1]
        if len(kept) == 1 and len(added) == 1:
            if found.panels == kept[0]:
                panels = added[0]
            part = {added[0]: found.strides[kept[0]]}
        else:
            part = _regrouped(found, kept, [movement.shape[axis] for axis in added], capacity)
            part = dict(zip(added, part.values(), strict=True))
        strides.extend(part.get(axis, 0) for axis in new)
    moved = replace(found, shape=movement.shape, strides=tuple(strides), panels=panels)
    if found.panels is not None and panels is None:
        if found.shape[found.panels] != 1:
            raise ValueError("an axis in panels cannot be reshaped")
        return moved.flat()
    return moved


def _groups(old: Shape, new: Shape) -> list[tuple[list[int], list[int]]]:
    """Runs of axes of both shapes with equal products, as short as they can be."""
    groups: list[tuple[list[int], list[int]]] = []
    first, second = 0, 0
    while first < len(old) or second < len(new):
        a, b = [first] if first < len(old) else [], [second] if second < len(new) else []
        first, second = first + len(a), second + len(b)
        while product(old[i] for i in a) != product(new[j] for j in b):
            if _grows_first(
                product(old[i] for i in a), product(new[j] for j in b), len(old), first
            ):
                a.append(first)
                first += 1
            else:
                b.append(second)
                second += 1
        groups.append((a, b))
    return groups


def _grows_first(a: Dim, b: Dim, count: int, first: int) -> bool:
    """Should the next axis of the first shape join the run?"""
    if first == count:
        return False
    if len(names_of(a)) != len(names_of(b)):
        return len(names_of(a)) < len(names_of(b))
    return coefficient_of(a) < coefficient_of(b)


def _regrouped(
    found: Access, old: Sequence[int], new: Sequence[Dim], capacity: Capacity
) -> dict[int, int]:
    """Row-major strides over the elements of some axes, which lie side by side."""
    if not new:
        return {}
    for position, dim in enumerate(new):
        if isinstance(dim, Size) and position:
            raise UnboundError(f"a reshape to {dim} inside other axes")
    for outer, inner in pairwise(old):
        if isinstance(found.shape[inner], Size):
            raise UnboundError(f"a reshape of {found.shape[inner]} inside other axes")
        if found.strides[outer] != found.strides[inner] * capacity.dim(found.shape[inner]):
            raise ValueError("a reshape of elements that do not lie side by side")
    step = found.strides[old[-1]] if old else 1
    extents = capacity.shape(tuple(new))
    return dict(enumerate(stride * step for stride in row_major(extents)))
