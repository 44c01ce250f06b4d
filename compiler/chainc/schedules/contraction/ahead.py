"""What is asked for before it is needed: rows of weights that are read once, from afar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from chainc.loops.values import Address
from chainc.schedules.contraction.axes import Positions
from chainc.schedules.contraction.factor import Factor
from chainc.schedules.contraction.roles import Roles
from chainc.schedules.layout.access import PanelPosition


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
