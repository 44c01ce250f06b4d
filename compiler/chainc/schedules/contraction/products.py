"""The sums of products of one register tile, over all axes that a contraction sums over."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field, replace

from chainc.dataclass import dataclass
from chainc.loops.builder import NestBuilder
from chainc.loops.values import Address, Affine, Bound, Kind, Register
from chainc.schedules.contraction.ahead import FEWEST_ROWS, Following, ahead
from chainc.schedules.contraction.axes import (
    Axis,
    Position,
    Positions,
    Stretch,
    Values,
    chain,
)
from chainc.schedules.contraction.factor import Factor
from chainc.schedules.contraction.lane_sums import lane_sums
from chainc.schedules.contraction.levels import (
    MOST_STRAIGHT,
    Level,
    keeps_elements,
    levels_of,
    split,
)
from chainc.schedules.contraction.margins import Margin, clipped, rows_met, taps_first
from chainc.schedules.contraction.roles import Roles
from chainc.schedules.contraction.tiles import steps_ahead, steps_of_pass
from chainc.schedules.layout.access import PanelPosition
from chainc.schedules.layout.machine import Machine

FIRST = Affine()  # lane of a vector
FEW_STEPS = 3  # of short axes, for which there need be no loop
ENOUGH_SUMS = 8  # to keep a processor busy, of which each takes so many steps at a time


@dataclass(frozen=True)
class Column:
    """Where a vector of sums stands, and its lanes."""

    at: Positions
    lanes: int
    first: int = 0  # so many of them are columns, or products; 0: all are


@dataclass(frozen=True)
class Tile:
    """Sums that are computed together: of each row with each column."""

    at: Positions
    rows: Sequence[Positions]
    columns: Sequence[Column]
    idle: frozenset[int] = frozenset()  # rows that meet nothing but padding

    @property
    def cells(self) -> list[tuple[Positions, Column]]:
        return [(row, column) for row in self.rows for column in self.columns]

    def moved(self, axis: Axis, position: Position) -> Tile:
        return replace(self, at={**self.at, axis.letter: position})


@dataclass(frozen=True)
class _Inside:
    """What is done within all loops, and how many steps that are."""

    body: Callable[[Tile, Values, int], Values]  # at a position of the innermost loop's pass
    steps: int
    apart: bool = False  # of them there is a loop, in any case


@dataclass(frozen=True)
class Products:
    """Adds up products; the sums stay in registers through all loops."""

    builder: NestBuilder
    factors: tuple[Factor, Factor]
    roles: Roles
    machine: Machine
    margins: Sequence[Margin] = ()
    most_sums: int = 1  # that fit into registers
    far: bool = False  # is what vectors hold read once, row by row, from afar?
    piece: Sequence[Stretch] = ()  # of axes that are summed over, the others are whole
    following: Sequence[Following] = ()  # what the next tiles read, from afar
    masked: Factor | None = None  # one of mostly zeros, which a tile has one row of
    whole: int = 1  # vectors of a group, whose order of sums is that of any part of it

    def summed(self, tile: Tile, sums: Values = ()) -> Values:
        """The sums of a tile's cells, added to what there is."""
        kinds = [Kind(self.roles.dtype, column.lanes) for _, column in tile.cells]
        zeros: Values = [self.builder.constant(0, kind) for kind in kinds]
        if self.roles.across:
            found = self._across(tile, zeros)
            return self._added_up(found, sums) if sums else found
        if not self.roles.inner:
            return self._step(tile, zeros)
        count = len(zeros)
        turns = self._turns(count * self._times(tile))
        levels = taps_first(self.margins, self.roles.levels)
        loops, straight = split(levels, self.roles.row, self.factors)
        apart = self._are_written_out(levels, tile)
        if apart and math.prod(level.most for level in straight) > FEW_STEPS:
            loops, straight = levels, ()
        places = _places([level.axis for level in straight])

        def steps(tile: Tile, sums: Values, number: int) -> Values:
            for position, place in enumerate(places, number * len(places)):
                first = position % turns * count
                there = replace(tile, at={**tile.at, **place})
                added = self._step(there, sums[first : first + count])
                sums = [*sums[:first], *added, *sums[first + count :]]
            return sums

        starts = [*(sums or zeros), *[*zeros] * (turns - 1)]
        found = self._through(loops, _Inside(steps, len(places), apart), tile, starts)
        total = found[:count]
        for turn in range(1, turns):
            total = self._added_up(total, found[turn * count : (turn + 1) * count])
        return total

    def _are_written_out(self, taps: Sequence[Level], tile: Tile) -> bool:
        """Of what is inside there is a loop then, or what taps share would be kept between them."""
        found = (rows_met(self.margins, each.axis, tile.rows, self.roles.row) for each in taps)
        return any(met is not None for met in found)

    def _added_up(self, some: Values, others: Values) -> Values:
        return [self.builder.compute("add", *pair) for pair in zip(some, others, strict=True)]

    def _turns(self, count: int) -> int:
        """How many sums each cell has where rows and columns are few: one alone waits for itself.

        Where rows of a batch are among them, or go around them, tiles depend on how many there
        are; sums do not. Rows of both factors are always around.
        """
        axes = [axis for axis in (self.roles.row, self.roles.column) if axis is not None]
        both = set(self.factors[0].letters) & set(self.factors[1].letters)
        around = [axis for axis in self.roles.outer if axis.letter not in both]
        if any(axis.dynamic for axis in (*axes, *around)) or not self.roles.dtype.is_float:
            return 1
        lanes = {self.roles.vector: self.roles.lanes}
        cells = math.prod(-(-axis.most // lanes.get(axis, 1)) for axis in axes)
        if cells >= ENOUGH_SUMS:
            return 1
        return next((turns for turns in (4, 2) if turns * count <= self.most_sums), 1)

    def _through(
        self,
        levels: Sequence[Level],
        inside: _Inside,
        tile: Tile,
        sums: Values,
        number: int = 0,
    ) -> Values:
        """Loops, outermost first; some positions of the last in one pass."""
        if not levels:
            return inside.body(tile, sums, number)
        level, further = levels[0], levels[1:]
        if level.panels:
            return self._panels(level.axis, further, inside, tile, sums)
        met = rows_met(self.margins, level.axis, tile.rows, self.roles.row)
        if met is not None:
            return self._by_tap(level.axis, met, further, inside, tile, sums)

        def body(index: Affine, size: int, sums: Values) -> Values:
            for i in range(size):
                position = _position(level, tile, index + i)
                sums = self._through(further, inside, tile.moved(level.axis, position), sums, i)
            return sums

        name = f"{level.axis.letter}_lane" if level.inside else level.axis.letter
        bounds: tuple[Bound, Bound] = (0, level.inside)
        pieces = [piece for piece in self.piece if piece.axis == level.axis]
        if pieces:
            bounds = pieces[0].low, pieces[0].high
        elif not level.inside:
            bounds = clipped(self.builder, self.margins, level.axis, tile.at)
        room = self.machine.registers - len(sums) - len(tile.rows) - len(tile.columns)
        kept = keeps_elements(level, self.roles.row, self.factors, room)  # from step to step
        sizes = (1,) if further or kept else self._level_steps(level, bounds, tile, inside)
        return chain(self.builder, name, bounds, sizes, sums, body)

    def _level_steps(
        self, level: Level, bounds: tuple[Bound, Bound], tile: Tile, inside: _Inside
    ) -> tuple[int, ...]:
        low, high = bounds
        most = self._unrolled(tile, inside.steps)
        if isinstance(low, int) and isinstance(high, int):
            return _steps(high - low, most, loop=inside.apart)
        return (most, 1) if 1 < most <= level.most else (1,)  # no pass that there never is

    def _unrolled(self, tile: Tile, straight: int = 1) -> int:
        vectors = len(tile.columns) * self._times(tile)
        return max(steps_of_pass(self.machine, vectors) // straight, 1)

    def _times(self, tile: Tile) -> int:
        """So many such tiles are a group."""
        return max(self.whole // len(tile.columns), 1)

    def _by_tap(
        self,
        axis: Axis,
        met: Sequence[frozenset[int]],
        further: Sequence[Level],
        inside: _Inside,
        tile: Tile,
        sums: Values,
    ) -> Values:
        """One position after another, each with the rows that it meets."""
        for position, rows in enumerate(met):
            if rows:
                idle = tile.idle | (frozenset(range(len(tile.rows))) - rows)
                there = replace(tile.moved(axis, Affine(position)), idle=idle)
                sums = self._through(further, inside, there, sums)
        return sums

    def _panels(
        self, axis: Axis, further: Sequence[Level], inside: _Inside, tile: Tile, sums: Values
    ) -> Values:
        """Whole panels, then the last; further in there is a loop over their lanes."""
        for stretch in axis.stretches:
            lanes = Level(axis, stretch.inside)
            levels = [lanes if level.axis == axis else level for level in further]
            start = Affine(stretch.offset)

            def body(
                index: Affine,
                _: int,
                sums: Values,
                start: Affine = start,
                levels: Sequence[Level] = levels,
            ) -> Values:
                there = tile.moved(axis, PanelPosition(start + index, FIRST, axis.lanes))
                if self.masked is None or not self.masked.lies_in_panels(axis.letter):
                    return self._through(levels, inside, there, sums)
                some = self.masked.some(self.builder, axis.letter, {**there.at, **there.rows[0]})
                with self.builder.loop("some", 0, some, carried=sums) as loop:
                    loop.carry(*self._through(levels, inside, there, loop.values))
                return loop.results

            bounds = stretch.low, stretch.high
            sums = chain(self.builder, f"{axis.letter}_panel", bounds, (1,), sums, body)
        return sums

    def _across(self, tile: Tile, sums: Values) -> Values:
        """Vectors along the last axis; then their lanes added up, and what that axis has left."""
        *outer, axis = self.roles.inner
        whole = axis.most // self.roles.lanes

        def vectors(tile: Tile, sums: Values, _: int) -> Values:
            def body(index: Affine, size: int, sums: Values) -> Values:
                for vector in range(size):
                    sums = self._step(tile.moved(axis, self._vector(axis, index + vector)), sums)
                return sums

            if whole:
                steps = _steps(whole, self._unrolled(tile))
                sums = chain(self.builder, axis.letter, (0, whole), steps, sums, body)
            return last(tile, sums) if masked else sums

        left = axis.most - whole * self.roles.lanes
        masked = self.machine.masks and left > 1

        def last(tile: Tile, sums: Values) -> Values:
            columns = [replace(column, first=left) for column in tile.columns]
            there = replace(tile, columns=columns)
            return self._step(there.moved(axis, self._vector(axis, Affine(whole))), sums)

        def rest(tile: Tile, sums: Values, _: int) -> Values:
            def body(index: Affine, _: int, sums: Values) -> Values:
                return self._step(tile.moved(axis, self._vector(axis, Affine(whole), index)), sums)

            bounds = 0, left
            return chain(self.builder, f"{axis.letter}_rest", bounds, (1,), sums, body)

        levels = levels_of(outer)
        sums = self._through(levels, _Inside(vectors, MOST_STRAIGHT), tile, sums)
        sums = self._lane_sums(sums)
        if masked or not left:
            return sums
        single = replace(tile, columns=[Column(column.at, 1) for column in tile.columns])
        return self._through(levels, _Inside(rest, MOST_STRAIGHT), single, sums)

    def _lane_sums(self, sums: Values) -> Values:
        if self.machine.masks:
            return lane_sums(self.builder, sums)
        return [self.builder.across("add", value) for value in sums]

    def _vector(self, axis: Axis, vector: Affine, lane: Affine = FIRST) -> Position:
        lanes = self.roles.lanes
        return PanelPosition(vector, lane, lanes) if axis.lanes else vector * lanes + lane

    def _step(self, tile: Tile, sums: Values) -> Values:
        """A product for each sum, at one position of the axes that are summed over."""
        a, b = (
            _Elements(self.builder, factor, self.roles, tile, self.machine.masks)
            for factor in self.factors
        )
        for address in self._later(tile):
            self.builder.prefetch(address)
        results = [*sums]
        for place in sorted(range(len(sums)), key=self._order(tile)):
            row, column = divmod(place, len(tile.columns))
            if row not in tile.idle:
                x, y = a.value(row, column), b.value(row, column)
                results[place] = self._added(x, y, sums[place])
        return results

    def _order(self, tile: Tile) -> Callable[[int], int]:
        """Of the sums in a step: row by row, but two rows share one vector after another."""
        shared = self.far and len(tile.rows) == 2
        return lambda place: place % len(tile.columns) if shared else place

    def _later(self, tile: Tile) -> Iterator[Address]:
        """Of what is read some steps further on, or by the tiles that follow."""
        row, columns = {**tile.at, **tile.rows[0]}, [column.at for column in tile.columns]
        steps = steps_ahead(self.machine, len(columns)) if self.far else 0
        if steps:
            there = [{**row, **column} for column in columns]
            yield from ahead(self.factors, self.roles, there, steps)
        for each in self.following if len(tile.rows) >= FEWEST_ROWS else ():
            yield from each.addresses(self.machine, row, columns)

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
    masks: bool
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
        first = self.tile.columns[column].first
        if self.masks and address.stride == 2 and lanes > 2:
            first = first or lanes
        if first and not alike:
            address = replace(address, first=first)
        value = self.builder.load(address, 1 if alike else lanes)
        return self.builder.cast(value, self.roles.dtype)


def _position(level: Level, tile: Tile, index: Affine) -> Position:
    if not level.inside:
        return index
    panel = tile.at[level.axis.letter]
    assert isinstance(panel, PanelPosition)
    return replace(panel, lane=index)


def _places(axes: Sequence[Axis]) -> Sequence[Positions]:
    """Every position along some axes, the last one's first."""
    places: list[Positions] = [{}]
    for axis in axes:
        along = range(axis.most)
        places = [{**place, axis.letter: Affine(i)} for place in places for i in along]
    return places


def _steps(extent: int, most: int, *, loop: bool = False) -> tuple[int, ...]:
    """How many positions a pass takes, and how many the last one; if it is to `loop`, not all."""
    if loop and FEW_STEPS < extent < 2 * most:
        return (next(size for size in range(extent // 2, 0, -1) if extent % size == 0),)
    unrolled = max(min(most, extent), 1)
    return (unrolled, extent % unrolled) if extent % unrolled else (unrolled,)
