"""What an agent acts in, as nodes."""

from __future__ import annotations

from typing import Protocol, TypeVar, runtime_checkable

from chainc.ir import Node
from chainrule.sequences.steps import Nodes

S = TypeVar("S", bound=Nodes)


@runtime_checkable
class Environment(Protocol[S]):
    """An environment for many episodes side by side: the first axis of all that it gives.

    What it draws at random, such as where an episode begins, is drawn by ops such as `cr.uniform`,
    so it is new in each step and the same on each target.
    """

    @property
    def actions(self) -> int:
        """How many there are to choose from."""

    def reset(self, episodes: int) -> S:
        """The state in which episodes begin: a node, or several."""

    def step(self, state: S, action: Node) -> tuple[S, Node, Node]:
        """The next state, the reward, and whether the episode has ended by itself.

        Args:
            state: as `reset` gives it; the next one has the same types.
            action: of each episode, as int64.
        """

    def observe(self, state: S) -> Node:
        """What an agent sees of it, (episodes, …)."""
