"""Along the last axis, one row after another: running sums, elements at indices, order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chainc.ir.types import Shape, int64, product
from chainc.loops.values import Affine, Bound, Kind, Register, affine
from chainc.ops.families.rows import AddAlong, Order, PickAlong, RunningSum
from chainc.schedules.elementwise import WORTH_SHARING, Sweep
from chainc.schedules.frame import Frame, Place
from chainc.schedules.indexing.comparison import is_less
from chainc.schedules.indexing.slices import index_at, within
from chainc.schedules.layout.access import Point, bound_of

Row = tuple[Affine, ...]  # where a row stands


def schedule_running_sum(_family: RunningSum, frame: Frame) -> None:
    """One sum along each row, written after each of its elements."""
    type, builder = frame.root.out.type, frame.builder
    source = frame.access(frame.root.reads[0])

    def sum_up(row: Row) -> None:
        nothing = -0.0 if type.dtype.is_float else 0  # which also leaves a zero its sign
        start = builder.constant(nothing, Kind(type.dtype))
        with builder.loop("k", 0, bound_of(type.shape[-1]), 1, [start]) as loop:
            place = Place(type.shape, (*row, affine(loop.index)))
            total = builder.compute("add", loop.values[0], frame.load(source, place))
            frame.finish(total, place)
            loop.carry(total)

    _over_rows(frame, type.shape, sum_up)


def schedule_pick_along(_family: PickAlong, frame: Frame) -> None:
    """Elements of each row, one after another."""
    root, shape = frame.root, frame.root.out.type.shape
    rows, listed = (frame.access(view) for view in root.reads)
    if _refuses_all(frame, rows.shape, shape):
        return

    def body(place: Place) -> None:
        index = index_at(frame, listed, place, rows.shape[-1])
        there = Place(rows.shape, (*place.point[:-1], affine(index)))
        frame.finish(frame.load(rows, there), place)

    outer = replace(rows, shape=shape, strides=(*rows.strides[:-1], 0))
    Sweep(frame, shape, [outer, listed, *frame.accesses(shape)], 1).run(body)


def schedule_add_along(_family: AddAlong, frame: Frame) -> None:
    """Elements added to those of the result in order of position, since sums depend on it."""
    root, builder = frame.root, frame.builder
    table, listed, added = frame.whole(root.out), *(frame.access(view) for view in root.reads)
    shape = root.reads[1].type.shape
    if _refuses_all(frame, table.shape, shape):
        return

    def add(row: Row) -> None:
        with builder.loop("k", 0, bound_of(shape[-1])) as loop:
            place = Place(shape, (*row, affine(loop.index)))
            index = index_at(frame, listed, place, table.shape[-1])
            there = Place(table.shape, (*row, affine(index)))
            total = builder.compute("add", frame.load(table, there), frame.load(added, place))
            builder.store(total, table.address(there.point))

    _over_rows(frame, shape, add)


def schedule_order(family: Order, frame: Frame) -> None:
    """Merge sort, from the bottom: runs of 1, 2, 4, … positions, to and fro between two rows."""
    type = frame.root.reads[0].type
    if 0 in type.shape:
        return
    levels = (frame.capacity.dim(type.shape[-1]) - 1).bit_length()
    merging = _Merging(family, frame)

    def order(row: Row) -> None:
        merging.begin(row, levels % 2)
        for level in range(levels):
            merging.merge(row, 1 << level, (levels - level) % 2)

    _over_rows(frame, type.shape, order)


class _Merging:
    """Positions in order of the elements that they name.

    It keeps them in the two halves of the result.
    """

    def __init__(self, family: Order, frame: Frame) -> None:
        self.frame, self.builder, self.family = frame, frame.builder, family
        self.elements = frame.access(frame.root.reads[0])
        self.halves = frame.whole(frame.root.out)
        self.count = bound_of(self.elements.shape[-1])

    def begin(self, row: Row, half: int) -> None:
        """Each position where it is."""
        with self.builder.loop("k", 0, self.count) as loop:
            here = affine(loop.index)
            self._store(self.builder.positions(here, 1), row, half, here)

    def merge(self, row: Row, width: int, half: int) -> None:
        """Each two runs of this width in one half become one in the other."""
        builder = self.builder
        count, zero = builder.bound(self.count), self._number(0)
        with builder.loop("k", 0, self.count, 1, [zero, zero]) as loop:
            here = affine(loop.index)
            position = builder.positions(here, 1)
            start = builder.compute("bit_and", position, self._number(-2 * width))
            middle, end = (
                builder.compute("minimum", builder.compute("add", start, self._number(n)), count)
                for n in (width, 2 * width)
            )
            new = builder.compare("equal", position, start)
            left = builder.compute("select", new, start, loop.values[0])
            right = builder.compute("select", new, middle, loop.values[1])
            a, b = (self._load(row, half, each, count) for each in (left, right))
            some = builder.compare("less", right, end)
            none_left = builder.compare("less_equal", middle, left)
            first = builder.compute("logical_or", none_left, self._is_before(row, b, a))
            takes = builder.compute("logical_and", some, first)
            self._store(builder.compute("select", takes, b, a), row, 1 - half, here)
            step = builder.cast(takes, int64)
            more = builder.compute("subtract", self._number(1), step)
            loop.carry(builder.compute("add", left, more), builder.compute("add", right, step))

    def _is_before(self, row: Row, b: Register, a: Register) -> Register:
        """Must the element at position b come before the one at a?"""
        later, earlier = (
            self.frame.load(self.elements, Place(self.elements.shape, (*row, affine(each))))
            for each in (b, a)
        )
        if self.family.descending:
            later, earlier = earlier, later
        return is_less(self.builder, later, earlier)

    def _load(self, row: Row, half: int, at: Register, count: Register) -> Register:
        """A position; behind the last one, that."""
        last = self.builder.compute("subtract", count, self._number(1))
        there = self.builder.compute("minimum", at, last)
        return self.builder.load(self.halves.address(self._point(row, half, affine(there))))

    def _store(self, value: Register, row: Row, half: int, at: Affine) -> None:
        self.builder.store(value, self.halves.address(self._point(row, half, at)))

    def _point(self, row: Row, half: int, at: Affine) -> Point:
        return (*row, Affine(half), at)

    def _number(self, value: int) -> Register:
        return self.builder.constant(value, Kind(int64))


def _refuses_all(frame: Frame, table: Shape, listed: Shape) -> bool:
    """Every index is out of range where rows are empty."""
    if table[-1] != 0 or 0 in listed:
        return False
    within(frame, frame.builder.constant(0, Kind(int64)), 0)
    return True


def _over_rows(frame: Frame, shape: Shape, body: Callable[[Row], None], row: Row = ()) -> None:
    """The body at each row along the last axis; the threads may share the first axis."""
    axis, builder = len(row), frame.builder
    if 0 in shape:
        return
    if axis == len(shape) - 1:
        body(row)
        return
    bounds: tuple[Bound, Bound] = (0, bound_of(shape[axis]))
    if axis == 0 and shape[0] != 1 and frame.capacity.dim(product(shape)) >= WORTH_SHARING:
        bounds = builder.share(bounds[1])
    with builder.loop(f"i{axis}", *bounds) as loop:
        _over_rows(frame, shape, body, (*row, affine(loop.index)))
