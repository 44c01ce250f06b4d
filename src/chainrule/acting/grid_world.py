"""A way to be found on a board."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ir.leaves import constant
from chainc.ops import astype, bernoulli, broadcast_to, equal, floor, one_hot, take, uniform, where
from chainrule.declare.arguments import number, several

START, GOAL, WALL, CLIFF, FREE = "SG#C."
MOVES = {"up": (-1, 0), "right": (0, 1), "down": (1, 0), "left": (0, -1)}
FALL = -100.0


class GridWorld:
    """Walk from S to G on a board of letters, a field a step, each of which costs 1.

    A free field is `.`, a wall is `#`; who walks into a wall or off the board stays. A cliff is
    `C`: who steps on it loses 100 and is back at S (Sutton and Barto, example 6.6). Actions are up
    (0), right (1), down (2) and left (3). What is observed is the field, as one hot.

    Args:
        rows: of the board from above, texts of one length with one S and at least one G.
        slip: the probability that a step goes in any of the four directions instead.

    Raises:
        InputError: the board is none, or the probability is not from 0 to 1.
    """

    actions = len(MOVES)

    def __init__(self, rows: Sequence[str], slip: float = 0.0) -> None:
        self.fields = _fields(rows)
        hint = "give a probability, such as slip=0.1"
        self.slip = number("GridWorld", "slip", slip, at_least=0, below=1 + 1e-12, hint=hint)

    def __repr__(self) -> str:
        height, width = self.fields.shape
        return f"<GridWorld of {height} × {width} fields>"

    @property
    def start(self) -> int:
        """The number of S, counted row by row."""
        return int(np.flatnonzero(self.fields == START)[0])

    @cached_property
    def leads_to(self) -> NDArray[np.int64]:
        """The field after each action on each field, (fields, actions), before a fall."""
        height, width = self.fields.shape
        found = np.empty((height, width, self.actions), np.int64)
        for row, column in np.ndindex(height, width):
            for action, (down, right) in enumerate(MOVES.values()):
                to = min(max(row + down, 0), height - 1), min(max(column + right, 0), width - 1)
                blocked = self.fields[to] == WALL
                found[row, column, action] = (
                    row * width + column if blocked else to[0] * width + to[1]
                )
        return found.reshape(-1, self.actions)

    def reset(self, episodes: int) -> Node:
        """On S."""
        return broadcast_to(constant(np.int64(self.start)), (episodes,))

    def step(self, state: Node, action: Node) -> tuple[Node, Node, Node]:
        """To the next field."""
        if self.slip:
            slips = bernoulli(state.shape, self.slip)
            other = astype(floor(uniform(state.shape, high=self.actions)), action.dtype)
            action = where(slips, other, action)
        to = take(constant(self.leads_to.ravel()), state * self.actions + action)
        falls, at_goal = self._is(CLIFF, to), self._is(GOAL, to)
        return where(falls, self.start, to), where(falls, FALL, -1.0), at_goal

    def observe(self, state: Node) -> Node:
        """One hot, (episodes, fields)."""
        return one_hot(state, self.fields.size)

    def _is(self, letter: str, field: Node) -> Node:
        return equal(take(constant((self.fields.ravel() == letter).astype(np.int32)), field), 1)


def _fields(rows: object) -> NDArray[np.str_]:
    """The letters of a board, (height, width)."""
    hint = 'give texts of one length with one S and at least one G, such as ["S..", ".#.", "..G"]'
    given = several("GridWorld", "rows", rows, hint=hint)
    texts = [row for row in given if isinstance(row, str)]
    letters = "".join(texts)
    alike = len({len(row) for row in texts}) == 1 and len(texts) == len(given) and letters
    known = set(letters) <= {START, GOAL, WALL, CLIFF, FREE}
    if not alike or not known or letters.count(START) != 1 or GOAL not in letters:
        raise InputError(f"GridWorld: {rows!r} is no board", hint=hint)
    return np.array([list(row) for row in texts])
