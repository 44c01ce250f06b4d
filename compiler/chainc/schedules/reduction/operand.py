"""What reductions read: which axes are folded, and where those that stay are in the result."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise

from chainc.dataclass import dataclass
from chainc.ir.types import Dim, DType, Shape, Size, coefficient_of, int32, int64, multiply, product
from chainc.loops.values import Affine, Kind, Register, affine
from chainc.lowering.kernels import Kernel
from chainc.schedules.elementwise import Sweep
from chainc.schedules.frame import Frame, Place
from chainc.schedules.layout.access import Access, PanelPosition, Point, moved
from chainc.schedules.layout.far import comes_from_afar, starts_line

SHORT = 4  # vectors in a row up to which rows are transposed, not folded across
FEW_OPERATIONS = 4  # on each element that is folded
MOST_VALUES = 8  # vectors in use at once, of those that are side by side


@dataclass(frozen=True)
class Leg:
    """Axes that are folded by one loop: positions run along the last of them."""

    axis: int
    extent: Dim


@dataclass(frozen=True)
class Folded:
    """What is folded by one or several kernels, seen from the elements of the results.

    `accesses` are of all that is read, each over the whole shape; vectors lie as the first of them
    lies. `kept` names for each axis of the result that of what is folded, None for one of a single
    position that stands for a folded axis.
    """

    frame: Frame
    heads: Sequence[Kernel]
    accesses: Sequence[Access]
    dtype: DType  # in which elements are folded
    reduced: tuple[int, ...]
    kept: tuple[int | None, ...]
    shape: Shape  # of the result

    @property
    def access(self) -> Access:
        """Of what decides how vectors lie."""
        return self.accesses[0]

    @property
    def lanes(self) -> int:
        """Of a panel, or of one machine vector."""
        if self.access.panels is not None:
            return self.access.lanes
        machine = self.frame.machine
        scalars = [each.type.dtype for head in self.heads for each in head.scalars]
        dtypes = {self.dtype, *(dtype for dtype in scalars if not dtype.is_bool)}
        return min(
            min(machine.lanes(dtype), machine.vector_bytes // dtype.itemsize) for dtype in dtypes
        )

    def lanes_at_once(self, accumulators: int) -> int:
        """Of several vectors side by side, each with so many accumulators, where rows lie apart.

        A pass over rows that lie far apart would else take a part of a cache line from each.
        """
        kept = self.kept.index(self.vector_axis) if self.vector_axis in self.kept else None
        extent = None if kept is None else self.shape[kept]
        if not isinstance(extent, int) or any(x.panels is not None for x in self.by_result()):
            return self.lanes
        counts = [len(head.scalars) for head in self.heads]
        values, most = accumulators * (1 + sum(counts)), MOST_VALUES
        if 0 < sum(counts) <= FEW_OPERATIONS:  # of which two values are in use beside the sums
            values, most = accumulators + 2, most * max(self.frame.machine.registers, 16) // 16
        fitting = (n for n in (4, 2) if n * values <= most and extent % (n * self.lanes) == 0)
        return next(fitting, 1) * self.lanes

    @property
    def vector_axis(self) -> int | None:
        """The axis whose elements lie side by side."""
        if self.access.panels is not None:
            return self.access.panels
        sizes = self.frame.capacity.shape(self.access.shape)
        unit = [axis for axis, stride in enumerate(self.access.strides) if stride == 1]
        unit = [axis for axis in unit if sizes[axis] > 1]
        return max(unit, key=sizes.__getitem__, default=None)

    @property
    def weight(self) -> int:
        """Elements that are folded into one."""
        sizes = self.frame.capacity.shape(self.access.shape)
        return math.prod(sizes[axis] for axis in self.reduced)

    @property
    def results(self) -> int:
        """How many elements the result has."""
        return math.prod(self.frame.capacity.shape(self.shape))

    @property
    def folds_across(self) -> bool:
        """Lanes go along a reduced axis that is long, or there are few rows to transpose."""
        extents = {leg.axis: leg.extent for leg in self.legs()}
        axis = self.vector_axis
        if axis is None or axis not in extents:
            return False
        long = self.frame.capacity.dim(extents[axis]) > SHORT * self.lanes
        return long or self.results < self.lanes

    @property
    def reads_past_end(self) -> bool:
        """There are elements, of whatever value, behind the last one of a row."""
        return all(each.panels is not None or each.roomy(self.lanes) for each in self.accesses)

    def _in_result(self, old: Access) -> Access:
        """The first of the elements that are folded, for each element of the result."""
        strides = tuple(0 if axis is None else old.strides[axis] for axis in self.kept)
        moved = Access(old.parameter, self.shape, strides, old.offset)
        if old.panels not in self.kept or old.panels is None:
            return moved
        panels = self.kept.index(old.panels)
        return Access(
            old.parameter, self.shape, strides, old.offset, panels, old.lanes, old.panel_stride
        )

    def by_result(self) -> list[Access]:
        """Of all that is read or written for an element of the result."""
        return [*self.read_by_result(), *self.frame.accesses(self.shape)]

    def read_by_result(self) -> list[Access]:
        return [self._in_result(each) for each in reversed(self.accesses)]

    def start(self, place: Place) -> Point:
        """The first of the elements that are folded into the one at a place."""
        point: list[Affine | PanelPosition] = [Affine()] * len(self.access.shape)
        for position, axis in zip(place.point, self.kept, strict=True):
            if axis is not None:
                point[axis] = position
        return tuple(point)

    def lane_axis(self, place: Place) -> int | None:
        """The operand's axis along which the lanes of a place go."""
        return None if place.vector_axis is None else self.kept[place.vector_axis]

    def load(
        self, point: Point, lanes: int, axis: int | None, first: int = 0
    ) -> Sequence[Register]:
        """What each kernel folds at a point."""
        place = Place(self.access.shape, point)
        if axis is not None and lanes > 1:
            place = Place(self.access.shape, point, lanes, axis, first)
        found = []
        for head in self.heads:
            with self.frame.builder.writing(self.frame.part(head)):
                value = self.frame.folded(head, place)
                found.append(self.frame.builder.cast(value, self.dtype))
        return found

    def legs(self) -> list[Leg]:
        """The reduced axes of more than one element, outermost first, neighbours joined.

        Outside the others, the one whose elements are all the same is a loop over whole vectors.
        """
        axes = [axis for axis in self.reduced if self.access.shape[axis] != 1]
        legs = [Leg(axis, self.access.shape[axis]) for axis in axes[:1]]
        for outer, inner in pairwise(axes):
            extent = self.access.shape[inner]
            if self._side_by_side(outer, inner):
                legs[-1] = Leg(inner, multiply(legs[-1].extent, extent))
            else:
                legs.append(Leg(inner, extent))
        return sorted(legs, key=lambda leg: self._distance(leg) or math.inf, reverse=True)

    def _distance(self, leg: Leg) -> int:
        """Of elements that follow each other; of panels, if lanes stand for what is in them."""
        if self.access.splits(leg.axis):
            return self.access.panel_stride
        return abs(self.access.strides[leg.axis])

    def _side_by_side(self, outer: int, inner: int) -> bool:
        extent = self.access.shape[inner]
        if isinstance(extent, Size):
            return False
        return all(
            found.panels not in (outer, inner)
            and found.strides[outer] == found.strides[inner] * extent
            for found in self.accesses
        )

    def counter(self, leg: Leg) -> DType:
        """An integer type for positions along a leg."""
        return int32 if self.frame.capacity.dim(leg.extent) < 1 << 31 else int64

    def transposable(self, place: Place) -> Leg | None:
        """The leg along which vectors lie, if a square of them can be turned around."""
        row_axis = self.lane_axis(place)
        if row_axis is None or place.lanes != self.lanes or place.first:
            return None
        return self._turned_leg()

    def _turned_leg(self) -> Leg | None:
        for leg in self.legs():
            if leg.axis != self.vector_axis or isinstance(leg.extent, Size):
                continue
            whole = leg.extent % self.lanes == 0
            if whole or self.reads_past_end:
                return leg
        return None

    def transposed(self, point: Point, leg: Leg, row_axis: int) -> Sequence[Sequence[Register]]:
        """For each kernel: elements 0, 1, … along a leg, each for as many rows as lanes."""
        builder = self.frame.builder
        rows = []
        for there in self._rows(point, row_axis):
            self._ask(_shifted(there, row_axis, self.lanes), leg, row_axis)
            rows.append(self.load(there, self.lanes, leg.axis))
        squares = zip(*rows, strict=True)
        return [
            builder.transpose([builder.splat(each, self.lanes) for each in square])
            for square in squares
        ]

    def _ask(self, point: Point, leg: Leg, row_axis: int) -> None:
        """For a row of the next square."""
        plain = not self.repeats_last and isinstance(point[row_axis], Affine)
        for found in self._far if plain else ():
            address = found.address(point, leg.axis)
            if found.strides[row_axis] and starts_line(address, self.frame.machine):
                self.frame.builder.prefetch(address)

    @cached_property
    def _far(self) -> list[Access]:
        capacity, machine = self.frame.capacity, self.frame.machine
        return [found for found in self.accesses if comes_from_afar(found, machine, capacity)]

    @cached_property
    def in_squares(self) -> bool:
        """Are all rows read in squares? Fewer rows than lanes take as long, one by one."""
        panels = self.access.panels
        if panels is not None and panels in self.kept:
            return False
        return not self.folds_across and self._turned_leg() is not None

    @property
    def repeats_last(self) -> bool:
        """Has the last square the last row several times?"""
        return self.in_squares and coefficient_of(product(self.shape)) % self.lanes != 0

    def _rows(self, point: Point, axis: int) -> Iterator[Point]:
        """As many as lanes, from a point on."""
        builder, first = self.frame.builder, point[axis]
        if not self.repeats_last or isinstance(first, PanelPosition):
            yield from (_shifted(point, axis, row) for row in range(self.lanes))
            return
        count = builder.size(product(self.shape), int64)
        last = builder.compute("subtract", count, builder.constant(1, Kind(int64)))
        for row in range(self.lanes):
            there = builder.compute("minimum", builder.positions(first + row, 1), last)
            yield moved(point, axis, affine(there))


def folded(
    frame: Frame,
    heads: Sequence[Kernel],
    axes: Sequence[int],
    dtype: DType,
    shape: Shape,
    *,
    keepdims: bool = False,
) -> Folded:
    """What kernels of the frame fold along these axes of a shape, in an element type."""
    rank = len(shape)
    reduced = tuple(sorted(axes))
    if keepdims:
        kept: tuple[int | None, ...] = tuple(
            None if axis in reduced else axis for axis in range(rank)
        )
    else:
        kept = tuple(axis for axis in range(rank) if axis not in reduced)
    views = dict.fromkeys(view for head in heads for view in head.reads)
    accesses = [frame.access(view).broadcast(shape) for view in views]
    order = sorted(accesses, key=lambda found: _worth_following(found, shape), reverse=True)
    return Folded(frame, heads, order, dtype, reduced, kept, frame.root.out.type.shape)


def _worth_following(found: Access, shape: Shape) -> tuple[bool, bool, int]:
    """What lies in panels decides how vectors do, then what differs along most axes."""
    along = sum(stride != 0 for stride, dim in zip(found.strides, shape, strict=True) if dim != 1)
    return found.panels is not None, found.parameter.dtype.is_float, along


def swept(operand: Folded, lanes: int) -> Sweep:
    """The loops over the elements of the result."""
    frame, accesses, weight = operand.frame, operand.by_result(), max(operand.weight, 1)
    bounded = len(operand.accesses) if operand.in_squares and lanes == operand.lanes else 0
    return Sweep(frame, operand.shape, accesses, lanes, weight=weight, ragged=True, bounded=bounded)


def _shifted(point: Point, axis: int, by: int) -> Point:
    place = point[axis]
    if isinstance(place, PanelPosition):
        return moved(point, axis, PanelPosition(place.panel, place.lane + by, place.lanes))
    return moved(point, axis, place + by)
