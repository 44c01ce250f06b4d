"""How the work of a contraction is cut: into panels, register tiles, and parts for threads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.ir.types import int64
from chainc.loops.builder import NestBuilder
from chainc.loops.values import Affine, Index, Kind, affine
from chainc.lowering.kernels import Contraction
from chainc.schedules.contraction.axes import Axis, Positions, Stretch
from chainc.schedules.contraction.deals import INSIDE, Deal, Passes
from chainc.schedules.contraction.factor import Factor
from chainc.schedules.contraction.margins import MOST_BODIES, WORTH_LEAVING_OUT, Margin
from chainc.schedules.contraction.products import ENOUGH_SUMS
from chainc.schedules.contraction.roles import Roles
from chainc.schedules.contraction.tiles import TiledArea, Tiling, is_far, tiles, tiling
from chainc.schedules.frame import Frame
from chainc.schedules.layout.access import Access
from chainc.schedules.layout.lanes import NEAR, rows_near
from chainc.schedules.layout.machine import Machine

WORTH_SHARING = 1 << 14  # products from which on several threads gain more than they wait
ENOUGH_PARTS = 4  # of other axes; with fewer, groups of columns are dealt out too
TAKEN_APART = 0.03  # of a thread's work: what groups of columns that are dealt out in single
# vectors must gain
WRITTEN_OUT = 0.25  # the same for rows that meet padding, which are no longer written one by one
WORTH_TAKING_APART = 1 << 18  # products from which on it is worth the code
KEPT_NEAR = 0.5  # of the second-level cache is for rows that are read again for other columns
FEWEST_TILES = 3  # of a block of rows; with fewer, the columns come from afar for each tile
FEW_ROWS = 2  # for which weights are read once, row by row of memory
SHORT = 16  # products of a sum that are written out without a loop
WRITTEN_AHEAD = 4  # registers that these take beside those of a tile


@dataclass(eq=False)
class Partition:
    """The stretches of each axis of the result, and the steps in which they are gone through.

    Columns that lie in panels are counted in panels if their lanes are those of the vectors.
    Rows are gone through `block` positions, or panels, at a time, and all columns for each block.
    """

    roles: Roles
    tiling: Tiling
    stretches: dict[Axis, tuple[Stretch, ...]]
    block: int | None
    spare: int  # registers that the largest tile leaves
    deal: Deal | None = None  # of work to threads
    dealt: tuple[Index, Index] | None = None  # this thread's passes of loops that are one
    far: bool = False  # vectors are read once, those of each step from another row of memory
    ragged: bool = False  # columns lie side by side, and of their last vector only some are used

    @property
    def shared(self) -> Axis | None:
        """Whose loop is dealt out."""
        return None if self.deal is None else self.deal.axis

    def column_steps(self, stretch: Stretch) -> tuple[int, ...]:
        """What the loops over columns go on by: positions, or panels where lanes are columns."""
        axis, widths, lanes = stretch.axis, self.tiling.widths, self.roles.lanes
        if axis != self.roles.vector:
            return _down_to_one(widths)
        if axis.lanes:
            if stretch.inside != axis.lanes:
                return (1,)
            apart = self.deal is not None and self.deal.apart
            return _down_to_one(widths) if apart else widths
        widths = _down_to_one(widths) if self.ragged else widths
        steps = tuple(width * lanes for width in widths if width * lanes <= axis.most)
        if axis.dynamic:
            return _down_to_one(tuple(dict.fromkeys((*steps, lanes))))
        return (*steps, axis.most % lanes) if axis.most % lanes else steps

    def is_one_group(self, column: Axis) -> bool:
        """Are all ragged columns side by side in a tile?"""
        together = -(-column.most // self.roles.lanes) <= self.tiling.widths[0]
        return self.ragged and together and column != self.shared

    def heights(self, stretch: Stretch, columns: int) -> tuple[int, ...]:
        """How many rows a tile takes that is so many columns wide."""
        axis, known = stretch.axis, self.tiling.heights
        cut = axis == self.shared or self.block is not None
        if axis.lanes or not (cut or axis.dynamic):
            whole = self.tiling.whole
            return whole[min(columns, max(whole))][stretch.extent]
        heights = known[min(columns, max(known))][stretch.extent]
        dealt_out = known[self.tiling.widths[0]][stretch.extent]
        if cut and heights != dealt_out:
            grain = dealt_out[0]  # of which a part or block has a whole number, but for the last
            tall = heights[0] // grain * grain
            if not tall:  # more vectors than a group has: the last panel's columns, in parts
                heights = _parts_of(grain, heights[0], stretch.extent)
            else:
                heights = (tall, *dealt_out) if tall > grain else dealt_out
        return _down_to_one(heights) if axis.dynamic else heights

    def usable(self, margins: Sequence[Margin]) -> Sequence[Margin]:
        """Those that save much, and whose positions are known where products are added up."""
        roles = self.roles
        axes = [each for each in (*roles.outer, *roles.inner, roles.row, roles.column) if each]
        most = {axis.letter: axis.most for axis in axes}
        worth = [each for each in margins if each.share(most) <= WORTH_LEAVING_OUT]
        column = roles.column.letter if roles.column is not None else ""
        apart = [margin for margin in worth if column != margin.position]
        row = roles.row
        if row is None or self._is_written_out(row, apart):
            return apart
        return [margin for margin in apart if row.letter != margin.position]

    def _is_written_out(self, row: Axis, margins: Sequence[Margin]) -> bool:
        """May tiles of rows be written one by one, each with the taps that it meets?

        Sums that go from one loop to the next need a register to change places.
        """
        if self.spare < 1:
            return False
        taps = {margin.tap for margin in margins if margin.position == row.letter}
        times = [axis.most for axis in self.roles.inner if axis.letter in taps]
        if not times or row.dynamic or row.lanes or row == self.shared or self.block is not None:
            return False
        heights = self.tiling.whole[self.tiling.widths[0]][row.most]
        return sum(tiles(row.most, heights)) * times[0] <= MOST_BODIES

    def share(self, builder: NestBuilder, *, padded: bool) -> None:
        """Deals out the loop of which the busiest thread gets the least.

        Are the operands `padded`? Then rows are better left together.
        """
        roles = self.roles
        axes = [axis for axis in (*roles.outer, roles.column, roles.row) if axis is not None]
        products = math.prod(axis.most for axis in (*axes, *roles.inner))
        if not axes or products < WORTH_SHARING:
            return
        deals = [self._deal(axis, INSIDE * place) for place, axis in enumerate(axes)]
        if self.ragged and len(axes) > 1:
            deals = [deal for deal in deals if deal.axis != roles.column]
        if padded and axes[-1] == roles.row:
            deals[-1] = replace(deals[-1], price=deals[-1].price + WRITTEN_OUT)
        if products >= WORTH_TAKING_APART and self._comes_apart():
            place = len(roles.outer)
            deals.append(self._deal(axes[place], INSIDE * place + TAKEN_APART, apart=True))
        following = axes[: len(roles.outer) + 1]  # inside of outer ones only
        inside = [deal for deal in deals if deal.axis in following]
        deals += [run for deal in inside for run in deal.runs(axes[: axes.index(deal.axis)])]
        self.deal = chosen = min(deals, key=lambda deal: deal.cost)
        if chosen.around:
            self.dealt = builder.share(chosen.count)
        elif len(chosen.passes) > 1:
            ends = builder.share(chosen.count)
            self.stretches[chosen.axis] = tuple(self._between(builder, ends, Affine()))
        else:
            (stretch,), (passes,) = self.stretches[chosen.axis], chosen.passes
            part = stretch.between(*builder.share(stretch.high, passes.grain))
            self.stretches[chosen.axis] = (part,)

    def _comes_apart(self) -> bool:
        """Are columns in panels, and rows of a single vector as those of a group?"""
        row, column = self.roles.row, self.roles.column
        panels = column is not None and column.lanes > 0 and column == self.roles.vector
        if row is None or not panels or self.tiling.widths[0] == 1:
            return False
        heights = self.tiling.heights
        return row.most >= ENOUGH_SUMS or heights[1] == heights[self.tiling.widths[0]]

    @property
    def whole(self) -> int:
        """Vectors of a group that may come apart and has few sums, which are several in turn."""
        row, apart = self.roles.row, self.deal is not None and self.deal.apart
        return self.tiling.widths[0] if apart and row is not None and row.most < ENOUGH_SUMS else 1

    def _deal(self, axis: Axis, price: float, *, apart: bool = False) -> Deal:
        """This loop alone; where panels are several loops, they are dealt out as one."""
        passes = []
        for stretch in self.stretches[axis]:
            extent = stretch.high if isinstance(stretch.high, int) else axis.most
            inside = stretch.inside if axis != self.roles.vector else 0
            passes.append(Passes(extent, self._grain(stretch, apart=apart), inside or 1))
        return Deal(axis, tuple(passes), price, apart)

    def _grain(self, stretch: Stretch, *, apart: bool) -> int:
        """Positions, or panels, that are dealt out together: those of a pass of the loop."""
        axis = stretch.axis
        if axis == self.roles.column:
            single = axis != self.roles.vector and axis.lanes
            return 1 if single or apart else self.column_steps(stretch)[0]
        if axis == self.roles.row and not axis.lanes:
            return self.tiling.heights[self.tiling.widths[0]][stretch.extent][0]
        return 1

    def is_dealt_out_in(self, axes: Sequence[Axis]) -> bool:
        """Is the next loop, of which those over `axes` are the first, one of several dealt out?"""
        roles = self.roles
        following = [axis for axis in (*axes, roles.column, roles.row) if axis is not None]
        return self.dealt is not None and following[:1] == [self.shared]

    def within(self, builder: NestBuilder, at: Positions) -> Partition:
        """This thread's passes of the innermost of these loops, where the others stand."""
        assert self.deal is not None
        assert self.dealt is not None
        before = Affine()
        for outer in self.deal.around:
            position = at[outer.letter]
            assert isinstance(position, Affine), "the axes around are in no panels"
            before = before * outer.most + position
        (passes,) = self.deal.passes
        part = tuple(self._between(builder, self.dealt, before * -passes.count))
        return replace(self, stretches={**self.stretches, self.deal.axis: part}, dealt=None)

    def _between(
        self, builder: NestBuilder, ends: tuple[Index, Index], moved: Affine
    ) -> Iterator[Stretch]:
        """Of the loops that are dealt out as one, the passes from one end to the other."""
        assert self.deal is not None
        stretches = self.stretches[self.deal.axis]
        for stretch, passes in zip(stretches, self.deal.passes, strict=True):
            low, high = (builder.positions((affine(end) + moved) * passes.grain, 1) for end in ends)
            first, last = (builder.constant(end, Kind(int64)) for end in (0, passes.extent))
            yield stretch.between(
                builder.compute("maximum", low, first), builder.compute("minimum", high, last)
            )
            moved += -passes.count


def _parts_of(grain: int, most: int, extent: int) -> tuple[int, ...]:
    """Heights of at most so many rows of which a grain has a whole number; then what is left."""
    height = next(size for size in range(min(most, grain), 0, -1) if grain % size == 0)
    return (height, extent % height) if extent % height else (height,)


def tile_starts(extent: int, heights: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where each tile of rows starts, and its height."""
    start = 0
    for height, count in zip(heights, tiles(extent, heights), strict=True):
        for _ in range(count):
            yield start, height
            start += height


def partition(
    frame: Frame, root: Contraction, factors: tuple[Factor, Factor], roles: Roles
) -> Partition:
    stretches = {axis: axis.stretches for axis in (*roles.outer, roles.row) if axis is not None}
    if roles.column is not None:
        roomy = roles.column == roles.vector and _has_room(frame, root, factors, roles.column)
        stretches[roles.column] = _columns(roles.column, roomy)
    rows = [(1, 1)]
    if roles.row is not None:
        rows = [(stretch.extent, stretch.times) for stretch in stretches[roles.row]]
    depth = math.prod(axis.most for axis in roles.inner)
    if roles.across:
        depth = -(-depth // roles.lanes)
    width = -(-roles.lanes * roles.dtype.itemsize // frame.machine.vector_bytes)
    steady = len(roles.inner) > 1
    times = math.prod(axis.most for axis in roles.outer)
    dealt_out = all(axis.most < ENOUGH_PARTS for axis in roles.outer)
    ragged = _is_ragged(frame.machine, roles)
    vectors = _vectors(roles, stretches, ragged=ragged)
    most = rows_near(depth * frame.machine.vector_bytes) if _is_row_by_row(roles) else None
    few = all(extent <= FEW_ROWS for extent, _ in rows)
    scattered = few and _lie_apart(factors, roles)
    fixed = roles.row is None or not roles.row.dynamic
    work = TiledArea(
        rows, vectors, depth, width, steady, times, dealt_out, most, scattered,
        fixed=fixed, piece=root.piece, spare=_left_free(roles, depth),
    )  # fmt: skip
    chosen = tiling(frame.machine, work)
    block = _block(frame.machine, factors, roles, chosen, stretches)
    spare = _spare(frame.machine, chosen, width)
    far = scattered and is_far(frame.machine, work)
    return Partition(roles, chosen, stretches, block, spare, ragged=ragged, far=far)


def _left_free(roles: Roles, depth: int) -> int:
    """Registers for what LLVM reads ahead where sums are short, and what follows stands beside."""
    if any(axis.dynamic for axis in roles.inner):
        return 2 if depth <= FEW_ROWS else 0
    return WRITTEN_AHEAD if depth <= SHORT else 0


def _is_row_by_row(roles: Roles) -> bool:
    """Are lanes added up in the end, and are they those of the one axis that is summed over?"""
    return roles.across and len(roles.inner) == 1


def _is_ragged(machine: Machine, roles: Roles) -> bool:
    """Do columns side by side end with a vector that they do not fill?"""
    column = roles.column
    if not machine.masks or column is None or column != roles.vector or column.dynamic:
        return False
    return not column.lanes and column.most % roles.lanes > 1


def _lie_apart(factors: Sequence[Factor], roles: Roles) -> bool:
    """Are the vectors of one step in other rows of memory than those of the next?"""
    if roles.across or roles.vector is None or not roles.levels:
        return False
    beside = [factor for factor in factors if roles.vector.letter in factor.letters]
    return any(roles.levels[-1].step(factor) > roles.lanes for factor in beside)


def _spare(machine: Machine, found: Tiling, width: int) -> int:
    """Registers beside sums, the vectors of a step, and the element that multiplies them."""
    spare = [
        machine.registers - (high * wide + wide) * width - 1
        for wide in found.widths
        for heights in (*found.heights[wide].values(), *found.whole[wide].values())
        for high in heights
    ]
    return min(spare, default=0)


def _block(
    machine: Machine,
    factors: tuple[Factor, Factor],
    roles: Roles,
    chosen: Tiling,
    stretches: dict[Axis, tuple[Stretch, ...]],
) -> int | None:
    """So many rows that what is read for them stays in the second-level cache."""
    row, column = roles.row, roles.column
    if row is None or column is None or _vectors(roles, stretches) <= chosen.widths[0]:
        return None
    near = int(machine.second_level * KEPT_NEAR)
    read = sum(_bytes(factor, roles) for factor in factors if row.letter in factor.letters)
    fitting = near * row.most // max(read, 1)
    first = stretches[row][0]
    grain = row.lanes or chosen.heights[chosen.widths[0]][first.extent][0]
    if _is_row_by_row(roles):  # the rows of a tile are read again for all columns
        return None if row.lanes or read <= NEAR else grain
    if fitting >= row.most or fitting < FEWEST_TILES * grain:
        return None
    blocks = -(-row.most // (fitting // grain * grain))
    grains = -(-row.most // (blocks * grain))
    return grains if row.lanes else grains * grain


def _bytes(factor: Factor, roles: Roles) -> int:
    """Of a factor's elements, as far as they are read for one position of the outer axes."""
    axes = [axis for axis in (roles.row, roles.column, *roles.inner) if axis is not None]
    inside = [axis.most for axis in axes if axis.letter in factor.letters]
    return math.prod(inside) * factor.found.parameter.dtype.itemsize


def _columns(column: Axis, roomy: bool) -> tuple[Stretch, ...]:
    if not roomy:
        return column.stretches
    return (Stretch(column, 0, -(-column.most // column.lanes), inside=column.lanes),)


def _has_room(
    frame: Frame, root: Contraction, factors: tuple[Factor, Factor], column: Axis
) -> bool:
    """May the lanes past the last column be computed too?"""
    if not column.lanes:
        return False
    position = root.letters[2].index(column.letter)
    others = frame.accesses(root.out.type.shape)
    written = others[len(others) - len(frame.kernel.stored) :]
    read = [(each.found, each.letters.find(column.letter)) for each in factors]
    read += [(found, position) for found in others]
    return all(found.panels == position for found in written) and all(
        _can_be_read_past(found, axis, column.lanes) for found, axis in read if axis >= 0
    )


def _can_be_read_past(found: Access, axis: int, lanes: int) -> bool:
    """In panels there are lanes past the end; else the storage goes on by a vector."""
    if found.panels == axis or found.strides[axis] == 0:
        return True
    return found.strides[axis] == 1 and found.roomy(lanes)


def _vectors(
    roles: Roles, stretches: dict[Axis, tuple[Stretch, ...]], *, ragged: bool = False
) -> int:
    """The columns of a tile can be so many at most."""
    column = roles.column
    if column is None:
        return 1
    first = stretches[column][0]
    if column != roles.vector:
        return first.extent
    if column.lanes:
        assert isinstance(first.high, int)
        return first.high
    return -(-column.most // roles.lanes) if ragged else max(column.most // roles.lanes, 1)


def _down_to_one(sizes: tuple[int, ...]) -> tuple[int, ...]:
    return sizes if sizes[-1:] == (1,) else (*sizes, 1)
