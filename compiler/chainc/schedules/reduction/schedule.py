"""Reductions, and the positions of extremes.

Lanes stand for elements of the result where they can: along a kept axis whose elements lie side
by side, or, if those of the reduced axis do and it is short, after squares of rows have been
transposed. Otherwise lanes go along the reduced axis, and are folded across at the end. The
order depends on the extents only: four sums in turn along the innermost loop, then a tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from chainc.ir.types import DType, int64
from chainc.loops.builder import OpenLoop
from chainc.loops.values import Affine, Bound, Index, Kind, Register, affine
from chainc.lowering.kernels import Reduction
from chainc.ops.families.indexing import IndexOf
from chainc.schedules.elementwise import Sweep
from chainc.schedules.frame import Frame, Place
from chainc.schedules.layout.access import PanelPosition, Point, bound_of, moved
from chainc.schedules.layout.positions import located
from chainc.schedules.reduction.operand import Leg, ReducedOperand, reduced_operand

ACCUMULATORS = 4  # so many partial results hide the latency of one operation


def schedule_reduce(root: Reduction, frame: Frame) -> None:
    """A reduction and the maps that go on with its results."""
    operand = reduced_operand(frame, root.axes, root.accumulator, keepdims=root.keepdims)
    if operand.weight == 0:
        empty = 0 if root.primitive == "add" else identity(root.primitive, operand.dtype)
        value = frame.builder.constant(empty, Kind(root.out.type.dtype))
        _sweep(operand, 1).run(lambda place: frame.finish(value, place))
        return
    across = operand.folds_across
    fold = _Fold(operand, root.primitive)

    def body(place: Place) -> None:
        value = fold.across(place) if across and place.lanes == 1 else fold.lane_by_lane(place)
        frame.finish(frame.builder.cast(value, root.out.type.dtype), place)

    _sweep(operand, 1 if across else operand.lanes).run(body)


def schedule_index_of(family: IndexOf, frame: Frame) -> None:
    """The first position of an extreme, for each element of the result."""
    dtype = frame.root.reads[0].type.dtype
    operand = reduced_operand(frame, (family.axis,), dtype)
    search = _Search(operand, family.primitive)
    _sweep(operand, operand.lanes).run(lambda place: frame.finish(search.found(place), place))


def identity(primitive: str, dtype: DType) -> float | int | bool:
    """What changes no value, -0 + x = x included."""
    if primitive == "add":
        return -0.0 if dtype.is_float else 0
    if primitive == "multiply":
        return 1
    return dtype.highest if primitive == "minimum" else dtype.lowest


def _sweep(operand: ReducedOperand, lanes: int) -> Sweep:
    frame, accesses = operand.frame, operand.accesses()
    return Sweep(frame, operand.shape, accesses, lanes, weight=max(operand.weight, 1))


@dataclass(frozen=True)
class _Lanes:
    """What the lanes of the loads are: they go along `axis`, or there is one."""

    count: int
    axis: int | None
    folded: bool = False  # along a reduced axis, so that a leg takes steps of whole vectors
    mask: Register | None = None  # lanes that count; None: all


@dataclass(frozen=True)
class _Fold:
    """Folds the elements that belong to a place."""

    operand: ReducedOperand
    primitive: str

    def lane_by_lane(self, place: Place) -> Register:
        """An element of the result a lane."""
        lanes = _Lanes(place.lanes, self.operand.lane_axis(place))
        block = self.operand.transposable(place)
        legs = [leg for leg in self.operand.legs() if leg != block]
        if block:
            legs.append(block)
        start = [self._identity(place.lanes)] * ACCUMULATORS
        return self._tree(self.through(legs, self.operand.start(place), start, lanes, block))

    def across(self, place: Place) -> Register:
        """Elements that are folded a lane; where they must not be read past, one by one."""
        operand = self.operand
        lanes = _Lanes(operand.lanes, operand.vector_axis, folded=True)
        start = [self._identity(operand.lanes)] * ACCUMULATORS
        if not operand.reads_past_end:
            start.append(self._identity(1))
        folded = self.through(operand.legs(), operand.start(place), start, lanes, None)
        value = operand.frame.builder.across(self.primitive, self._tree(folded[:ACCUMULATORS]))
        return self._tree([value, *folded[ACCUMULATORS:]])

    def _identity(self, lanes: int) -> Register:
        dtype = self.operand.dtype
        return self.operand.frame.builder.constant(
            identity(self.primitive, dtype), Kind(dtype, lanes)
        )

    def _combined(self, a: Register, b: Register) -> Register:
        return self.operand.frame.builder.compute(self.primitive, a, b)

    def _tree(self, values: Sequence[Register]) -> Register:
        while len(values) > 1:
            values = [self._combined(*values[i : i + 2]) for i in range(0, len(values), 2)]
        return values[0]

    def through(
        self,
        legs: Sequence[Leg],
        point: Point,
        values: Sequence[Register],
        lanes: _Lanes,
        block: Leg | None,
    ) -> Sequence[Register]:
        """The accumulators after all elements along some legs."""
        if not legs:
            return [self._combined(values[0], self._load(point, lanes)), *values[1:]]
        if legs[0] == block:
            return self._blocks(block, point, values, lanes)
        return _Along(self, legs, point, lanes, block).run(values)

    def _load(self, point: Point, lanes: _Lanes) -> Register:
        value = self.operand.load(point, lanes.count, lanes.axis)
        if lanes.mask is None:
            return value
        return self.operand.frame.builder.compute(
            "select", lanes.mask, value, self._identity(lanes.count)
        )

    def _blocks(
        self, leg: Leg, point: Point, values: Sequence[Register], lanes: _Lanes
    ) -> Sequence[Register]:
        """Squares of as many rows as elements of a row, transposed."""
        operand = self.operand
        assert isinstance(leg.extent, int)
        assert lanes.axis is not None
        width, rest = operand.lanes, leg.extent % operand.lanes
        whole = leg.extent - rest
        with operand.frame.builder.loop("block", 0, whole, width, values) as loop:
            there = self._block_start(point, leg, affine(loop.index))
            columns = operand.transposed(there, leg, lanes.axis)
            loop.carry(*self._in_turn(loop.values, columns))
        if rest == 0:
            return loop.results
        there = self._block_start(point, leg, Affine(whole))
        columns = operand.transposed(there, leg, lanes.axis)
        return self._in_turn(loop.results, columns[:rest])

    def _block_start(self, point: Point, leg: Leg, position: Affine) -> Point:
        operand = self.operand
        place = located(operand.frame.builder, position, leg.axis, [operand.access])
        return moved(point, leg.axis, place)

    def _in_turn(
        self, values: Sequence[Register], elements: Sequence[Register]
    ) -> Sequence[Register]:
        result = list(values)
        for position, each in enumerate(elements):
            turn = position % ACCUMULATORS
            result[turn] = self._combined(result[turn], each)
        return result


@dataclass(frozen=True)
class _Along:
    """The loop over the first of some legs, and the loops inside it."""

    fold: _Fold
    legs: Sequence[Leg]
    point: Point
    lanes: _Lanes
    block: Leg | None

    @property
    def leg(self) -> Leg:
        return self.legs[0]

    @property
    def vectors(self) -> bool:
        """Lanes go along this leg."""
        return self.lanes.folded and self.leg.axis == self.lanes.axis

    @property
    def panels(self) -> bool:
        """The loop counts panels, not elements."""
        return self.vectors and self.fold.operand.access.panels is not None

    @property
    def step(self) -> int:
        """Of the loop's index, from one load to the next."""
        return self.lanes.count if self.vectors and not self.panels else 1

    def stop(self, *, ragged: bool = False) -> Bound:
        """Of the loop's index: past the last whole vector, or past the last one."""
        extent, lanes = self.leg.extent, self.lanes.count
        if not self.panels:
            return bound_of(extent, lanes if ragged else 1)
        assert isinstance(extent, int)
        return -(-extent // lanes) if ragged else extent // lanes

    def run(self, values: Sequence[Register]) -> Sequence[Register]:
        at_once = 1 if len(self.legs) > 1 else ACCUMULATORS
        end: Index | int = 0
        for count in sorted({at_once, 1}, reverse=True):
            if count < at_once and self._divides(at_once):
                continue
            values, end = self._loop(end, count, values)
        if not self.vectors or self._divides(1):
            return values
        if self.fold.operand.reads_past_end:
            return self._masked(end, values)
        return self._one_by_one(end, values)

    def _divides(self, count: int) -> bool:
        """Loops over `count` whole vectors, or elements, leave nothing over."""
        extent = self.leg.extent
        width = self.lanes.count if self.vectors else 1
        return isinstance(extent, int) and extent % (width * count) == 0

    def _loop(
        self, start: Index | int, count: int, values: Sequence[Register]
    ) -> tuple[Sequence[Register], Index]:
        """`count` loads a pass, each with an accumulator of its own."""
        with self._opened(start, self.stop(), self.step * count, values) as loop:
            current = list(loop.values)
            for turn in range(count):
                point = self._moved(affine(loop.index) + turn * self.step)
                inside = self._inside(point, current[turn:], self.lanes)
                current[turn:] = inside
            loop.carry(*current)
        return loop.results, loop.index

    def _masked(self, start: Index | int, values: Sequence[Register]) -> Sequence[Register]:
        """The last vector, without the lanes past the end."""
        with self._opened(start, self.stop(ragged=True), self.step, values) as loop:
            builder, lanes = self.fold.operand.frame.builder, self.lanes.count
            position = affine(loop.index) * (lanes if self.panels else 1)
            inside = builder.compare(
                "less", builder.positions(position, lanes, self._counter), self._extent()
            )
            masked = _Lanes(lanes, self.lanes.axis, True, inside)
            loop.carry(*self._inside(self._moved(affine(loop.index)), loop.values, masked))
        return loop.results

    def _one_by_one(self, start: Index | int, values: Sequence[Register]) -> Sequence[Register]:
        """The last elements, where nothing may be read past the end."""
        vectors, rest = values[:-1], values[-1]
        with self._opened(start, self.stop(), 1, [rest]) as loop:
            point = self._moved(affine(loop.index))
            loop.carry(*self._inside(point, loop.values, _Lanes(1, None)))
        return [*vectors, *loop.results]

    def _opened(
        self, start: Bound, stop: Bound, step: int, values: Sequence[Register]
    ) -> AbstractContextManager[OpenLoop]:
        builder = self.fold.operand.frame.builder
        return builder.loop(f"k{self.leg.axis}", start, stop, step, values)

    def _inside(
        self, point: Point, values: Sequence[Register], lanes: _Lanes
    ) -> Sequence[Register]:
        return self.fold.through(self.legs[1:], point, values, lanes, self.block)

    def _moved(self, index: Affine) -> Point:
        operand = self.fold.operand
        if self.panels:
            return moved(
                self.point, self.leg.axis, PanelPosition(index, Affine(), self.lanes.count)
            )
        builder = operand.frame.builder
        return moved(
            self.point, self.leg.axis, located(builder, index, self.leg.axis, [operand.access])
        )

    def _extent(self) -> Register:
        return self.fold.operand.frame.builder.size(self.leg.extent, self._counter)

    @property
    def _counter(self) -> DType:
        return self.fold.operand.counter(self.leg)


@dataclass(frozen=True)
class _Search:
    """Looks for the extreme that belongs to a place, in order of position."""

    operand: ReducedOperand
    primitive: str

    def found(self, place: Place) -> Register:
        """The first position of the extreme; a NaN is one, whichever is looked for."""
        operand, builder = self.operand, self.operand.frame.builder
        if not operand.legs():
            return builder.constant(0, Kind(int64))
        (leg,) = operand.legs()
        worst = identity(self.primitive, operand.dtype)
        best = builder.constant(worst, Kind(operand.dtype, place.lanes))
        index = builder.constant(0, Kind(operand.counter(leg), place.lanes))
        block = operand.transposable(place)
        look = self._look_at_blocks if block else self._look
        _, index = look(leg, place, (best, index))
        return builder.cast(index, int64)

    def _look(self, leg: Leg, place: Place, known: Sequence[Register]) -> Sequence[Register]:
        operand, builder = self.operand, self.operand.frame.builder
        axis, start = operand.lane_axis(place), operand.start(place)
        with builder.loop(f"k{leg.axis}", 0, bound_of(leg.extent), 1, known) as loop:
            position = affine(loop.index)
            there = located(builder, position, leg.axis, [operand.access])
            value = operand.load(moved(start, leg.axis, there), place.lanes, axis)
            loop.carry(*self._better(leg, value, position, loop.values))
        return loop.results

    def _look_at_blocks(
        self, leg: Leg, place: Place, known: Sequence[Register]
    ) -> Sequence[Register]:
        extent, lanes = leg.extent, self.operand.lanes
        assert isinstance(extent, int)
        rest = extent % lanes
        with self.operand.frame.builder.loop("block", 0, extent - rest, lanes, known) as loop:
            loop.carry(*self._in_block(leg, place, affine(loop.index), lanes, loop.values))
        return self._in_block(leg, place, Affine(extent - rest), rest, loop.results)

    def _in_block(
        self, leg: Leg, place: Place, first: Affine, count: int, known: Sequence[Register]
    ) -> Sequence[Register]:
        if count == 0:
            return known
        operand = self.operand
        axis = operand.lane_axis(place)
        assert axis is not None
        there = located(operand.frame.builder, first, leg.axis, [operand.access])
        point = moved(operand.start(place), leg.axis, there)
        columns = operand.transposed(point, leg, axis)
        for position, value in enumerate(columns[:count]):
            known = self._better(leg, value, first + position, known)
        return known

    def _better(
        self, leg: Leg, value: Register, position: Affine, known: Sequence[Register]
    ) -> Sequence[Register]:
        """The better of a value and the best one before, and where it was."""
        builder, (best, index) = self.operand.frame.builder, known
        pair = (best, value) if self.primitive == "maximum" else (value, best)
        better = builder.compare("less", *pair)
        if value.kind.dtype.is_float:
            unordered = builder.compute("logical_not", builder.compare("equal", value, value))
            first = builder.compute("logical_and", unordered, builder.compare("equal", best, best))
            better = builder.compute("logical_or", better, first)
        here = builder.positions(position, 1, self.operand.counter(leg))
        return (
            builder.compute("select", better, value, best),
            builder.compute("select", better, here, index),
        )
