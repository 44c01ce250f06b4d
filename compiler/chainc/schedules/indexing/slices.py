"""Indexing by tensors: whole slices are copied or added, one index after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.ir.types import Dim, Shape, bool_, int32, int64, product
from chainc.loops.values import Affine, Bound, Kind, Register, affine
from chainc.ops.families.indexing import Gather, Iota, OneHot, Pick, ScatterAdd
from chainc.schedules.elementwise import WORTH_SHARING, Sweep
from chainc.schedules.frame import Frame, Place
from chainc.schedules.layout.access import Access, Point, bound_of
from chainc.schedules.layout.positions import element, located

CACHE_LINE = 64  # bytes
TOGETHER = 4  # slices from far away, copied side by side while as many are fetched

Body = Callable[[Place, Place], None]  # of an element in its slice, and in the table


def goes_row_by_row(subject: object) -> bool:
    """Is a row of a family's result made of the same row of its operands, by loops over rows?"""
    return isinstance(subject, OneHot | Pick)


def schedule_gather(family: Gather, frame: Frame) -> None:
    """Slices of a table, and the maps that go on with their elements."""
    root = frame.root
    source, indices = root.reads
    shape = root.out.type.shape
    table, listed = frame.access(source), frame.access(indices)
    inside = [_inner(table, family.axis + 1)]
    others = frame.accesses(shape)
    first = family.axis + len(listed.shape)
    inside += [_inner(found, first) for found in others]
    slices = _Slices(
        frame,
        shape,
        table,
        listed,
        family.axis,
        root.checks_indices,
        others,
        inside,
        announced=_is_large(table, listed, family.axis),
    )
    slices.run(lambda place, there: frame.finish(frame.load(table, there), place), first)


def _is_large(table: Access, listed: Access, axis: int) -> bool:
    """Rows of the caller's data of several cache lines: they come from far away."""
    by_rows = axis == 0 and len(listed.shape) == 1 and not table.parameter.padded
    row = table.strides[0] * table.parameter.dtype.itemsize
    return by_rows and listed.parameter.padded and row >= 4 * CACHE_LINE


def schedule_scatter_add(family: ScatterAdd, frame: Frame) -> None:
    """Slices added to those of the result in order of position, since sums depend on it."""
    root = frame.root
    indices, updates = root.reads
    table, listed, added = frame.whole(root.out), frame.access(indices), frame.access(updates)
    first = family.axis + len(listed.shape)
    inside = [_inner(added, first), _inner(table, family.axis + 1)]
    shape = updates.type.shape
    slices = _Slices(frame, shape, table, listed, family.axis, root.checks_indices, [added], inside)

    def add(place: Place, there: Place) -> None:
        old, more = frame.load(table, there), frame.load(added, place)
        total = frame.builder.compute("add", old, more)
        address = table.address(there.point, there.vector_axis)
        frame.builder.store(frame.builder.splat(total, there.lanes), address)

    slices.run(add, family.axis)


def schedule_one_hot(_family: OneHot, frame: Frame) -> None:
    """1 where the position along the last axis is the index, else 0."""
    root = frame.root
    shape = root.out.type.shape
    listed = frame.access(root.reads[0])
    if root.checks_indices:
        _check_all(frame, listed, shape[-1])
    spread = replace(listed, shape=(*listed.shape, 1), strides=(*listed.strides, 0))
    spread = spread.broadcast(shape)
    counter = int32 if frame.capacity.dim(shape[-1]) < 1 << 31 else int64
    builder, last = frame.builder, len(shape) - 1

    def body(place: Place) -> None:
        index = builder.cast(frame.load(spread, place), counter)
        lanes = place.lanes if place.vector_axis == last else 1
        here = builder.positions(element(place.point[last]), lanes, counter)
        found = builder.compare("equal", index, here)
        frame.finish(builder.cast(found, root.out.type.dtype), place)

    accesses = [spread, *frame.accesses(shape)]
    lanes = frame.machine.lanes(root.out.type.dtype)
    Sweep(frame, shape, accesses, lanes, ragged=True).run(body)


def schedule_pick(_family: Pick, frame: Frame) -> None:
    """One element of each row, and the maps that go on with it."""
    root = frame.root
    rows, listed = (frame.access(view) for view in root.reads)
    last = len(rows.shape) - 1

    def body(place: Place) -> None:
        index = index_at(frame, listed, place, rows.shape[last])
        there = located(frame.builder, affine(index), last, [rows])
        frame.finish(frame.load(rows, Place(rows.shape, (*place.point, there))), place)

    shape = root.out.type.shape
    Sweep(frame, shape, [_first(rows, last), listed, *frame.accesses(shape)], 1).run(body)


def schedule_arange(_family: Iota, frame: Frame) -> None:
    """0, 1, … along the only axis."""
    root = frame.root
    type = root.out.type

    def body(place: Place) -> None:
        position = frame.builder.positions(element(place.point[0]), place.lanes)
        frame.finish(frame.builder.cast(position, type.dtype), place)

    sweep = Sweep(frame, type.shape, frame.accesses(type.shape), frame.machine.lanes(type.dtype))
    sweep.run(body)


def _check_all(frame: Frame, listed: Access, bound: Dim) -> None:
    """Refuse indices out of range."""

    def body(place: Place) -> None:
        index = frame.builder.cast(frame.load(listed, place), int64)
        frame.builder.fail(_outside(frame, index, bound))

    lanes = frame.machine.lanes(int64)
    Sweep(frame, listed.shape, [listed], lanes, exact=True).run(body)


def index_at(frame: Frame, listed: Access, place: Place, bound: Dim) -> Register:
    """An index of the kernel, checked if no one else does that."""
    index = frame.builder.cast(frame.load(listed, place), int64)
    return within(frame, index, bound) if frame.root.checks_indices else index


def within(frame: Frame, index: Register, bound: Dim) -> Register:
    """An index out of range is reported; what is read then is the first element, or the last."""
    builder = frame.builder
    builder.fail(_outside(frame, index, bound))
    last = builder.compute("subtract", builder.size(bound, int64), builder.constant(1, Kind(int64)))
    clipped = builder.compute("minimum", index, last)
    return builder.compute("maximum", clipped, builder.constant(0, Kind(int64)))


def _outside(frame: Frame, index: Register, bound: Dim) -> Register:
    builder = frame.builder
    low = builder.compare("less", index, builder.constant(0, Kind(int64)))
    high = builder.compare("less_equal", frame.builder.size(bound, int64), index)
    return builder.compute("logical_or", low, high)


def _inner(found: Access, first: int) -> Access:
    """What the axes from `first` on say of where elements lie."""
    panels = None if found.panels is None or found.panels < first else found.panels - first
    return replace(found, shape=found.shape[first:], strides=found.strides[first:], panels=panels)


def _first(found: Access, count: int) -> Access:
    """What the first axes say."""
    panels = found.panels if found.panels is not None and found.panels < count else None
    return replace(found, shape=found.shape[:count], strides=found.strides[:count], panels=panels)


@dataclass(frozen=True)
class _Slices:
    """Loops over indices, and over the elements of the slice that each of them names.

    The axes of `shape` are those of the table, with the indices' axes in the place of `axis`.
    """

    frame: Frame
    shape: Shape
    table: Access
    listed: Access
    axis: int
    checked: bool
    others: Sequence[Access]  # what is read or written beside the table, in `shape`
    inside: Sequence[Access]  # all that is read or written, within a slice
    announced: bool = False  # rows of a large table: fetch them ahead

    @property
    def first(self) -> int:
        """The first axis that lies within a slice."""
        return self.axis + len(self.listed.shape)

    def run(self, body: Body, shareable: int) -> None:
        """The body for all elements; the loops over the first axes may be shared."""
        if 0 in self.shape:
            return
        if self.table.shape[self.axis] == 0:
            self.frame.builder.fail(self.frame.builder.constant(True, Kind(bool_)))
            return
        self._outer((), body, shareable)

    def _outer(self, point: Point, body: Body, shareable: int) -> None:
        """Loops over the axes in front of the slices."""
        axis = len(point)
        if axis == self.first:
            self._slice(point, body)
            return
        builder, dim = self.frame.builder, self.shape[axis]
        bounds: tuple[Bound, Bound] = (0, bound_of(dim))
        whole = self.frame.capacity.dim(product(self.shape[axis:]))
        if dim != 1 and axis < shareable and whole >= WORTH_SHARING:
            bounds = builder.share(bounds[1])
        if self.announced:
            self._groups(bounds, body)
            return
        with builder.loop(f"i{axis}", *bounds) as loop:
            accesses = [*self.others, self.table] if axis < self.axis else self.others
            position = located(builder, affine(loop.index), axis, accesses)
            self._outer((*point, position), body, 0 if dim != 1 else shareable)

    def _groups(self, bounds: tuple[Bound, Bound], body: Body) -> None:
        """Slices of the caller's rows, some at a time: one after the other they miss the cache.

        What is read of a row comes from far away, and rows are written a panel apart.
        """
        builder, start = self.frame.builder, bounds[0]
        for count in (TOGETHER, 1):
            with builder.loop("i0", start, bounds[1], count) as loop:
                self._group([affine(loop.index) + each for each in range(count)], body)
            start = loop.index

    def _group(self, positions: Sequence[Affine], body: Body) -> None:
        frame, builder = self.frame, self.frame.builder
        copies, following = [], []
        for position in positions:
            ahead = Place(self.listed.shape, (position + len(positions),))
            following.append(affine(builder.cast(frame.load(self.listed, ahead), int64)))
            copies.append(self._copy((located(builder, position, 0, self.others),), body))

        def at(inner: Place) -> None:
            for copy, index in zip(copies, following, strict=True):
                if inner.lanes > 1:
                    builder.prefetch(self.table.address((index, *inner.point)))
                copy(inner)

        self._sweep(at)

    def _slice(self, point: Point, body: Body) -> None:
        self._sweep(self._copy(point, body))

    def _copy(self, point: Point, body: Body) -> Callable[[Place], None]:
        """What is done with the elements of a slice."""
        index = self._index(point)
        row = located(self.frame.builder, affine(index), self.axis, [self.table])
        offset = self.first - self.axis - 1  # from the table's axes to those of the slices

        def at(inner: Place) -> None:
            lanes, axis = inner.lanes, inner.vector_axis
            here = None if axis is None else axis + self.first
            there = None if here is None else here - offset
            place = Place(self.shape, (*point, *inner.point), lanes, here)
            source = (*point[: self.axis], row, *inner.point)
            body(place, Place(self.table.shape, source, lanes, there))

        return at

    def _sweep(self, at: Callable[[Place], None]) -> None:
        dtypes = {found.parameter.dtype for found in self.inside}
        lanes = min(self.frame.machine.lanes(dtype) for dtype in dtypes)
        sweep = Sweep(
            self.frame, self.shape[self.first :], self.inside, lanes, exact=True, weight=0
        )
        sweep.run(at)

    def _index(self, point: Point) -> Register:
        """The index for a slice, within range whatever is listed."""
        frame, builder = self.frame, self.frame.builder
        place = Place(self.listed.shape, point[self.axis : self.first])
        index = builder.cast(frame.load(self.listed, place), int64)
        return within(frame, index, self.table.shape[self.axis]) if self.checked else index
