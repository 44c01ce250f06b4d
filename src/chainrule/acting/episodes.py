"""Episodes of a policy in an environment, side by side, as a loop of the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainc.dataclass import dataclass
from chainc.ir import Node, scope
from chainc.ir.leaves import constant
from chainc.ops import (
    astype,
    broadcast_to,
    logical_and,
    logical_not,
    reshape,
    stop_gradient,
    sum,
    where,
)
from chainrule.acting.contract import PLAY, Held
from chainrule.acting.environment import Environment, S
from chainrule.declare.arguments import count, number
from chainrule.sequences.scan import scan
from chainrule.text.choosing import choose


@dataclass(frozen=True, eq=False)
class Episodes:
    """What was played: of each step and each episode, (steps, episodes, …). No gradient goes back.

    After an episode has ended its state stays, its rewards are 0, and it is not `running`.

    Attributes:
        observations: what the policy saw before it acted.
        actions: what it did, as int64.
        rewards: what it got for it.
        running: 1 where the step belongs to the episode, else 0.
        ended: 1 in the step with which the environment ended the episode, else 0. An episode that
            the last step cuts short has not ended: what would have come counts.
        last: what is observed after the last step, (episodes, …).
    """

    observations: Node
    actions: Node
    rewards: Node
    running: Node
    ended: Node
    last: Node

    @property
    def returns(self) -> Node:
        """The sum of the rewards of each episode, (episodes)."""
        return sum(self.rewards, axis=0)

    @property
    def lengths(self) -> Node:
        """How many steps each has, (episodes), as floating-point numbers."""
        return sum(self.running, axis=0)


def play(
    environment: Environment[S],
    policy: Callable[[Node], Node],
    *,
    episodes: int,
    steps: int,
    temperature: float = 1.0,
) -> Episodes:
    """Let a policy act in episodes side by side, each from a beginning of its own.

    Args:
        environment: what it acts in, such as `CartPole()`.
        policy: gives for what is observed, (episodes, …), the logits of the actions, (episodes,
            actions): a model, or any function of a node.
        episodes: how many.
        steps: an episode has at most; all are done, also those after its end.
        temperature: what the logits are divided by before an action is drawn; with 0 it is the
            likeliest.

    Raises:
        GraphError: it is no environment, or gives something else than it should.
        ShapeError: a step changes the type of the state, or a shape does not fit.
        InputError: a number is out of range.
    """
    length = count(PLAY, "steps", steps, hint="give the most steps an episode has: steps=500")
    hint = "give 1 to draw as the policy says, 0 for the likeliest action"
    warmth = number(PLAY, "temperature", temperature, at_least=0, hint=hint)
    rows = count(PLAY, "episodes", episodes, hint="give how many play: episodes=16")

    def act(carry: Sequence[Node]) -> tuple[Sequence[Node], Sequence[Node]]:
        running, *state = carry
        seen = held.observe(state)
        action = choose(held.logits(policy, seen), warmth)
        after, reward, over = held.step(state, action)
        kept = [where(_for_rows(running, new), new, old)
                for new, old in zip(after, state, strict=True)]  # fmt: skip
        runs, ended = astype(running, reward.dtype), logical_and(running, over)
        told = seen, action, reward * runs, runs, astype(ended, reward.dtype)
        return (logical_and(running, logical_not(over)), *kept), told

    with scope(PLAY):
        held = Held.of(environment, rows)
        begun = broadcast_to(constant(True), (rows,))
        carry, kept = scan(act, (begun, *held.first), length=length)
        assert isinstance(carry, Sequence)
        assert isinstance(kept, Sequence)
        found = [*kept, held.observe(carry[1:])]
        return Episodes(*(stop_gradient(node) if node.dtype.is_float else node for node in found))


def _for_rows(flags: Node, like: Node) -> Node:
    """One of each row, as another node has axes."""
    return reshape(flags, (*flags.shape, *(1 for _ in like.shape[1:])))
