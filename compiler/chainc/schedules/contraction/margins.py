"""Where the windows of a padded operand reach beyond its elements: products there are zero.

    window(pad(x))[.., p, .., t]  is element  p·stride + t·dilation  of the padded axis

So of the taps at a position, or of the positions at a tap, only those are gone through that meet
something else than padding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from chainc.dataclass import dataclass
from chainc.ir.movements import Window
from chainc.ir.types import int64
from chainc.loops.builder import NestBuilder
from chainc.loops.values import Affine, Bound, Kind
from chainc.lowering.views import View
from chainc.schedules.contraction.axes import Axis, Positions
from chainc.schedules.contraction.levels import Level
from chainc.schedules.layout.access import bound_of

ENOUGH_STEPS = 8  # inside of loops over taps, so that these are worth a loop
MOST_BODIES = 12  # taps times tiles that are written out
WORTH_LEAVING_OUT = 0.94  # of all products at most, then, meet more than padding


@dataclass(frozen=True)
class Margin:
    """Two letters that go along one padded axis, of which `first` … `stop` is no padding."""

    position: str
    tap: str
    stride: int
    dilation: int
    first: int
    stop: int

    def steps(self, letter: str) -> tuple[str, int, int] | None:
        """The other letter, and how far one step of either goes; None where it is neither."""
        if letter == self.tap:
            return self.position, self.dilation, self.stride
        return (self.tap, self.stride, self.dilation) if letter == self.position else None

    def share(self, most: Mapping[str, int]) -> float:
        """Of the taps at all positions, those that meet more than padding."""
        positions, taps = most[self.position], most[self.tap]
        met = sum(self.meets(p, t) for p in range(positions) for t in range(taps))
        return met / (positions * taps)

    def meets(self, position: int, tap: int) -> bool:
        return self.first <= position * self.stride + tap * self.dilation < self.stop


def margins_of(letters: str, view: View) -> Iterator[Margin]:
    """Of an operand that is a window of a padded tensor."""
    if view.inside is None or len(view.movements) != 1:
        return
    (window,) = view.movements
    if not isinstance(window, Window):
        return
    rank = len(view.buffer.type.shape)
    for number, (axis, steps) in enumerate(zip(window.axes, window.steps, strict=True)):
        bounds = view.inside[axis]
        if bounds is not None:
            yield Margin(letters[axis], letters[rank + number], *steps, *bounds)


def taps_first(margins: Sequence[Margin], levels: Sequence[Level]) -> Sequence[Level]:
    """Loops over taps that are not gone through at every position come outside of the others."""
    taps = {margin.tap for margin in margins}
    first = [level for level in levels if level.axis.letter in taps and not level.axis.lanes]
    others = [level for level in levels if level not in first]
    if math.prod(level.most for level in others) < ENOUGH_STEPS:
        return levels
    return [*first, *others]


def clipped(
    builder: NestBuilder, margins: Sequence[Margin], axis: Axis, at: Positions
) -> tuple[Bound, Bound]:
    """The positions along an axis that meet more than padding, as far as others are known."""
    for margin in margins:
        steps = margin.steps(axis.letter)
        if steps is None:
            continue
        other, step, apart = steps
        place = at.get(other)
        if step == 1 and isinstance(place, Affine):
            first, stop = (place * -apart + bound for bound in (margin.first, margin.stop))
            low, high = _not_negative(builder, first), _at_most(builder, stop, axis.most)
            if isinstance(low, int) and isinstance(high, int):
                high = max(low, high)
            return low, high
    return 0, bound_of(axis.extent)


def _not_negative(builder: NestBuilder, position: Affine) -> Bound:
    """The position, 0 if it is negative.

    In bits: from a maximum LLVM would work out where each load of a loop starts, and keep them all.
    """
    if not position.terms:
        return max(position.constant, 0)
    found, one = builder.positions(position, 1), builder.constant(1, Kind(int64))
    sign = builder.compute("shift_right", found, builder.constant(63, Kind(int64)))
    return builder.compute("bit_and", found, builder.compute("subtract", sign, one))


def _at_most(builder: NestBuilder, position: Affine, most: int) -> Bound:
    if not position.terms:
        return min(position.constant, most)
    limit = builder.constant(most, Kind(int64))
    return builder.compute("minimum", builder.positions(position, 1), limit)


def rows_met(
    margins: Sequence[Margin], axis: Axis, rows: Sequence[Positions], row: Axis | None
) -> Sequence[frozenset[int]] | None:
    """For each position of an axis the rows of a tile that meet more than padding, if it is known.

    Which rows those are is known where they stand at the same place in every tile.
    """
    for margin in margins:
        if row is None or axis.letter != margin.tap or row.letter != margin.position:
            continue
        places = [place[row.letter] for place in rows]
        known = [each.constant for each in places if isinstance(each, Affine) and not each.terms]
        if len(known) == len(places):
            return [
                frozenset(i for i, place in enumerate(known) if margin.meets(place, tap))
                for tap in range(axis.most)
            ]
    return None
