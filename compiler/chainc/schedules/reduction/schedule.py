"""Reductions: sums, products and extremes.

Lanes stand for elements of the result where they can: along a kept axis whose elements lie side
by side, or, if those of the reduced axis do and it is short, after squares of rows have been
transposed. Otherwise lanes go along the reduced axis, and are folded across at the end. The
order depends on the extents only: two sums in turn along the innermost loop, then one of both. A
long sum is one of sums of blocks, whose rounding errors grow with the logarithm of the extent.

What is folded may be computed where it is read, and several reductions along the same axes are one
nest, with accumulators for each:

    Σ g, Σ g·x     for each row: a += g[row, lanes]; b += g[row, lanes] * x[row, lanes]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from chainc.dataclass import dataclass
from chainc.ir.types import DType
from chainc.loops.builder import OpenLoop
from chainc.loops.values import Affine, Bound, Index, Kind, Register, affine
from chainc.lowering.kernels import Reduction
from chainc.schedules.frame import Frame, Place
from chainc.schedules.layout.access import PanelPosition, Point, bound_of, moved
from chainc.schedules.layout.positions import located
from chainc.schedules.reduction.operand import Folded, Leg, folded, swept

ACCUMULATORS = 2  # of each sum, so that those of several reductions stay in registers
LONG = 2048  # elements that an accumulator may add one after the other
BLOCK = 128  # of a longer sum: so many are added before the result is added to others


def schedule_reduce(root: Reduction, frame: Frame) -> None:
    """Reductions that are done together, and the maps that go on with their results."""
    heads = [member for member in frame.kernel.single if isinstance(member, Reduction)]
    operand = folded(
        frame, heads, root.axes, root.accumulator, root.folded.shape, keepdims=root.keepdims
    )
    if operand.weight == 0:
        values = {head.out: _of_nothing(head, frame) for head in heads}
        swept(operand, 1).run(lambda place: frame.finish_all(values, place))
        return
    across = operand.folds_across
    fold = _Fold(operand, heads)

    def body(place: Place) -> None:
        found = fold.across(place) if across and place.lanes == 1 else fold.lane_by_lane(place)
        pairs = zip(heads, found, strict=True)
        values = {head.out: frame.builder.cast(x, head.out.type.dtype) for head, x in pairs}
        frame.finish_all(values, place)

    lanes = 1 if across else operand.lanes_at_once(ACCUMULATORS * len(heads))
    swept(operand, lanes).run(body)


def _of_nothing(head: Reduction, frame: Frame) -> Register:
    value = 0 if head.primitive == "add" else identity(head.primitive, head.accumulator)
    return frame.builder.constant(value, Kind(head.out.type.dtype))


def identity(primitive: str, dtype: DType) -> float | int | bool:
    """What changes no value, -0 + x = x included."""
    if primitive == "add":
        return -0.0 if dtype.is_float else 0
    if primitive == "multiply":
        return 1
    return dtype.highest if primitive == "minimum" else dtype.lowest


@dataclass(frozen=True)
class _Lanes:
    """What the lanes of the loads are: they go along `axis`, or there is one."""

    count: int
    axis: int | None
    folded: bool = False  # along a reduced axis, so that a leg takes steps of whole vectors
    mask: Register | None = None  # lanes that count; None: all
    first: int = 0  # lanes that are elements of the result; 0: all


@dataclass(frozen=True)
class _Fold:
    """Folds the elements that belong to a place, for each head.

    Accumulators of all heads follow each other, those of the first turn first.
    """

    operand: Folded
    heads: Sequence[Reduction]

    def lane_by_lane(self, place: Place) -> Sequence[Register]:
        """An element of the result a lane."""
        lanes = _Lanes(place.lanes, self.operand.lane_axis(place), first=place.first)
        block = self.operand.transposable(place)
        legs = [leg for leg in self.operand.legs() if leg != block]
        if block:
            legs.append(block)
        start = self._identities(place.lanes) * ACCUMULATORS
        values = self.through(legs, self.operand.start(place), start, lanes, block)
        return self._trees(values)

    def across(self, place: Place) -> Sequence[Register]:
        """Elements that are folded a lane; where they must not be read past, one by one."""
        operand, builder = self.operand, self.operand.frame.builder
        lanes = _Lanes(operand.lanes, operand.vector_axis, folded=True)
        start = self._identities(operand.lanes) * ACCUMULATORS
        if not operand.reads_past_end:
            start.extend(self._identities(1))
        values = self.through(operand.legs(), operand.start(place), start, lanes, None)
        vectors = ACCUMULATORS * len(self.heads)
        trees = zip(self.heads, self._trees(values[:vectors]), strict=True)
        single = [builder.across(head.primitive, value) for head, value in trees]
        return self._trees([*single, *values[vectors:]])

    def is_long(self, lanes: _Lanes) -> bool:
        """Added one after the other, the elements would lose digits."""
        operand, width = self.operand, lanes.count if lanes.folded else 1
        adds = any(head.primitive == "add" for head in self.heads) and operand.dtype.is_float
        return adds and operand.weight > LONG * ACCUMULATORS * width

    def apart(
        self, values: Sequence[Register], inside: Callable[[Sequence[Register]], Sequence[Register]]
    ) -> Sequence[Register]:
        """The accumulators after elements that are folded by themselves first.

        Only the first of each sum is in use here, so that there are registers for those inside.
        """
        fresh = [self._identity(i, value.kind.lanes) for i, value in enumerate(values)]
        more = inside(fresh)
        vectors = len(self.heads) * ACCUMULATORS
        result = [*values]
        for start, stop in ((0, vectors), (vectors, len(values))):
            if start < stop:
                result[start:] = self.with_next(result[start:], self._trees(more[start:stop]))
        return result

    def _identity(self, number: int, lanes: int) -> Register:
        """The first value of an accumulator."""
        head, dtype = self._head(number), self.operand.dtype
        return self.operand.frame.builder.constant(
            identity(head.primitive, dtype), Kind(dtype, lanes)
        )

    def _identities(self, lanes: int) -> list[Register]:
        return [self._identity(number, lanes) for number in range(len(self.heads))]

    def _head(self, number: int) -> Reduction:
        """That an accumulator belongs to."""
        return self.heads[number % len(self.heads)]

    def _combined(self, number: int, a: Register, b: Register) -> Register:
        head, frame = self._head(number), self.operand.frame
        with frame.builder.writing(frame.part(head)):
            return frame.builder.compute(head.primitive, a, b)

    def _trees(self, values: Sequence[Register]) -> Sequence[Register]:
        """One value for each head."""
        count = len(self.heads)
        return [self._tree(number, values[number::count]) for number in range(count)]

    def _tree(self, number: int, values: Sequence[Register]) -> Register:
        while len(values) > 1:
            pairs = (values[i : i + 2] for i in range(0, len(values), 2))
            values = [self._combined(number, *pair) for pair in pairs]
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
            return self.with_next(values, self._load(point, lanes))
        if legs[0] == block:
            return self._blocks(block, point, values, lanes)
        turns = len(values) // len(self.heads)
        at_once = 1 if len(legs) > 1 else min(ACCUMULATORS, turns)
        return _Along(self, legs, point, lanes, block, at_once).run(values)

    def with_next(
        self, values: Sequence[Register], elements: Sequence[Register]
    ) -> Sequence[Register]:
        """The accumulators after an element for each head, added to those of the first turn."""
        count = len(self.heads)
        pairs = enumerate(zip(values[:count], elements, strict=True))
        return [*(self._combined(i, *pair) for i, pair in pairs), *values[count:]]

    def _load(self, point: Point, lanes: _Lanes) -> Sequence[Register]:
        values = self.operand.load(point, lanes.count, lanes.axis, lanes.first)
        if lanes.mask is None:
            return values
        identities = zip(values, self._identities(lanes.count), strict=True)
        return [self.operand.frame.builder.compute("select", lanes.mask, *x) for x in identities]

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
            loop.carry(*self._in_turn(loop.values, list(zip(*columns, strict=True))))
        if rest == 0:
            return loop.results
        there = self._block_start(point, leg, Affine(whole))
        columns = operand.transposed(there, leg, lanes.axis)
        return self._in_turn(loop.results, list(zip(*columns, strict=True))[:rest])

    def _block_start(self, point: Point, leg: Leg, position: Affine) -> Point:
        operand = self.operand
        place = located(operand.frame.builder, position, leg.axis, operand.accesses)
        return moved(point, leg.axis, place)

    def _in_turn(
        self, values: Sequence[Register], elements: Sequence[Sequence[Register]]
    ) -> Sequence[Register]:
        result, count = list(values), len(self.heads)
        for position, each in enumerate(elements):
            turn = position % ACCUMULATORS * count
            result[turn:] = self.with_next(result[turn:], each)
        return result


@dataclass(frozen=True)
class _Along:
    """The loop over the first of some legs, and the loops inside it."""

    fold: _Fold
    legs: Sequence[Leg]
    point: Point
    lanes: _Lanes
    block: Leg | None
    at_once: int  # loads of a pass, each with an accumulator of its own

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
        end: Index | int = 0
        sizes = self._block_sizes()
        for level in range(len(sizes)):
            values, end = self._in_blocks(end, self.stop(), sizes[level:], Affine(), values)
        for count in sorted({self.at_once, 1}, reverse=True):
            if count < self.at_once and self._divides(self.at_once):
                continue
            values, end = self._loop(end, self.stop(), count, Affine(), values)
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

    def _block_sizes(self) -> Sequence[int]:
        """Of the loop's index, the largest first: each is of BLOCK of the next."""
        if not self.fold.is_long(self.lanes):
            return ()
        extent = self.fold.operand.frame.capacity.dim(self.leg.extent)
        width = self.lanes.count if self.panels else 1
        sizes = [self.step * self.at_once * BLOCK]
        while sizes[0] * BLOCK * width < extent:
            sizes.insert(0, sizes[0] * BLOCK)
        return [size for size in sizes if size * width < extent]

    def _in_blocks(
        self,
        start: Index | int,
        stop: Bound,
        sizes: Sequence[int],
        place: Affine,
        values: Sequence[Register],
    ) -> tuple[Sequence[Register], Index]:
        """Blocks of the first of the sizes, as often as they fit, each folded by itself."""
        size, smaller = sizes[0], sizes[1:]
        with self._opened(start, stop, size, values) as loop:
            here = place + affine(loop.index)

            def block(fresh: Sequence[Register]) -> Sequence[Register]:
                if smaller:
                    return self._in_blocks(0, size, smaller, here, fresh)[0]
                return self._loop(0, size, self.at_once, here, fresh)[0]

            loop.carry(*self.fold.apart(loop.values, block))
        return loop.results, loop.index

    def _loop(
        self,
        start: Index | int,
        stop: Bound,
        count: int,
        place: Affine,
        values: Sequence[Register],
    ) -> tuple[Sequence[Register], Index]:
        """`count` loads a pass, each with an accumulator of its own."""
        with self._opened(start, stop, self.step * count, values) as loop:
            current = list(loop.values)
            for turn in range(count):
                point = self._moved(place + affine(loop.index) + turn * self.step)
                first = turn * len(self.fold.heads)
                current[first:] = self._inside(point, current[first:], self.lanes)
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
        """The last elements, where nothing may be read past the end; one of several is in none."""
        count = len(self.fold.heads)
        vectors, rest = values[:-count], values[-count:]
        extent = self.leg.extent
        if self.panels:
            assert isinstance(extent, int)
            start = extent - extent % self.lanes.count
        with self._opened(start, bound_of(extent, 1), 1, rest) as loop:
            point = self._moved_to_element(affine(loop.index))
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
        def inside(values: Sequence[Register]) -> Sequence[Register]:
            return self.fold.through(self.legs[1:], point, values, lanes, self.block)

        further = len(self.legs) > 1 and self.fold.is_long(lanes)
        return self.fold.apart(values, inside) if further else inside(values)

    def _moved(self, index: Affine) -> Point:
        if self.panels:
            place = PanelPosition(index, Affine(), self.lanes.count)
            return moved(self.point, self.leg.axis, place)
        return self._moved_to_element(index)

    def _moved_to_element(self, index: Affine) -> Point:
        operand = self.fold.operand
        place = located(operand.frame.builder, index, self.leg.axis, operand.accesses)
        return moved(self.point, self.leg.axis, place)

    def _extent(self) -> Register:
        return self.fold.operand.frame.builder.size(self.leg.extent, self._counter)

    @property
    def _counter(self) -> DType:
        return self.fold.operand.counter(self.leg)
