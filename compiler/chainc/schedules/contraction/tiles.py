"""Register tiles of a contraction: which fit a machine, what they cost, and how they cover.

A tile holds rows × vectors sums in registers. One step of the reduction loads a vector for each
column and a scalar for each row, and multiplies and adds each pair of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial

from chainc.dataclass import dataclass
from chainc.schedules.layout.far import LINE
from chainc.schedules.layout.machine import AVX2, AVX512, NEON, SIMD128, SSE, Machine

FMA_PER_CYCLE = 2
LOADS_PER_CYCLE = 2
FMA_LATENCY = 4  # cycles until a sum can be added to again,
WAITING = 0.7  # and more where no others are at hand meanwhile: measured with eight sums
LOAD_WEIGHT = 0.1  # of a load that hides behind arithmetic: fewer of them are better
TILE_OVERHEAD = 40.0  # cycles around a tile's reduction
APART = 32.0  # bytes a cycle of what lies in rows of memory apart from each other,
ANEW = 5.0  # and cycles until caches foresee what follows, in each of them
SUM_COST = 150.0  # cycles worth spending to have one sum less in the tiles to compile
IMBALANCE_WEIGHT = 0.15  # how much two threads count against one
MOST_TIMES = 4  # that count: where tiles run often, code is worth less, and yet something
MOST_VECTORS = 8


@dataclass(frozen=True)
class Limits:
    """Tiles up to which LLVM keeps everything in registers, and what its caches give: measured.

    Attributes:
        sums: registers that hold sums.
        rows: of any tile.
        vectors: side by side in a tile of more than two rows.
        near: bytes up to which vectors stay near that are read again for each tile.
        far: bytes a cycle that come from the second-level cache without being waited for.
        steady: the same where they lie in the order in which several axes are summed over.
        steps: of the innermost loop in one pass; and in tiles of two vectors, which gain by more.
        ahead: bytes of rows of memory that are asked for before they are read, where it gains.
    """

    sums: int
    rows: int
    vectors: int
    near: int = 16 << 10
    far: float = 20.0
    steady: float = 20.0
    steps: tuple[int, int] = (4, 8)
    ahead: int = 0


_LIMITS: Mapping[tuple[int, int], Limits] = {
    AVX512.register_file: Limits(sums=24, rows=24, vectors=4, ahead=4 << 10),
    AVX2.register_file: Limits(sums=12, rows=8, vectors=3, near=24 << 10, far=12.0),
    NEON.register_file: Limits(sums=20, rows=16, vectors=4),
    SSE.register_file: Limits(sums=8, rows=8, vectors=2),  # a product takes a register first
    # engines load all that a pass reads before they compute: two steps are too many for registers
    SIMD128.register_file: Limits(sums=8, rows=8, vectors=2, steps=(1, 1)),
}

Cost = Callable[[int], float]
Heights = Mapping[int, Mapping[int, tuple[int, ...]]]  # of tiles, by their width, for each extent


def _limits(machine: Machine) -> Limits:
    return _LIMITS.get(machine.register_file, _LIMITS[SSE.register_file])


def most_sums(machine: Machine) -> int:
    """Of a tile, in registers."""
    return _limits(machine).sums


def steps_of_pass(machine: Machine, vectors: int) -> int:
    """Of the innermost loop, in tiles that many vectors wide."""
    usual, paired = _limits(machine).steps
    if vectors > MOST_VECTORS:
        return max(usual * MOST_VECTORS // vectors, 1)
    return paired if vectors == 2 else usual


def steps_ahead(machine: Machine, vectors: int) -> int:
    """So many steps before they are needed are vectors asked for that lie apart; 0: not at all."""
    return -(-_limits(machine).ahead // (vectors * machine.vector_bytes))


def near(machine: Machine) -> int:
    """Bytes up to which vectors stay near that are read again for each tile."""
    return _limits(machine).near


def fits(
    machine: Machine,
    rows: int,
    vectors: int,
    width: int = 1,
    spare: int = 0,
    *,
    far: bool = False,
) -> bool:
    """Can a tile live in registers, and leave some? `width` registers make one vector.

    What comes from `far` is read once by two rows, which share one vector after another.
    """
    most = _limits(machine)
    sums = rows * vectors * width
    if sums > most.sums or rows > most.rows:
        return False
    if rows == 1:
        return True
    if rows > 2 and vectors > most.vectors:
        return False
    held = width + 2 if far and rows == 2 else vectors * width + 1
    return sums + held + spare <= machine.registers


def cycles(machine: Machine, work: TiledArea, rows: int, vectors: int) -> float:
    """Of one of the steps of the reduction, in a tile of so many rows and vectors."""
    arithmetic = rows * vectors * work.width / FMA_PER_CYCLE
    loads = (rows + vectors * work.width) / LOADS_PER_CYCLE
    nbytes = vectors * work.width * machine.vector_bytes
    limits = _limits(machine)
    rate = limits.steady if work.steady else limits.far
    far = nbytes / rate if nbytes * work.at_once > limits.near else 0.0
    if work.scattered:
        lines = -(-nbytes // LINE)
        far = lines * LINE / APART + ANEW if is_far(machine, work) else 0.0
    latency = FMA_LATENCY + (0 if work.scattered else WAITING)
    return max(arithmetic, loads, far, latency) + LOAD_WEIGHT * loads


def is_far(machine: Machine, work: TiledArea) -> bool:
    """Are the vectors of all columns together more than stay near?"""
    nbytes = work.vectors * work.width * machine.vector_bytes * work.depth
    return nbytes > _limits(machine).near


def cover(extent: int, largest: int, cost: Cost, first_cost: Cost) -> tuple[int, ...]:
    """The cheapest sizes of tiles, by dynamic programming over what is left.

    As many tiles of the first size are used as fit, then of the next. Each tile costs `cost`, and
    the first of its size `first_cost` more.

    64 by at most 6   →   6, 4:   ten tiles of 6 and one of 4
    """

    @cache
    def best(left: int) -> tuple[float, tuple[int, ...]]:
        if left == 0:
            return 0.0, ()
        return min(led(left, size) for size in range(1, min(left, largest) + 1))

    def led(left: int, size: int) -> tuple[float, tuple[int, ...]]:
        rest, sizes = best(left % size)
        return left // size * cost(size) + first_cost(size) + rest, (size, *sizes)

    return best(extent)[1]


def mixed(extent: int, largest: int, cost: Cost, first_cost: Cost) -> tuple[int, ...]:
    """The same where two sizes may share an extent in any way that uses it up.

    32 by at most 6   →   6, 5:   two tiles of 6 and four of 5, where 5, 2 end with a small one
    """
    sizes = range(1, min(extent, largest) + 1)
    pairs = [(a, b) for a in sizes for b in range(1, a) if _tiles(extent, (a, b), exact=True)]
    found = [cover(extent, largest, cost, first_cost), *pairs]
    return min(found, key=lambda x: covered(extent, x, cost) + sum(map(first_cost, x)))


def covered(extent: int, sizes: Sequence[int], cost: Cost) -> float:
    """What all tiles of a cover cost."""
    return sum(n * cost(size) for size, n in zip(sizes, tiles(extent, sizes), strict=True))


def tiles(extent: int, sizes: Sequence[int]) -> tuple[int, ...]:
    """How many there are of each size: as many of the first as leave what the others use up.

    If they can not, all are as many as fit.
    """
    return _tiles(extent, tuple(sizes), exact=True) or _tiles(extent, tuple(sizes), exact=False)


@cache
def _tiles(extent: int, sizes: tuple[int, ...], *, exact: bool) -> tuple[int, ...]:
    if not sizes:
        return ()
    size, rest = sizes[0], sizes[1:]
    most = extent // size
    if not exact or not rest:
        fits_in = not exact or most * size == extent
        return (most, *_tiles(extent % size, rest, exact=False)) if fits_in else ()
    for count in range(most, max(most - rest[0], -1), -1):
        others = _tiles(extent - count * size, rest, exact=True)
        if others:
            return (count, *others)
    return ()


@dataclass(frozen=True)
class Tiling:
    """How many vectors wide tiles are to be, and for any width the heights that cover an extent.

    Attributes:
        widths: the first as often as it fits, then the next.
        heights: for extents that are gone through in parts: each as often as it fits.
        whole: for those that are gone through at once, as `tiles` counts them.
    """

    widths: tuple[int, ...]
    heights: Heights
    whole: Heights


@dataclass(frozen=True)
class TiledArea:
    """What is to be covered.

    Attributes:
        rows: extents, and how often each occurs.
        vectors: of columns.
        depth: steps of the reduction.
        width: registers that make one vector.
        steady: several axes are summed over, in the order in which vectors lie.
        times: how often all of it is gone through.
        dealt_out: are groups of columns what two threads share?
        most_rows: of a tile, as far as they stay near for all columns.
        scattered: vectors are read once, and those of one step lie apart from those of the next.
        fixed: the number of rows is known when compiling.
        piece: steps at a time, after which sums are laid down; 0: all.
        spare: registers that sums leave to what is written out with them.
    """

    rows: Sequence[tuple[int, int]]
    vectors: int
    depth: int
    width: int = 1
    steady: bool = False
    times: int = 1
    dealt_out: bool = True
    most_rows: int | None = None
    scattered: bool = False
    fixed: bool = True
    piece: int = 0
    spare: int = 0

    @property
    def pieces(self) -> int:
        return -(-self.depth // self.piece) if self.piece else 1

    @property
    def at_once(self) -> int:
        """Steps of the reduction without a stop."""
        return min(self.depth, self.piece or self.depth)


def tiling(machine: Machine, work: TiledArea) -> Tiling:
    """The tiles that take the fewest cycles, and few shapes of them."""
    found = {wide: _heights(machine, work, wide) for wide in _widths(machine, work)}
    heights, whole = ({wide: each[place] for wide, each in found.items()} for place in (0, 1))
    used = whole if work.fixed else heights

    def cost(wide: int) -> float:
        tile = _tile_cost(machine, work, wide)
        return sum(n * covered(extent, used[wide][extent], tile) for extent, n in work.rows)

    def code(wide: int) -> float:
        return sum(_code_cost(work, wide, size) for e, _ in work.rows for size in used[wide][e])

    candidates = []
    for first in range(1, min(work.vectors, max(heights)) + 1):
        rest = work.vectors % first
        widths = (first, *cover(rest, first, cost, code))
        total = covered(work.vectors, widths, cost)
        total *= _imbalance(work.vectors, first) if work.dealt_out and machine.shares else 1
        candidates.append((total + sum(map(code, widths)), widths))
    return Tiling(min(candidates)[1], heights, whole)


def _widths(machine: Machine, work: TiledArea) -> list[int]:
    """The more of a row is read at once, the less is waited for others, where they lie apart."""
    most = _limits(machine).sums if work.scattered else MOST_VECTORS // work.width
    found = [n for n in range(1, most + 1) if fits(machine, 1, n, work.width)]
    return found or [1]


def _heights(
    machine: Machine, work: TiledArea, wide: int
) -> tuple[Mapping[int, tuple[int, ...]], Mapping[int, tuple[int, ...]]]:
    """For tiles of one width, each extent's cover: in parts, and as a whole."""
    high, most = 1, work.most_rows or max(extent for extent, _ in work.rows)
    far = work.scattered and is_far(machine, work)
    while high < most and fits(machine, high + 1, wide, work.width, work.spare, far=far):
        high += 1
    tile, groups = _tile_cost(machine, work, wide), -(-work.vectors // wide)

    def code(size: int) -> float:
        return _code_cost(work, wide, size)

    parts, whole = {}, {}
    for extent, times in work.rows:
        cost: Cost = partial(_several, times * groups, tile)
        parts[extent] = cover(extent, high, cost, code)
        whole[extent] = mixed(extent, high, cost, code)
    return parts, whole


def _several(times: int, cost: Cost, size: int) -> float:
    return times * cost(size)


def _code_cost(work: TiledArea, wide: int, high: int) -> float:
    """Of very wide tiles fewer steps are written out."""
    return SUM_COST * high * min(wide * work.width, MOST_VECTORS)


def _tile_cost(machine: Machine, work: TiledArea, wide: int) -> Cost:
    """Cycles of a tile of one width, by its height."""
    times = MOST_TIMES if work.scattered else min(work.times, MOST_TIMES)

    def cost(size: int) -> float:
        reduction = work.depth * cycles(machine, work, size, wide)
        return times * (reduction + work.pieces * (TILE_OVERHEAD + size * wide * work.width))

    return cost


def _imbalance(vectors: int, first: int) -> float:
    """What two threads lose when columns are dealt out in groups of `first` vectors."""
    groups = -(-vectors // first)
    less = groups // 2 * first
    return 1 + IMBALANCE_WEIGHT * (2 * max(less, vectors - less) / vectors - 1)
