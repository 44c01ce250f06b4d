"""The positions of extremes, with the lanes of a reduction: an element of the result a lane.

Of several, each is the largest of those that come after the one before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.ir.types import DType, int64
from chainc.loops.values import Affine, Kind, Register, affine
from chainc.ops.families.indexing import IndexOf
from chainc.ops.families.rows import Largest
from chainc.schedules.elementwise import Sweep
from chainc.schedules.frame import Frame, Place
from chainc.schedules.indexing.comparison import is_less
from chainc.schedules.layout.access import Access, bound_of, moved
from chainc.schedules.layout.positions import located
from chainc.schedules.reduction.operand import Folded, Leg, folded, swept
from chainc.schedules.reduction.schedule import identity


def schedule_index_of(family: IndexOf, frame: Frame) -> None:
    """The first position of an extreme, for each element of the result."""
    type = frame.root.reads[0].type
    operand = folded(frame, [frame.root], (family.axis,), type.dtype, type.shape)
    search = _Search(operand, family.primitive)
    swept(operand, operand.lanes).run(lambda place: frame.finish(search.found(place), place))


def schedule_largest(family: Largest, frame: Frame) -> None:
    """The positions of the largest elements of each row, one after another."""
    type, shape, builder = frame.root.reads[0].type, frame.root.out.type.shape, frame.builder
    rows, last = type.shape[:-1], len(type.shape) - 1
    operand = replace(folded(frame, [frame.root], (last,), type.dtype, type.shape), shape=rows)

    def find(place: Place) -> None:
        start = _Search(operand, "maximum").before_all(place)
        with builder.loop("rank", 0, family.count, 1, start) as loop:
            best, index = _Search(operand, "maximum", loop.values).extreme(place)
            point = (*place.point, affine(loop.index))
            frame.finish(builder.cast(index, int64), replace(place, shape=shape, point=point))
            loop.carry(best, index)

    target = frame.whole(frame.root.out)
    first = Access(target.parameter, rows, target.strides[:-1], target.offset)
    accesses, weight = [*operand.read_by_result(), first], family.count * operand.weight
    Sweep(frame, rows, accesses, operand.lanes, weight=weight, ragged=True).run(find)


@dataclass(frozen=True)
class _Search:
    """Looks for the extreme that belongs to a place, in order of position.

    `last` are an element and its position: only what comes after it counts, in descending order.
    """

    operand: Folded
    primitive: str
    last: Sequence[Register] = ()

    def found(self, place: Place) -> Register:
        """The first position of the extreme; a NaN is one, whichever is looked for."""
        _, index = self.extreme(place)
        return self.operand.frame.builder.cast(index, int64)

    def extreme(self, place: Place) -> Sequence[Register]:
        """With its position."""
        operand, builder = self.operand, self.operand.frame.builder
        worst = identity(self.primitive, operand.dtype)
        best = builder.constant(worst, Kind(operand.dtype, place.lanes))
        if not operand.legs():
            return best, builder.constant(0, Kind(self._counter, place.lanes))
        (leg,) = operand.legs()
        none = -1 if self.last else 0
        index = builder.constant(none, Kind(self._counter, place.lanes))
        look = self._look_at_blocks if operand.transposable(place) else self._look
        return look(leg, place, (best, index))

    def before_all(self, place: Place) -> Sequence[Register]:
        """What all elements come after."""
        builder, dtype = self.operand.frame.builder, self.operand.dtype
        largest = math.nan if dtype.is_float else identity("minimum", dtype)
        pairs = ((largest, dtype), (-1, self._counter))
        return [builder.constant(value, Kind(type, place.lanes)) for value, type in pairs]

    @property
    def _counter(self) -> DType:
        legs = self.operand.legs()
        return self.operand.counter(legs[0]) if legs else int64

    def _look(self, leg: Leg, place: Place, known: Sequence[Register]) -> Sequence[Register]:
        operand, builder = self.operand, self.operand.frame.builder
        axis, start = operand.lane_axis(place), operand.start(place)
        with builder.loop(f"k{leg.axis}", 0, bound_of(leg.extent), 1, known) as loop:
            position = affine(loop.index)
            there = located(builder, position, leg.axis, operand.accesses)
            (value,) = operand.load(moved(start, leg.axis, there), place.lanes, axis)
            loop.carry(*self._better(value, position, loop.values))
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
        there = located(operand.frame.builder, first, leg.axis, operand.accesses)
        point = moved(operand.start(place), leg.axis, there)
        (columns,) = operand.transposed(point, leg, axis)
        for position, value in enumerate(columns[:count]):
            known = self._better(value, first + position, known)
        return known

    def _better(
        self, value: Register, position: Affine, known: Sequence[Register]
    ) -> Sequence[Register]:
        """The better of a value and the best one before, and where it was."""
        builder, (best, index) = self.operand.frame.builder, known
        pair = (best, value) if self.primitive == "maximum" else (value, best)
        better = builder.compare("less", *pair)
        if value.kind.dtype.is_float:
            unordered = builder.compute("logical_not", builder.compare("equal", value, value))
            first = builder.compute("logical_and", unordered, builder.compare("equal", best, best))
            better = builder.compute("logical_or", better, first)
        here = builder.positions(position, 1, self._counter)
        if self.last:
            nothing = builder.compare("less", index, builder.constant(0, Kind(self._counter)))
            better = builder.compute("logical_or", better, nothing)
            better = builder.compute("logical_and", better, self._comes_later(value, here))
        return (
            builder.compute("select", better, value, best),
            builder.compute("select", better, here, index),
        )

    def _comes_later(self, value: Register, here: Register) -> Register:
        """In descending order, equal elements in theirs."""
        builder, (last, position) = self.operand.frame.builder, self.last
        smaller = is_less(builder, value, last)
        larger = is_less(builder, last, value)
        behind = builder.compare("less", position, here)
        not_larger = builder.compute("logical_not", larger)
        same = builder.compute("logical_and", not_larger, behind)
        return builder.compute("logical_or", smaller, same)
