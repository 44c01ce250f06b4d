"""A copy whose vectors run along another axis than its source's: blocks are turned in registers."""

from __future__ import annotations

from collections.abc import Sequence

from chainc.dataclass import dataclass
from chainc.ir.types import Shape
from chainc.loops.values import Affine, Bound, Kind, Register, affine
from chainc.schedules.frame import Frame
from chainc.schedules.layout.access import Access, PanelPosition, Point, bound_of, moved


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
