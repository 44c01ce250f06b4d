"""The loops over what a contraction sums up, outermost first, and which of them are written out."""

from __future__ import annotations

from collections.abc import Sequence

from chainc.dataclass import dataclass
from chainc.schedules.contraction.axes import Axis
from chainc.schedules.contraction.factor import Factor

MOST_ROWS = 8  # of a tile
MOST_STRAIGHT = 10  # steps of short axes that are written out inside a loop


@dataclass(frozen=True)
class Level:
    """One loop: over the positions of an axis, over its panels, or over `inside` lanes of one."""

    axis: Axis
    inside: int = 0

    @property
    def panels(self) -> bool:
        return self.axis.lanes > 0 and not self.inside

    @property
    def most(self) -> int:
        if self.panels:
            return -(-self.axis.most // self.axis.lanes)
        return self.inside or self.axis.most

    def step(self, factor: Factor) -> int:
        """From one position to the next, in elements of an operand."""
        letter = self.axis.letter
        if letter not in factor.letters:
            return 0
        if self.panels:
            return factor.panel_stride(letter, self.axis.lanes)
        return abs(factor.stride(letter))


def levels_of(axes: Sequence[Axis]) -> list[Level]:
    """An axis in panels has two, the others one."""
    found: list[Level] = []
    for axis in axes:
        found.append(Level(axis))
        if axis.lanes:
            found.append(Level(axis, min(axis.lanes, axis.most)))
    return found


def ordered(axes: Sequence[Axis], factors: Sequence[Factor], row: Axis | None) -> tuple[Level, ...]:
    """That with the largest steps through memory comes first.

    Rows that read the same elements at different positions of a level would have to keep them in
    registers if these followed each other at once: such a level is not the innermost.
    """

    def span(level: Level) -> int:
        return sum(map(level.step, factors))

    found = sorted(levels_of(axes), key=lambda level: -span(level))
    apart = [level for level in found if not shares_elements(level, row, factors)]
    if apart and found[-1] != apart[-1]:
        last = next((level for level in reversed(apart) if not level.panels), None)
        if last is not None:
            found.remove(last)
            found.append(last)
    return tuple(found)


def shares_elements(level: Level, row: Axis | None, factors: Sequence[Factor]) -> bool:
    """Does a row read at one position of a level what another row reads at another?"""
    if row is None:
        return False
    for factor in factors:
        if row.letter in factor.letters and level.axis.letter in factor.letters:
            apart, step = abs(factor.stride(row.letter)), level.step(factor)
            meeting = (apart * rows for rows in range(1, MOST_ROWS))
            if step and any(d % step == 0 and d // step < level.most for d in meeting):
                return True
    return False


def keeps_elements(level: Level, row: Axis | None, factors: Sequence[Factor], room: int) -> bool:
    """Would rows keep elements from one position of a level to the next, without room for them?

    Those that other rows read, or that are the same at all positions if no register is left.
    """
    if row is None or shares_elements(level, row, factors):
        return row is not None
    fixed = (row.letter in each.letters and not level.step(each) for each in factors)
    return room < 0 and any(fixed)


def split(
    levels: Sequence[Level], row: Axis | None, factors: Sequence[Factor]
) -> tuple[Sequence[Level], Sequence[Level]]:
    """Those that are loops, and short ones inside them that are written out, as taps are."""
    count, steps = 0, 1
    for level in reversed(levels[1:]):
        short = not level.axis.dynamic and steps * level.most <= MOST_STRAIGHT
        if not short or level.axis.lanes or shares_elements(level, row, factors):
            break
        count, steps = count + 1, steps * level.most
    return levels[: len(levels) - count], levels[len(levels) - count :]
