"""The positions of extremes, with the lanes of a reduction: an element of the result a lane."""

from __future__ import annotations

from collections.abc import Sequence

from chainc.dataclass import dataclass
from chainc.ir.types import int64
from chainc.loops.values import Affine, Kind, Register, affine
from chainc.ops.families.indexing import IndexOf
from chainc.schedules.frame import Frame, Place
from chainc.schedules.layout.access import bound_of, moved
from chainc.schedules.layout.positions import located
from chainc.schedules.reduction.operand import Folded, Leg, folded, swept
from chainc.schedules.reduction.schedule import identity


def schedule_index_of(family: IndexOf, frame: Frame) -> None:
    """The first position of an extreme, for each element of the result."""
    type = frame.root.reads[0].type
    operand = folded(frame, [frame.root], (family.axis,), type.dtype, type.shape)
    search = _Search(operand, family.primitive)
    swept(operand, operand.lanes).run(lambda place: frame.finish(search.found(place), place))


@dataclass(frozen=True)
class _Search:
    """Looks for the extreme that belongs to a place, in order of position."""

    operand: Folded
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
            there = located(builder, position, leg.axis, operand.accesses)
            (value,) = operand.load(moved(start, leg.axis, there), place.lanes, axis)
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
        there = located(operand.frame.builder, first, leg.axis, operand.accesses)
        point = moved(operand.start(place), leg.axis, there)
        (columns,) = operand.transposed(point, leg, axis)
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
