"""What is asked for before it is needed, where it comes from afar.

Weights that are read once, row by row of memory, some steps ahead. What the next tiles of rows
read, step by step while a tile is computed; and what an epilogue reads, before its products are
added up: a step of a training finds what the way forward has left in no cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.loops.values import Address
from chainc.schedules.contraction.axes import Axis, Positions
from chainc.schedules.contraction.factor import Factor
from chainc.schedules.contraction.roles import Roles
from chainc.schedules.contraction.tiles import near
from chainc.schedules.layout.access import Capacity, PanelPosition
from chainc.schedules.layout.far import comes_from_afar, starts_line
from chainc.schedules.layout.machine import Machine

FEWEST_ROWS = 3  # of a tile that hides what it asks for


def ahead(
    factors: Sequence[Factor], roles: Roles, columns: Sequence[Positions], steps: int
) -> Iterator[Address]:
    """Of the vectors that these columns read so many steps later.

    Past the last step too: there lies what the next product reads.
    """
    if roles.vector is None:
        return
    vector, along = roles.vector.letter, roles.levels[-1].axis.letter
    for factor in factors:
        if not {vector, along} <= set(factor.letters) or factor.found.panels is not None:
            continue
        for column in columns:
            now = column[along]
            if isinstance(now, PanelPosition):
                later = {**column, along: replace(now, lane=now.lane + steps)}
            else:
                later = {**column, along: now + steps}
            point = tuple(later[letter] for letter in factor.letters)
            yield factor.found.address(point, factor.letters.index(vector))


@dataclass(frozen=True)
class Following:
    """What comes after a tile: an operand, and the axis along which it is one panel or position on.

    All rows of a panel are in a line of the cache, which a step of any tile of them reads.
    """

    factor: Factor
    axis: Axis
    vector: Axis | None  # along which the operand is read in vectors

    def addresses(
        self, machine: Machine, row: Positions, columns: Sequence[Positions]
    ) -> Iterator[Address]:
        """In one step of a tile with this first row, each line once."""
        vector = None if self.vector is None else self.factor.letters.index(self.vector.letter)
        for column in columns if self.vector is not None else columns[:1]:
            at = {**row, **column}
            now = at[self.axis.letter]
            at[self.axis.letter] = (
                replace(now, panel=now.panel + 1) if isinstance(now, PanelPosition) else now + 1
            )
            point = tuple(at[letter] for letter in self.factor.letters)
            address = self.factor.found.address(point, vector)
            if starts_line(address, machine):
                yield address


def following(
    machine: Machine, factors: Sequence[Factor], roles: Roles, capacity: Capacity
) -> tuple[Following, ...]:
    """Of the operand whose panels are the rows; of both, where these are all near at once.

    Then the next position of another axis comes after them.
    """
    row, vector = roles.row, roles.vector
    if row is None or not row.lanes or vector is None or roles.across:
        return ()
    inside = [factor for factor in factors if factor.found.panels is not None]
    inside = [each for each in inside if each.letters[each.found.panels or 0] == row.letter]
    if len(inside) != 1 or vector.letter in inside[0].letters:
        return ()
    (rows,) = inside
    (vectors,) = (factor for factor in factors if factor is not rows)
    depth = math.prod(axis.most for axis in roles.inner)
    around = [axis for axis in roles.outer if axis.letter in rows.letters and not axis.lanes]
    found = [Following(rows, row, None)]
    if around and row.most * depth * rows.found.parameter.dtype.itemsize <= near(machine):
        found = [Following(rows, around[-1], None)]
        if around[-1].letter in vectors.letters and vector.letter in vectors.letters:
            found.append(Following(vectors, around[-1], vector))
    return tuple(each for each in found if comes_from_afar(each.factor.found, machine, capacity))
