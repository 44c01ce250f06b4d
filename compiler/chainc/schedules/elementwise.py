"""Maps, copies and fills: one pass over the elements of the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from itertools import pairwise

from chainc.dataclass import dataclass
from chainc.ir.types import Axes, Shape, coefficient_of, product
from chainc.loops.values import Affine, Bound, Index, Kind, affine
from chainc.lowering.kernels import Copy, Fill, Map
from chainc.lowering.views import View
from chainc.ops.functions import ELEMENTARY
from chainc.schedules.frame import Frame, Place
from chainc.schedules.layout.access import (
    Access,
    PanelPosition,
    Point,
    bound_of,
    moved,
    part_of,
)
from chainc.schedules.layout.positions import split
from chainc.schedules.transposition import Run, Transposition, squares_of

WORTH_SHARING = 1 << 12  # elements from which on several threads gain more than they wait
ENOUGH_PANELS = 8  # from which on these are dealt out to threads
MOST_ABREAST = 8  # panels that rows are brought into at once: far apart, each has its own pages
FEWEST_GROUPS = 4  # of these
FEW_COLUMNS = 4  # of a row that is no longer
FEW_OPERATIONS = 8  # on an element, beside which a square of them stays in registers
MOST_STRAIGHT = 4  # positions of an innermost axis that are written out one after another

Body = Callable[[Place], None]


def schedule_map(root: Map, frame: Frame) -> None:
    """A map and the maps that follow it."""
    shape = root.out.type.shape
    parts = zip(frame.kernel.stored, frame.kernel.written, strict=True)
    # beside other elements, which are not to be overwritten
    beside = any(part and target.panels is None for (_, target), part in parts)
    accesses, turns = frame.accesses(shape), _leaves_registers(frame)
    sweep = Sweep(frame, shape, accesses, _lanes(frame), exact=beside, ragged=True, turns=turns)
    sweep.run(lambda place: frame.finish(frame.map(root, place, {}), place))


def _leaves_registers(frame: Frame) -> bool:
    """Is so little done with each element that a square of them stays in registers?"""
    primitives = [each.primitive for member in frame.kernel.single for each in member.scalars]
    return len(primitives) <= FEW_OPERATIONS and ELEMENTARY.isdisjoint(primitives)


def schedule_fill(root: Fill, frame: Frame) -> None:
    """One value everywhere, or around a part."""
    whole, builder = frame.whole(root.out), frame.builder
    value = builder.constant(root.value, Kind(root.out.type.dtype))
    for starts, shape in _around(root):
        target = part_of(whole, shape, starts)

        def body(place: Place, target: Access = target) -> None:
            address = frame.address(target, place)
            builder.store(builder.splat(value, place.lanes), address)

        exact = bool(root.inside) and whole.panels is None
        Sweep(frame, shape, [target], _lanes(frame), exact=exact, ragged=True).run(body)


def _around(fill: Fill) -> Iterator[tuple[Axes, Shape]]:
    """Boxes that do not overlap: where each starts, and its shape."""
    rank, shape = len(fill.out.type.shape), fill.out.type.shape
    if not fill.inside:
        yield (0,) * rank, shape
        return
    starts, inside = (0,) * rank, shape
    for axis, (first, part, dim) in enumerate(zip(fill.starts, fill.inside, shape, strict=True)):
        if part == dim:
            continue
        stop, end = first + coefficient_of(part), coefficient_of(dim)
        for low, high in ((0, first), (stop, end)):
            if low < high:
                yield moved(starts, axis, low), moved(inside, axis, high - low)
        starts, inside = moved(starts, axis, first), moved(inside, axis, part)


def schedule_copy(root: Copy, frame: Frame) -> None:
    """A view written to its place in the result."""
    (operand,) = root.operands
    shape = operand.type.shape
    target = part_of(frame.whole(root.out), shape, root.starts, root.steps)
    source = frame.access(operand) if isinstance(operand, View) else None
    if source is not None:
        turned = Transposition(frame, shape, source, target)
        if turned.fits():
            turned.run()
            return

    def body(place: Place) -> None:
        value = frame.load(source, place) if source else frame.value(operand, place)
        address = frame.address(target, place)
        frame.builder.store(frame.builder.splat(value, place.lanes), address)

    accesses = [source, target] if source else [target]
    exact = bool(root.starts) and target.panels is None  # behind panels, nothing is overwritten
    abreast = MOST_ABREAST if source and source.panels is None else 1
    sweep = Sweep(frame, shape, accesses, _lanes(frame), exact=exact, ragged=True, turns=True)
    replace(sweep, abreast=abreast).run(body)


def _lanes(frame: Frame) -> int:
    """As many as the widest floating-point elements allow."""
    dtypes = {operand.type.dtype for operand in frame.root.operands} | {frame.root.out.type.dtype}
    return min(frame.machine.lanes(dtype) for dtype in dtypes)


@dataclass(frozen=True)
class Sweep:
    """Loops over all elements of a shape, with vectors along the axis that suits most."""

    frame: Frame
    shape: Shape
    accesses: Sequence[Access]
    lanes: int
    exact: bool = False  # nothing past the elements may be read or written
    weight: int = 1  # elements of work for each; 0: a loop outside is shared
    dealt: Mapping[int, tuple[Bound, Bound]] = field(default_factory=dict)  # a thread's positions
    abreast: int = 1  # panels at a time, at most
    ragged: bool = False  # some lanes of a row's last vector may be no elements
    turns: bool = False  # may an operand be read in squares? `body` reads it by its frame
    bounded: int = 0  # so many of the accesses the body itself keeps within their elements

    def run(self, body: Body) -> None:
        if 0 in self.shape:
            return
        panels = [found.panels for found in self.accesses if found.panels is not None]
        if panels:
            self._panels(panels[-1], body)
        else:
            self._plain(body)

    @property
    def _start(self) -> tuple[Affine, ...]:
        """The first element, where the loops around stand."""
        around = self.frame.around
        return (*around, *[Affine()] * (len(self.shape) - len(around)))

    @property
    def _axes(self) -> Sequence[int]:
        """Those that are gone through here."""
        return range(len(self.frame.around), len(self.shape))

    # in panels

    def _panels(self, axis: int, body: Body) -> None:
        """Vectors are the lanes of the result's panels."""
        (lanes,) = {found.lanes for found in self.accesses if found.panels == axis}
        extent = self.shape[axis]
        assert isinstance(extent, int)
        others = [other for other in self._axes if other != axis]
        builder = self.frame.builder
        rows = self._rows_to_share(axis, -(-extent // lanes))
        if rows is not None:
            dealt = {rows: self.shared(bound_of(self.shape[rows]))}
            replace(self, weight=0, dealt=dealt)._panels(axis, body)
            return

        def panel(split: PanelPosition, width: int, count: int = 1) -> None:
            def at(point: Point) -> None:
                for further in range(count):
                    there = replace(split, panel=split.panel + further)
                    body(self._place(point, axis, there, width))

            self._nested(others, self._start, at)

        if self.lanes == 1:
            low, high = self.shared(extent)
            with builder.loop("position", low, high) as loop:
                panel(split(builder, affine(loop.index), lanes), 1)
            return
        if extent % lanes == 0 or self._overruns(axis, lanes):
            abreast = self._abreast(-(-extent // lanes))
            low, high = self.shared(-(-extent // lanes), abreast)
            with builder.loop("panel", low, high, abreast) as loop:
                panel(PanelPosition(affine(loop.index), Affine(), lanes), lanes, abreast)
            return
        low, high = self.shared(extent, lanes)
        with builder.loop("first", low, high, lanes) as loop:
            panel(split(builder, affine(loop.index), lanes), lanes)
        with builder.loop("rest", loop.index, high) as loop:
            count = extent // lanes
            panel(PanelPosition(Affine(count), affine(loop.index) + -count * lanes, lanes), 1)

    def _abreast(self, panels: int) -> int:
        """So many panels at a time that enough groups of them are left for threads."""
        most = min(self.abreast, panels // FEWEST_GROUPS)
        return next((count for count in range(most, 1, -1) if panels % count == 0), 1)

    def _rows_to_share(self, axis: int, panels: int) -> int | None:
        """The outermost axis beside panels, where more of it can be dealt out than of panels."""
        if self.weight == 0 or panels >= ENOUGH_PANELS or self.frame.around:
            return None
        extents = self.frame.capacity.shape(self.shape)
        others = (i for i, n in enumerate(extents) if i != axis and n > MOST_STRAIGHT)
        rows = next(others, axis)
        split = any(found.panels == rows for found in self.accesses)
        return None if split or extents[rows] <= panels else rows

    def _overruns(self, axis: int, lanes: int) -> bool:
        """May the last panel be done whole? Its lanes past the end are read, and written."""
        lone = all(dim == 1 for other, dim in enumerate(self.shape) if other != axis)
        written = self.accesses[-len(self.frame.kernel.stored) :]
        along = [found for found in self.accesses if found.splits(axis) or found.strides[axis]]
        if self.exact or not all(found.roomy(lanes) for found in along):
            return False
        if not all(found.splits(axis) or found.strides[axis] == 1 for found in along):
            return False
        return lone or all(found.splits(axis) for found in written)

    def _place(self, point: Point, axis: int, split: PanelPosition, lanes: int) -> Place:
        return Place(self.shape, moved(point, axis, split), lanes, axis if lanes > 1 else None)

    def _nested(self, axes: Sequence[int], point: Point, body: Callable[[Point], None]) -> None:
        """Scalar loops over axes, outermost first; other panels are split too."""
        if not axes:
            body(point)
            return
        axis, rest = axes[0], axes[1:]
        if self.shape[axis] == 1:
            self._nested(rest, point, body)
            return
        split = [found.lanes for found in self.accesses if found.panels == axis]
        extent = self.shape[axis]
        if not split and not rest and isinstance(extent, int) and extent <= MOST_STRAIGHT:
            for position in range(extent):
                body(moved(point, axis, Affine(position)))
            return
        if not split:
            low, high = self.dealt.get(axis, (0, bound_of(self.shape[axis])))
            with self.frame.builder.loop(f"i{axis}", low, high) as loop:
                self._nested(rest, moved(point, axis, affine(loop.index)), body)
            return
        lanes = split[0]
        assert isinstance(extent, int)
        with self.frame.builder.loop("outer", 0, extent // lanes) as outer:
            self._lane_by_lane(axis, affine(outer.index), lanes, lanes, rest, point, body)
        if extent % lanes:
            panel = Affine(extent // lanes)
            self._lane_by_lane(axis, panel, extent % lanes, lanes, rest, point, body)

    def _lane_by_lane(
        self,
        axis: int,
        panel: Affine,
        count: int,
        lanes: int,
        rest: Sequence[int],
        point: Point,
        body: Callable[[Point], None],
    ) -> None:
        with self.frame.builder.loop("lane", 0, count) as loop:
            split = PanelPosition(panel, affine(loop.index), lanes)
            self._nested(rest, moved(point, axis, split), body)

    def shared(self, extent: Bound, grain: int = 1) -> tuple[Bound, Bound]:
        """The outermost loop's range: shared among threads if there is enough to do."""
        elements = self.frame.capacity.dim(product(self.shape)) * self.weight
        if elements < WORTH_SHARING or self.frame.around:
            return 0, extent
        return self.frame.builder.share(extent, grain)

    # row-major

    def _plain(self, body: Body) -> None:
        runs = self._runs()
        if not runs:
            body(Place(self.shape, self._start))
            return
        if len(runs) == 1:
            self.vectors(runs[0], self._start, body, outermost=not self.frame.around)
            return
        squares = squares_of(self, runs) if self.turns else None
        if squares is not None:
            squares.run(body)
            return
        if self._takes_every_other(runs):
            body = self._one_by_one(runs.pop(), body)
        first, *others, last = runs
        low, high = self.shared(bound_of(first.extent))
        with self.frame.builder.loop(f"i{first.axis}", low, high) as loop:
            point = moved(self._start, first.axis, affine(loop.index))
            self._rows(others, last, point, body)

    def _takes_every_other(self, runs: Sequence[Run]) -> bool:
        """Is the last run two elements, and do vectors fit the run before it that lie two apart?

        An image that is put together from its pixels in even columns, and in odd ones.
        """
        if not self.frame.machine.masks or not self.ragged or len(runs) < 3 or runs[-1].extent != 2:
            return False
        longer = runs[-2]
        near = all(found.strides[longer.axis] in (0, 1, 2) for found in self.accesses)
        return near and isinstance(longer.extent, int) and longer.extent > MOST_STRAIGHT

    def _one_by_one(self, run: Run, body: Body) -> Body:
        """At the positions of a short run one after another; what they write is interleaved."""

        def each(place: Place) -> None:
            with self.frame.interleaved():
                for position in range(coefficient_of(run.extent)):
                    point = moved(place.point, run.axis, Affine(position))
                    body(replace(place, point=point))

        return each

    def _rows(self, others: Sequence[Run], last: Run, point: Point, body: Body) -> None:
        if not others:
            self.vectors(last, point, body, outermost=False)
            return
        run, *rest = others
        with self.frame.builder.loop(f"i{run.axis}", 0, bound_of(run.extent)) as loop:
            self._rows(rest, last, moved(point, run.axis, affine(loop.index)), body)

    def vectors(
        self, run: Run, point: Point, body: Body, *, outermost: bool, first: int = 0
    ) -> None:
        """Vectors along a run from a position on, then what is left element by element."""
        axis, lanes = run.axis, self.lanes
        touched = self.accesses[self.bounded :]
        strides = {found.strides[axis] for found in touched}
        roomy = all(found.roomy(lanes) for found in touched)
        whole = lanes == 1 or (outermost and roomy and strides <= {0, 1} and not self.exact)
        stop = bound_of(run.extent, lanes if whole else 1)
        low, high = self.shared(stop, lanes) if outermost else (first, stop)

        def step(start: Bound, count: int) -> Index:
            with self.frame.builder.loop(
                f"i{axis}", low if start is low else start, high, count
            ) as loop:
                here = moved(point, axis, affine(loop.index))
                body(Place(self.shape, here, count, axis if count > 1 else None))
            return loop.index

        known = run.extent if self.ragged and not outermost else 0
        columns = known if isinstance(known, int) else 0
        if 1 < columns <= min(FEW_COLUMNS, lanes - 1):
            self._few(run, point, body)
            return
        rest = columns % lanes
        if self.frame.machine.masks and rest > 1:
            if columns - first > lanes:
                step(low, lanes)
            here = moved(point, axis, Affine(columns - rest))
            body(Place(self.shape, here, lanes, axis, rest))
            return
        end = step(low, lanes)
        if not whole and not (isinstance(run.extent, int) and run.extent % lanes == 0):
            step(end, 1)

    def _few(self, run: Run, point: Point, body: Body) -> None:
        """Columns as a short vector, or one and a single element, whether there are masks or not.

        A long one with a mask would have to wait: the row before was stored where it reads on.
        """
        start, count = 0, coefficient_of(run.extent)
        while start < count:
            width = 1 << (count - start).bit_length() - 1
            here = moved(point, run.axis, Affine(start))
            body(Place(self.shape, here, width, run.axis if width > 1 else None))
            start += width

    def _runs(self) -> list[Run]:
        """Axes of more than one element, neighbours joined where every access allows it."""
        axes = [axis for axis in self._axes if self.shape[axis] != 1]
        runs = [Run(axis, self.shape[axis]) for axis in axes[:1]]
        for outer, inner in pairwise(axes):
            if self._side_by_side(outer, inner):
                runs[-1] = Run(inner, product((runs[-1].extent, self.shape[inner])))
            else:
                runs.append(Run(inner, self.shape[inner]))
        return runs

    def _side_by_side(self, outer: int, inner: int) -> bool:
        extent = self.shape[inner]
        if not isinstance(extent, int):
            return False
        return all(a.strides[outer] == a.strides[inner] * extent for a in self.accesses)
