"""Contractions: sums of products, tile by tile in registers.

    for the other axes of the result:
        for a block of rows, whose operands stay in the second-level cache:
            for column in vectors, some at a time:
                for row in the block, some at a time:
                    for each axis that is summed over:
                        sum[row, column] += a[row, …] · b[…, column]
                    the epilogue, and what follows

Nothing is copied: operands are read where they lie, and an extent that is no multiple of a tile
ends in smaller tiles, or in a vector of which the first lanes count if a processor has masks. Rows
are all one block if the cache holds them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.ir.types import int64
from chainc.loops.builder import NestBuilder
from chainc.loops.values import Affine, Kind, Register
from chainc.lowering.kernels import Contraction
from chainc.lowering.views import View
from chainc.schedules.contraction.ahead import following
from chainc.schedules.contraction.axes import (
    Axis,
    Position,
    Positions,
    Stretch,
    Values,
    block_of,
    chain,
    through_panel,
    walk,
)
from chainc.schedules.contraction.factor import Factor
from chainc.schedules.contraction.margins import margins_of
from chainc.schedules.contraction.partition import Partition, partition, tile_starts
from chainc.schedules.contraction.products import Column, Products, Tile
from chainc.schedules.contraction.roles import Roles, roles
from chainc.schedules.contraction.tiles import most_sums
from chainc.schedules.frame import Frame, Place
from chainc.schedules.layout.access import PanelPosition, bound_of
from chainc.schedules.layout.far import comes_from_afar, starts_line
from chainc.schedules.layout.masks import mask_of

DEEP = 32  # products of a sum, while which what is read after them comes
FEWER_AT_ONCE = 4  # times fewer products of a piece than lanes, which are added up by then


def schedule_contract(root: Contraction, frame: Frame) -> None:
    """A contraction, its epilogue and its followers."""
    if 0 in root.out.type.shape:
        return
    a, b = root.operands[:2]
    assert isinstance(a, View)
    assert isinstance(b, View)
    factors = Factor(frame.access(a), root.letters[0]), Factor(frame.access(b), root.letters[1])
    parts = roles(frame, root, factors)
    cut = partition(frame, root, factors, parts)
    views = list(zip(root.letters, (a, b), strict=False))
    found = [margin for letters, view in views for margin in margins_of(letters, view)]
    if frame.machine.shares:
        cut.share(frame.builder, padded=bool(found))
    start = {letter: Affine() for letter in parts.joined}
    margins = () if parts.joined else cut.usable(found)
    width = -(-parts.lanes * parts.dtype.itemsize // frame.machine.vector_bytes)
    room = most_sums(frame.machine) // width
    windows = any(view.taps for _, view in views)
    asked = () if windows else following(frame.machine, factors, parts, frame.capacity)
    products = Products(
        frame.builder, factors, parts, frame.machine, margins, room,
        far=cut.far, following=asked, whole=cut.whole, masked=_masked(root, factors, parts),
    )  # fmt: skip
    for piece in _pieces(frame.builder, parts, root.piece):
        _Loops(frame, root, parts, cut, replace(products, piece=piece)).outer(parts.outer, start)


def _masked(root: Contraction, factors: Sequence[Factor], parts: Roles) -> Factor | None:
    """The first factor, if it is mostly zeros that all columns of a tile meet."""
    first = factors[0]
    lanes = parts.vector is not None and parts.vector.letter in first.letters
    return first if root.masked and _is_single(parts) and not lanes else None


def _is_single(parts: Roles) -> bool:
    """Has a tile one row?"""
    return parts.row is None or parts.row.most == 1


def _pieces(builder: NestBuilder, parts: Roles, products: int) -> Iterator[Sequence[Stretch]]:
    """Loops over the outermost summed axes, about so many products of each sum at a time.

    All at once where they lie in panels: these are gone through in an order of their own.
    """
    cut: list[tuple[Axis, int]] = []
    inside = math.prod(axis.most for axis in parts.inner)
    if parts.across:
        products *= parts.lanes // FEWER_AT_ONCE  # lanes are added up after each piece
    for level in parts.levels if products else ():
        inside //= level.axis.most
        positions = max(products // max(inside, 1), 1)
        whole = level.axis.lanes or level.axis == parts.vector
        if whole or positions >= level.axis.most:
            break
        cut.append((level.axis, positions))
        if positions > 1:
            break
    with ExitStack() as stack:
        blocks = [
            block_of(builder, Stretch(axis, 0, bound_of(axis.extent)), positions)
            for axis, positions in cut
        ]
        yield [stack.enter_context(block) for block in blocks]


@dataclass(frozen=True)
class _Loops:
    """The loops over the result."""

    frame: Frame
    root: Contraction
    roles: Roles
    cut: Partition
    products: Products
    rows: Sequence[Stretch] = ()  # of the block

    def outer(self, axes: Sequence[Axis], at: Positions) -> None:
        """Axes that are neither rows nor columns."""
        if self.cut.is_dealt_out_in(axes):
            replace(self, cut=self.cut.within(self.frame.builder, at)).outer(axes, at)
            return
        if not axes:
            self._row_blocks(at)
            return
        axis, further = axes[0], axes[1:]

        def body(positions: Sequence[Position], values: Values) -> Values:
            self.outer(further, {**at, axis.letter: positions[0]})
            return values

        for stretch in self.cut.stretches[axis]:
            walk(self.frame.builder, stretch, (1,), (), body)

    def _row_blocks(self, at: Positions) -> None:
        rows = self.cut.stretches[self.roles.row] if self.roles.row is not None else ()
        if self.cut.block is None:
            replace(self, rows=rows)._columns(at)
            return
        for stretch in rows:
            with block_of(self.frame.builder, stretch, self.cut.block) as block:
                replace(self, rows=(block,))._columns(at)

    def _columns(self, at: Positions) -> None:
        column = self.roles.column
        if column is None:
            self._rows(at, [Column({}, self.roles.lanes)])
            return
        for stretch in self.cut.stretches[column]:
            if column != self.roles.vector:
                self._single_columns(stretch, at)
            else:
                self._vectors(stretch, at)

    def _single_columns(self, stretch: Stretch, at: Positions) -> None:
        """The lanes of a sum are added up in the end, they are no columns."""
        letter, lanes = stretch.axis.letter, self.roles.lanes

        def body(positions: Sequence[Position], values: Values) -> Values:
            self._rows(at, [Column({letter: position}, lanes) for position in positions])
            return values

        steps, mask = self.cut.column_steps(stretch), mask_of(self.root)
        whole = stretch.inside == stretch.axis.lanes > 1
        if mask is None or not whole or not _is_single(self.roles) or self.root.piece:
            walk(self.frame.builder, stretch, steps, (), body)
            return

        def panel(index: Affine, _: int, values: Values) -> Values:
            def some() -> None:
                through_panel(self.frame.builder, stretch, index, steps, (), body)

            first = PanelPosition(index + stretch.offset, Affine(), stretch.axis.lanes)
            self._where_seen(mask, {**at, letter: first}, stretch.axis, some)
            return values

        bounds = stretch.low, stretch.high
        chain(self.frame.builder, f"{letter}_panel", bounds, (1,), (), panel)

    def _where_seen(
        self, mask: View, at: Positions, axis: Axis, compute: Callable[[], None]
    ) -> None:
        """Sums of a panel, unless a mask leaves out all of them."""
        frame, result, row = self.frame, self.root.letters[2], self.roles.row
        builder, lanes = frame.builder, axis.lanes
        here = at if row is None else {**at, row.letter: Affine()}
        point = tuple(here[each] for each in result)
        place = Place(self.root.out.type.shape, point, lanes, result.index(axis.letter))
        some = builder.cast(builder.somewhere(frame.value(mask, place)), int64)
        with builder.loop("some", 0, some):
            compute()
        with builder.loop("none", some, 1):
            none = builder.constant(0, Kind(self.root.factor_type, lanes))
            frame.finish(frame.epilogue(self.root, none, place), place)

    def _vectors(self, stretch: Stretch, at: Positions) -> None:
        """The lanes of a sum are columns; whole panels, or neighbours of any number."""
        axis, lanes = stretch.axis, self.roles.lanes

        def in_panels(index: Affine, panels: int) -> list[Column]:
            if self.frame.machine.masks and 1 < stretch.inside < lanes:
                place = PanelPosition(index, Affine(), lanes)
                return [Column({axis.letter: place}, lanes, stretch.inside)]
            return [
                Column({axis.letter: PanelPosition(index + panel, Affine(start), lanes)}, width)
                for panel in range(panels)
                for start, width in _vectors_in(stretch.inside, lanes)
            ]

        def side_by_side(index: Affine, columns: int) -> list[Column]:
            if self.cut.ragged:
                return self._ragged(axis, index, columns)
            parts = _vectors_in(columns, lanes)
            return [Column({axis.letter: index + start}, width) for start, width in parts]

        def body(index: Affine, size: int, values: Values) -> Values:
            columns = in_panels if axis.lanes else side_by_side
            self._rows(at, columns(index + stretch.offset, size))
            return values

        if self.cut.is_one_group(axis):
            self._rows(at, self._ragged(axis, Affine(), axis.most))
            return
        name = f"{axis.letter}_panel" if axis.lanes else axis.letter
        steps = self.cut.column_steps(stretch)
        chain(self.frame.builder, name, (stretch.low, stretch.high), steps, (), body)

    def _ragged(self, axis: Axis, index: Affine, columns: int) -> list[Column]:
        """Vectors side by side, of the last of which only some lanes are columns."""
        lanes = self.roles.lanes
        return [
            Column(
                {axis.letter: index + start},
                lanes,
                columns - start if columns - start < lanes else 0,
            )
            for start in range(0, columns, lanes)
        ]

    def _rows(self, at: Positions, columns: Sequence[Column]) -> None:
        row = self.roles.row
        if row is None:
            self._tile(Tile(at, [{}], columns))
            return

        def body(positions: Sequence[Position], values: Values) -> Values:
            self._tile(Tile(at, [{row.letter: position} for position in positions], columns))
            return values

        for stretch in self.rows:
            if any(margin.position == row.letter for margin in self.products.margins):
                self._written_out(stretch, body, len(columns))
                continue
            walk(self.frame.builder, stretch, self.cut.heights(stretch, len(columns)), (), body)

    def _written_out(
        self, stretch: Stretch, body: Callable[[Sequence[Position], Values], Values], columns: int
    ) -> None:
        """Each tile of rows by itself: at the edges they meet padding."""
        heights = self.cut.heights(stretch, columns)
        for start, height in tile_starts(stretch.extent, heights):
            body([Affine(start + i) for i in range(height)], ())

    def _tile(self, tile: Tile) -> None:
        places = [self._place(tile, row, column) for row, column in tile.cells]
        self._ask(places)
        sums = self.products.summed(
            tile, [*map(self._laid_down, places)] if self.root.piece else ()
        )
        for place, total in zip(places, sums, strict=True):
            value = self.frame.builder.cast(total, self.root.factor_type)
            self.frame.finish(self.frame.epilogue(self.root, value, place), place)

    def _ask(self, places: Sequence[Place]) -> None:
        """For what is read element by element once the products have been added up."""
        frame, machine = self.frame, self.frame.machine
        depth = math.prod(axis.most for axis in self.roles.inner)
        if depth < DEEP or self.roles.across:
            return
        reads = frame.reads(self.root.out.type.shape)
        for found in (each for each in reads if comes_from_afar(each, machine, frame.capacity)):
            for address in (frame.address(found, place) for place in places):
                if address.stride == 1 and starts_line(address, machine):
                    frame.builder.prefetch(address)

    def _place(self, tile: Tile, row: Positions, column: Column) -> Place:
        """Of a vector of sums in the result."""
        result, vector = self.root.letters[2], self.roles.vector
        lanes = 1 if self.roles.across else column.lanes
        axis = None if vector is None or lanes == 1 else result.index(vector.letter)
        first = 0 if lanes == 1 else column.first
        at = {**tile.at, **row, **column.at}
        return Place(
            self.root.out.type.shape, tuple(at[letter] for letter in result), lanes, axis, first
        )

    def _laid_down(self, place: Place) -> Register:
        """The sums after the pieces before."""
        return self.frame.load(self.frame.whole(self.root.out), place)


def _vectors_in(size: int, lanes: int) -> list[tuple[int, int]]:
    """Starts and widths of the vectors that cover a size: whole ones, then powers of two.

    28 by 16   →   16 from 0, 8 from 16, 4 from 24
    """
    found, start = [], 0
    while start < size:
        while start + lanes > size:
            lanes //= 2
        found.append((start, lanes))
        start += lanes
    return found
