"""The axes of a contraction, named by letters, and loops over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.ir.types import Dim
from chainc.loops.builder import NestBuilder
from chainc.loops.values import Affine, Bound, Register, affine
from chainc.schedules.contraction.tiles import tiles
from chainc.schedules.layout.access import PanelPosition, bound_of

Position = Affine | PanelPosition
Positions = Mapping[str, Position]  # where each letter stands
Values = Sequence[Register]


@dataclass(frozen=True)
class Axis:
    """One letter: its extent, the most that it can be, and the lanes of its panels, if any."""

    letter: str
    extent: Dim
    most: int
    lanes: int = 0

    @property
    def dynamic(self) -> bool:
        return not isinstance(self.extent, int)

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """Whole panels, then the rest of the last; without panels all in one."""
        if not self.lanes:
            return (Stretch(self, 0, bound_of(self.extent)),)
        panels, rest = divmod(self.most, self.lanes)
        whole = (Stretch(self, 0, panels, inside=self.lanes),) if panels else ()
        last = (Stretch(self, 0, 1, offset=panels, inside=rest),) if rest else ()
        return whole + last


@dataclass(frozen=True)
class Stretch:
    """Neighbouring positions of an axis.

    In panels, low … high count panels from the panel `offset` on, and `inside` of the lanes of
    each are meant; else they count positions.
    """

    axis: Axis
    low: Bound
    high: Bound
    offset: int = 0
    inside: int = 0

    @property
    def extent(self) -> int:
        """Positions that lie side by side, at most."""
        return self.inside or self.axis.most

    @property
    def times(self) -> int:
        """How often: the number of panels."""
        if not self.inside:
            return 1
        return self.axis.most // self.axis.lanes if self.inside == self.axis.lanes else 1

    def between(self, low: Bound, high: Bound) -> Stretch:
        return replace(self, low=low, high=high)


@contextmanager
def block_of(builder: NestBuilder, stretch: Stretch, size: int) -> Iterator[Stretch]:
    """A loop over a stretch, so many positions or panels at a time; the last block ends with it."""
    low, high = stretch.low, builder.bound(stretch.high)
    beyond = builder.bound(stretch.high, size - 1)
    with builder.loop(f"{stretch.axis.letter}_block", low, beyond, size) as loop:
        end = builder.positions(affine(loop.index) + size, 1)
        yield stretch.between(loop.index, builder.compute("minimum", end, high))


def chain(
    builder: NestBuilder,
    name: str,
    bounds: tuple[Bound, Bound],
    sizes: Sequence[int],
    values: Values,
    body: Callable[[Affine, int, Values], Values],
) -> Values:
    """Loops one after another, each going on where the last one ended, in smaller steps.

    Where the end is known, no more than leave what the smaller ones use up.
    """
    start, _ = bounds
    for size, end in zip(sizes, _ends(bounds, sizes), strict=True):
        with builder.loop(name, start, end, size, carried=values) as loop:
            loop.carry(*body(affine(loop.index), size, loop.values))
        start, values = loop.index, loop.results
    return values


def _ends(bounds: tuple[Bound, Bound], sizes: Sequence[int]) -> Sequence[Bound]:
    """Of the loops: each goes to the end, but for one that has to leave more than is left over."""
    start, stop = bounds
    if not (isinstance(start, int) and isinstance(stop, int)):
        return [stop] * len(sizes)
    found = []
    for size, count in zip(sizes, tiles(stop - start, sizes), strict=True):
        start += count * size
        found.append(start if stop - start >= size else stop)
    return found


def walk(
    builder: NestBuilder,
    stretch: Stretch,
    sizes: Sequence[int],
    values: Values,
    body: Callable[[Sequence[Position], Values], Values],
) -> Values:
    """The body for so many neighbours at a time; none of them straddle a panel."""
    axis = stretch.axis
    bounds = stretch.low, stretch.high
    if not axis.lanes:

        def positions(index: Affine, size: int, values: Values) -> Values:
            return body([index + i for i in range(size)], values)

        return chain(builder, axis.letter, bounds, sizes, values, positions)

    def panel(index: Affine, _: int, values: Values) -> Values:
        return through_panel(builder, stretch, index, sizes, values, body)

    return chain(builder, f"{axis.letter}_panel", bounds, (1,), values, panel)


def through_panel(
    builder: NestBuilder,
    stretch: Stretch,
    index: Affine,
    sizes: Sequence[int],
    values: Values,
    body: Callable[[Sequence[Position], Values], Values],
) -> Values:
    """The same for one of the panels."""
    axis = stretch.axis

    def lanes(lane: Affine, size: int, values: Values) -> Values:
        split = [PanelPosition(index + stretch.offset, lane + i, axis.lanes) for i in range(size)]
        return body(split, values)

    return chain(builder, f"{axis.letter}_lane", (0, stretch.inside), sizes, values, lanes)
