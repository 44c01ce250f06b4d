"""The sums of products of one register tile, over all axes that a contraction sums over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from chainc.loops.builder import NestBuilder
from chainc.loops.values import Affine, Kind, Register
from chainc.schedules.contraction.axes import (
    Axis,
    Position,
    Positions,
    Stretch,
    Values,
    chain,
    walk,
)
from chainc.schedules.contraction.roles import Factor, Roles
from chainc.schedules.layout.access import PanelPosition

FIRST = Affine()  # lane of a vector
UNROLLED = 4  # steps of the innermost loop in one pass
UNROLLED_PAIRS = 8  # the same in tiles of two vectors: measured, they gain by it


@dataclass(frozen=True)
class Column:
    """Where a vector of sums stands, and its lanes."""

    at: Positions
    lanes: int


@dataclass(frozen=True)
class Tile:
    """Sums that are computed together: of each row with each column."""

    at: Positions
    rows: Sequence[Positions]
    columns: Sequence[Column]

    @property
    def cells(self) -> list[tuple[Positions, Column]]:
        return [(row, column) for row in self.rows for column in self.columns]

    def moved(self, axis: Axis, position: Position) -> Tile:
        return replace(self, at={**self.at, axis.letter: position})


Body = Callable[[Tile, Values], Values]


@dataclass(frozen=True)
class Products:
    """Adds up products; the sums stay in registers through all loops."""

    builder: NestBuilder
    factors: tuple[Factor, Factor]
    roles: Roles

    def summed(self, tile: Tile) -> Values:
        """The sums of a tile's cells."""
        kinds = [Kind(self.roles.dtype, column.lanes) for _, column in tile.cells]
        zeros: Values = [self.builder.constant(0, kind) for kind in kinds]
        if self.roles.across:
            return self._across(tile, zeros)
        if not self.roles.inner:
            return self._step(tile, zeros)
        return self._nested(self.roles.inner[:-1], tile, zeros, self._along)

    def _nested(self, axes: Sequence[Axis], tile: Tile, sums: Values, inside: Body) -> Values:
        """Loops around the innermost one."""
        if not axes:
            return inside(tile, sums)
        axis, further = axes[0], axes[1:]

        def body(positions: Sequence[Position], sums: Values) -> Values:
            return self._nested(further, tile.moved(axis, positions[0]), sums, inside)

        for stretch in axis.stretches:
            sums = walk(self.builder, stretch, (1,), sums, body)
        return sums

    def _along(self, tile: Tile, sums: Values) -> Values:
        """The innermost loop, some steps at a time."""
        axis = self.roles.inner[-1]

        def body(positions: Sequence[Position], sums: Values) -> Values:
            for position in positions:
                sums = self._step(tile.moved(axis, position), sums)
            return sums

        for stretch in axis.stretches:
            sums = walk(self.builder, stretch, _stretch_steps(stretch, tile), sums, body)
        return sums

    def _across(self, tile: Tile, sums: Values) -> Values:
        """Vectors along the last axis; then their lanes added up, and what that axis has left."""
        *outer, axis = self.roles.inner
        whole = axis.most // self.roles.lanes

        def vectors(tile: Tile, sums: Values) -> Values:
            def body(index: Affine, size: int, sums: Values) -> Values:
                for vector in range(size):
                    sums = self._step(tile.moved(axis, self._vector(axis, index + vector)), sums)
                return sums

            steps = _steps(whole, tile)
            return chain(self.builder, axis.letter, (0, whole), steps, sums, body)

        def rest(tile: Tile, sums: Values) -> Values:
            def body(index: Affine, _: int, sums: Values) -> Values:
                return self._step(tile.moved(axis, self._vector(axis, Affine(whole), index)), sums)

            bounds = 0, axis.most - whole * self.roles.lanes
            return chain(self.builder, f"{axis.letter}_rest", bounds, (1,), sums, body)

        sums = self._nested(outer, tile, sums, vectors)
        sums = [self.builder.across("add", value) for value in sums]
        single = replace(tile, columns=[Column(column.at, 1) for column in tile.columns])
        return self._nested(outer, single, sums, rest)

    def _vector(self, axis: Axis, vector: Affine, lane: Affine = FIRST) -> Position:
        lanes = self.roles.lanes
        return PanelPosition(vector, lane, lanes) if axis.lanes else vector * lanes + lane

    def _step(self, tile: Tile, sums: Values) -> Values:
        """A product for each sum, at one position of the axes that are summed over."""
        a, b = (_Elements(self.builder, factor, self.roles, tile) for factor in self.factors)
        results = []
        for position, total in enumerate(sums):
            row, column = divmod(position, len(tile.columns))
            results.append(self._added(a.value(row, column), b.value(row, column), total))
        return results

    def _added(self, x: Register, y: Register, total: Register) -> Register:
        if not self.roles.inner:
            return self.builder.compute("multiply", x, y)
        if self.roles.dtype.is_float:
            return self.builder.fma(x, y, total)
        return self.builder.compute("add", total, self.builder.compute("multiply", x, y))


@dataclass(eq=False)
class _Elements:
    """What a tile needs of one operand in one step: each element is loaded once."""

    builder: NestBuilder
    factor: Factor
    roles: Roles
    tile: Tile
    loaded: dict[tuple[int, int], Register] = field(default_factory=dict)
    spread: dict[tuple[int, int, int], Register] = field(default_factory=dict)

    def value(self, row: int, column: int) -> Register:
        """The element for a row and a column, in as many lanes as the column has."""
        lanes = self.tile.columns[column].lanes
        row = row if self._varies(self.roles.row) else 0
        column = column if self._varies(self.roles.column) else 0
        if (row, column, lanes) not in self.spread:
            if (row, column) not in self.loaded:
                self.loaded[row, column] = self._load(row, column, lanes)
            self.spread[row, column, lanes] = self.builder.splat(self.loaded[row, column], lanes)
        return self.spread[row, column, lanes]

    def _varies(self, axis: Axis | None) -> bool:
        return axis is not None and axis.letter in self.factor.letters

    def _load(self, row: int, column: int, lanes: int) -> Register:
        at = {**self.tile.at, **self.tile.rows[row], **self.tile.columns[column].at}
        point = tuple(at[letter] for letter in self.factor.letters)
        vector, axis = self.roles.vector, None
        if vector is not None and vector.letter in self.factor.letters:
            axis = self.factor.letters.index(vector.letter)
        address = self.factor.found.address(point, axis)
        alike = axis is None or address.stride == 0
        value = self.builder.load(address, 1 if alike else lanes)
        return self.builder.cast(value, self.roles.dtype)


def _stretch_steps(stretch: Stretch, tile: Tile) -> tuple[int, ...]:
    if stretch.axis.dynamic:
        return _unrolled(tile), 1
    return _steps(stretch.extent, tile)


def _steps(extent: int, tile: Tile) -> tuple[int, ...]:
    """How many positions a pass takes, and how many the last one."""
    unrolled = max(min(_unrolled(tile), extent), 1)
    return (unrolled, extent % unrolled) if extent % unrolled else (unrolled,)


def _unrolled(tile: Tile) -> int:
    return UNROLLED_PAIRS if len(tile.columns) == 2 else UNROLLED
