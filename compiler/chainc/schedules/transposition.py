"""Where vectors run along another axis than a source's, blocks of it are turned in registers.

A copy into panels is nothing else; a map, row by row, reads such a source in squares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from chainc.dataclass import dataclass
from chainc.ir.types import Dim, Shape, coefficient_of
from chainc.loops.values import Affine, Bound, Kind, Register, affine
from chainc.schedules.frame import Frame, Place
from chainc.schedules.layout.access import Access, PanelPosition, Point, bound_of, moved

FEWEST_BYTES = 4  # of elements that are turned

Body = Callable[[Place], None]


@dataclass(frozen=True)
class Run:
    """Axes that lie side by side in every access, swept as one: by positions along the last."""

    axis: int
    extent: Dim


@dataclass(frozen=True)
class Transposition:
    """Vectors of `source` run along one axis, those of `target` along another."""

    frame: Frame
    shape: Shape
    source: Access
    target: Access

    @property
    def lanes(self) -> int:
        return self.target.lanes

    def fits(self) -> bool:
        """Is the target in panels, and has the source vectors along another axis?"""
        axes = (self.across, self.target.panels)
        if None in axes or axes[0] == axes[1] or self.source.lanes not in (1, self.lanes):
            return False
        if not all(isinstance(self.shape[axis], int) for axis in axes if axis is not None):
            return False
        return self.source.roomy(self.lanes) or self._extent(self.across) % self.lanes == 0

    @property
    def across(self) -> int | None:
        """The axis along which the source's vectors run: that of its panels, or of neighbours."""
        if self.source.panels is not None:
            return self.source.panels
        steps = enumerate(self.source.strides)
        return next((axis for axis, step in steps if step == 1 and self.shape[axis] != 1), None)

    def run(self) -> None:
        """For each panel of the target, all panels of the source."""
        columns = self._extent(self.target.panels)
        low, high = self._shared(columns // self.lanes)
        with self.frame.builder.loop("panel", low, high) as loop:
            self._panel(affine(loop.index), self.lanes)
        if columns % self.lanes:
            self._panel(Affine(columns // self.lanes), columns % self.lanes)

    def _shared(self, panels: int) -> tuple[Bound, Bound]:
        return self.frame.builder.share(panels) if panels > 1 else (0, panels)

    def _extent(self, axis: int | None) -> int:
        assert axis is not None
        extent = self.shape[axis]
        assert isinstance(extent, int)
        return extent

    def _panel(self, panel: Affine, columns: int) -> None:
        rows = self._extent(self.across)
        axes = (self.across, self.target.panels)
        others = [axis for axis in range(len(self.shape)) if axis not in axes]
        point: Point = (Affine(),) * len(self.shape)
        self._others(others, point, panel, columns, rows)

    def _others(
        self, axes: Sequence[int], point: Point, panel: Affine, columns: int, rows: int
    ) -> None:
        if axes:
            axis, *rest = axes
            with self.frame.builder.loop(f"i{axis}", 0, bound_of(self.shape[axis])) as loop:
                here = moved(point, axis, affine(loop.index))
                self._others(rest, here, panel, columns, rows)
            return
        with self.frame.builder.loop("block", 0, rows // self.lanes) as loop:
            self._block(point, panel, columns, affine(loop.index), self.lanes)
        if rows % self.lanes:
            self._block(point, panel, columns, Affine(rows // self.lanes), rows % self.lanes)

    def _block(self, point: Point, panel: Affine, columns: int, block: Affine, rows: int) -> None:
        """`columns` vectors of the source become `rows` vectors of the target."""
        builder, lanes = self.frame.builder, self.lanes
        across, along = self.across, self.target.panels
        assert across is not None
        assert along is not None
        loaded: list[Register] = []
        for column in range(columns):
            here = PanelPosition(block, Affine(), lanes)
            place = moved(point, across, here if self.source.panels is not None else block * lanes)
            place = moved(place, along, panel * lanes + column)
            loaded.append(builder.load(self.source.address(place, across), lanes))
        kind = Kind(self.target.parameter.dtype, lanes)
        loaded += [builder.constant(0, kind) for _ in range(lanes - columns)]
        for row, value in enumerate(builder.transpose(loaded)[:rows]):
            place = moved(point, across, block * lanes + row)
            place = moved(place, along, PanelPosition(panel, Affine(), lanes))
            builder.store(value, self.target.address(place, along))


class Swept(Protocol):
    """A sweep over all elements of a shape, row by row."""

    @property
    def frame(self) -> Frame:
        """The kernel."""

    @property
    def shape(self) -> Shape:
        """Of the elements."""

    @property
    def accesses(self) -> Sequence[Access]:
        """What is read, then what is written."""

    @property
    def lanes(self) -> int:
        """Of vectors."""

    def shared(self, extent: Bound, grain: int = 1) -> tuple[Bound, Bound]:
        """This thread's part of the outermost loop."""

    def vectors(
        self, run: Run, point: Point, body: Body, *, outermost: bool, first: int = 0
    ) -> None:
        """Vectors along a run from a position on."""


@dataclass(frozen=True)
class Squares:
    """Rows of which one operand's elements are neighbours from row to row.

    out[i, j] = x[j, i] + 1     squares of x are loaded by j, turned, and gone on with by i
    """

    sweep: Swept
    turned: Access
    others: Sequence[Run]
    rows: Run
    columns: Run

    def run(self, body: Body) -> None:
        """Squares, then the rows and columns that fill none."""
        self._around(self.others, (Affine(),) * len(self.sweep.shape), body)

    def _around(self, others: Sequence[Run], point: Point, body: Body) -> None:
        for run in others[:1]:
            end = bound_of(run.extent)
            low, high = self.sweep.shared(end) if others is self.others else (0, end)
            with self.sweep.frame.builder.loop(f"i{run.axis}", low, high) as loop:
                self._around(others[1:], moved(point, run.axis, affine(loop.index)), body)
        if not others:
            self._squares(point, body)

    def _squares(self, point: Point, body: Body) -> None:
        sweep, builder, lanes = self.sweep, self.sweep.frame.builder, self.sweep.lanes
        name, extent = f"i{self.rows.axis}", coefficient_of(self.rows.extent)
        whole = extent // lanes * lanes
        low, high = (0, whole) if self.others else sweep.shared(whole, lanes)
        with builder.loop(name, low, high, lanes) as loop:
            self._abreast(point, affine(loop.index), body)
        if whole < extent:
            low, high = (0, extent - whole) if self.others else sweep.shared(extent - whole)
            with builder.loop(name, low, high) as loop:
                row = moved(point, self.rows.axis, affine(loop.index) + whole)
                sweep.vectors(self.columns, row, body, outermost=False)

    def _abreast(self, point: Point, row: Affine, body: Body) -> None:
        """As many rows as a vector has lanes, from one on."""
        sweep, builder, lanes = self.sweep, self.sweep.frame.builder, self.sweep.lanes
        extent = coefficient_of(self.columns.extent)
        whole = extent // lanes * lanes
        with builder.loop(f"i{self.columns.axis}", 0, whole, lanes) as loop:
            self._square(point, row, affine(loop.index), body)
        if whole < extent:
            with builder.loop(f"i{self.rows.axis}", 0, lanes) as loop:
                here = moved(point, self.rows.axis, row + affine(loop.index))
                sweep.vectors(self.columns, here, body, outermost=False, first=whole)

    def _square(self, point: Point, row: Affine, column: Affine, body: Body) -> None:
        sweep, across, along = self.sweep, self.rows.axis, self.columns.axis
        frame, lanes = sweep.frame, sweep.lanes
        loaded: list[Register] = []
        for further in range(lanes):
            there = moved(moved(point, across, row), along, column + further)
            loaded.append(frame.builder.load(self.turned.address(there, across), lanes))
        for further, value in enumerate(frame.builder.transpose(loaded)):
            here = moved(moved(point, across, row + further), along, column)
            with frame.knowing(self.turned, value):
                body(Place(sweep.shape, here, lanes, along))


def squares_of(sweep: Swept, runs: Sequence[Run]) -> Squares | None:
    """Of the one operand that would be gathered, if its neighbours are along another run."""
    frame, columns = sweep.frame, runs[-1]
    apart = {a for a in sweep.accesses if abs(a.strides[columns.axis]) > 1}
    if len(apart) != 1 or frame.machine.takes_apart or sweep.lanes == 1:
        return None
    (found,) = apart
    rows = next((run for run in runs if found.strides[run.axis] == 1), None)
    written = sweep.accesses[-len(frame.kernel.stored) :]
    if rows is None or found in written or found.parameter.dtype.itemsize < FEWEST_BYTES:
        return None
    if not all(isinstance(n, int) and n >= sweep.lanes for n in (rows.extent, columns.extent)):
        return None
    others = [run for run in runs[:-1] if run != rows]
    return Squares(sweep, found, others, rows, columns)
