"""What a reduction reads: which axes are folded, and where those that stay are in the result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from chainc.dataclass import dataclass
from chainc.ir.types import Dim, DType, Shape, Size, int32, int64, multiply
from chainc.loops.values import Affine, Register
from chainc.schedules.elementwise import Sweep
from chainc.schedules.frame import Frame, Place
from chainc.schedules.layout.access import Access, PanelPosition, Point, moved

SHORT = 4  # vectors in a row up to which rows are transposed, not folded across


@dataclass(frozen=True)
class Leg:
    """Axes that are folded by one loop: positions run along the last of them."""

    axis: int
    extent: Dim


@dataclass(frozen=True)
class ReducedOperand:
    """The operand of a reduction, seen from the elements of the result.

    `kept` names for each axis of the result that of the operand, None for one of a single
    position that stands for a folded axis.
    """

    frame: Frame
    access: Access
    dtype: DType  # in which elements are folded
    reduced: tuple[int, ...]
    kept: tuple[int | None, ...]
    shape: Shape

    @property
    def lanes(self) -> int:
        """Of a panel, or of one machine vector."""
        if self.access.panels is not None:
            return self.access.lanes
        machine = self.frame.machine
        return min(machine.lanes(self.dtype), machine.vector_bytes // self.dtype.itemsize)

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
        return self.access.panels is not None or self.access.parameter.padded

    def in_result(self) -> Access:
        """The first of the elements that are folded, for each element of the result."""
        old = self.access
        strides = tuple(0 if axis is None else old.strides[axis] for axis in self.kept)
        moved = Access(old.parameter, self.shape, strides, old.offset)
        if old.panels not in self.kept or old.panels is None:
            return moved
        panels = self.kept.index(old.panels)
        return Access(
            old.parameter, self.shape, strides, old.offset, panels, old.lanes, old.panel_stride
        )

    def accesses(self) -> list[Access]:
        """Of all that is read or written for an element of the result."""
        return [self.in_result(), *self.frame.accesses(self.shape)]

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

    def load(self, point: Point, lanes: int, axis: int | None) -> Register:
        vector = axis is not None and lanes > 1
        place = Place(self.access.shape, point, lanes if vector else 1, axis if vector else None)
        return self.frame.builder.cast(self.frame.load(self.access, place), self.dtype)

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
        if isinstance(extent, Size) or self.access.panels in (outer, inner):
            return False
        return self.access.strides[outer] == self.access.strides[inner] * extent

    def counter(self, leg: Leg) -> DType:
        """An integer type for positions along a leg."""
        return int32 if self.frame.capacity.dim(leg.extent) < 1 << 31 else int64

    def transposable(self, place: Place) -> Leg | None:
        """The leg along which vectors lie, if a square of them can be turned around."""
        row_axis = self.lane_axis(place)
        if row_axis is None or place.lanes != self.lanes:
            return None
        for leg in self.legs():
            if leg.axis != self.vector_axis or isinstance(leg.extent, Size):
                continue
            whole = leg.extent % self.lanes == 0
            if whole or self.reads_past_end:
                return leg
        return None

    def transposed(self, point: Point, leg: Leg, row_axis: int) -> Sequence[Register]:
        """Elements 0, 1, … along a leg, each for as many rows as there are lanes."""
        rows = []
        for row in range(self.lanes):
            rows.append(self.load(_shifted(point, row_axis, row), self.lanes, leg.axis))
        return self.frame.builder.transpose(rows)


def reduced_operand(
    frame: Frame, axes: Sequence[int], dtype: DType, *, keepdims: bool = False
) -> ReducedOperand:
    """Of the kernel that the frame is about, which folds these axes of its operand in a type."""
    root = frame.root
    (view,) = root.reads
    rank = view.type.ndim
    reduced = tuple(sorted(axes))
    if keepdims:
        kept: tuple[int | None, ...] = tuple(
            None if axis in reduced else axis for axis in range(rank)
        )
    else:
        kept = tuple(axis for axis in range(rank) if axis not in reduced)
    return ReducedOperand(frame, frame.access(view), dtype, reduced, kept, root.out.type.shape)


def swept(operand: ReducedOperand, lanes: int) -> Sweep:
    """The loops over the elements of the result."""
    frame, accesses = operand.frame, operand.accesses()
    return Sweep(frame, operand.shape, accesses, lanes, weight=max(operand.weight, 1))


def _shifted(point: Point, axis: int, by: int) -> Point:
    place = point[axis]
    if isinstance(place, PanelPosition):
        return moved(point, axis, PanelPosition(place.panel, place.lane + by, place.lanes))
    return moved(point, axis, place + by)
