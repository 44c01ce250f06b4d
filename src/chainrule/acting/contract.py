"""An environment and a policy, held to what they promise when they are declared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, cast

from chainc.dataclass import dataclass
from chainc.ir import Node, current_origin, describe
from chainc.ir.errors import GraphError, ShapeError
from chainc.ir.types import DType, TensorType, bool_, float32
from chainrule.acting.environment import Environment, S
from chainrule.declare.arguments import count
from chainrule.sequences.steps import check_function, nodes, told

PLAY = "play"


@dataclass(frozen=True, eq=False)
class Held(Generic[S]):
    """An environment for so many episodes; its state is always a list of nodes."""

    environment: Environment[S]
    rows: int
    first: Sequence[Node]
    several: bool

    @classmethod
    def of(cls, environment: Environment[S], rows: int) -> Held[S]:
        """Where episodes begin.

        Raises:
            GraphError: it is no environment, or its state is no node.
        """
        if isinstance(environment, type) or not isinstance(environment, Environment):
            raise GraphError(
                f"play: {environment!r} is no environment",
                hint="give one, such as acting.CartPole(), or an object with actions, reset, step "
                "and observe",
            )
        hint = "an environment has a number of actions, such as 2"
        count(_name(environment), "actions", environment.actions, hint=hint)
        first, several = nodes(PLAY, f"the state of {_name(environment)}", environment.reset(rows))
        return cls(environment, rows, first, several)

    def observe(self, state: Sequence[Node]) -> Node:
        """What is seen of a state.

        Raises:
            ShapeError: the episodes are not its first axis.
        """
        seen: object = self.environment.observe(self._own(state))
        if isinstance(seen, Node) and seen.ndim and seen.shape[0] == self.rows:
            return seen
        raise self._unfit("observe", seen, f"{self.rows} rows, one for each episode")

    def step(self, state: Sequence[Node], action: Node) -> tuple[Sequence[Node], Node, Node]:
        """The next state, the reward and the end of each episode.

        Raises:
            GraphError: they are not three.
            ShapeError: one of them does not have the type that it must have.
        """
        found: object = self.environment.step(self._own(state), action)
        if not isinstance(found, tuple) or len(found) != 3:
            raise GraphError(
                f"play: a step of {self.name} gives {_shown(found)}",
                hint="return three values: the next state, the reward, and whether it has ended",
            )
        after, _ = nodes(PLAY, f"the state of {self.name}", found[0])
        self._check_state(after)
        return after, self._of_step(found[1], float32), self._of_step(found[2], bool_)

    def logits(self, policy: Callable[[Node], Node], seen: Node) -> Node:
        """What a policy says of the actions.

        Raises:
            GraphError: it cannot be called.
            ShapeError: it gives no logit for each action.
        """
        hint = "give a model, or a function of what is observed"
        check_function(PLAY, "the policy", policy, (seen,), "what is observed", hint)
        given: object = policy(seen)
        wanted = TensorType((self.rows, self.environment.actions), float32)
        if isinstance(given, Node) and given.type == wanted:
            return given
        raise ShapeError(
            f"play: the policy gives {_shown(given)}, not {wanted}: a logit for each action of "
            f"{self.name}",
            where=_where(given, seen),
            hint=f"let its last layer have {self.environment.actions} outputs for each episode",
        )

    @property
    def name(self) -> str:
        """What errors call it."""
        return _name(self.environment)

    def _own(self, state: Sequence[Node]) -> S:
        return cast(S, tuple(state) if self.several else state[0])

    def _check_state(self, after: Sequence[Node]) -> None:
        if len(after) != len(self.first):
            raise GraphError(
                f"play: the state of {self.name} has {len(self.first)} parts after reset and "
                f"{len(after)} after a step",
                hint="return as many as the step is called with, in the same order",
            )
        for old, new in zip(self.first, after, strict=True):
            if old.type != new.type:
                raise ShapeError(
                    f"play: the state of {self.name} is {old.type} after reset and {new.type} "
                    "after a step",
                    where=_where(old, new),
                    hint="let the step keep shape and element type, or begin with the type that it "
                    "gives",
                )
            if old.shape[:1] != (self.rows,):
                raise self._unfit("reset", old, f"{self.rows} rows, one for each episode")

    def _of_step(self, given: object, dtype: DType) -> Node:
        wanted = TensorType((self.rows,), dtype)
        if isinstance(given, Node) and given.type == wanted:
            return given
        what = "whether an episode has ended" if dtype == bool_ else "the reward"
        raise self._unfit("step", given, f"{wanted}: {what}")

    def _unfit(self, method: str, given: object, wanted: str) -> ShapeError:
        return ShapeError(
            f"play: {method} of {self.name} gives {_shown(given)}, not {wanted}",
            where=_where(given),
            hint="let the episodes be the first axis of all that an environment gives",
        )


def _name(environment: Environment[S]) -> str:
    return type(environment).__name__


def _shown(given: object) -> str:
    return str(given.type) if isinstance(given, Node) else told(given)


def _where(*given: object) -> str:
    lines = [f"\n         {describe(node)}" for node in given if isinstance(node, Node)]
    return f"{current_origin().location}{''.join(lines)}"
