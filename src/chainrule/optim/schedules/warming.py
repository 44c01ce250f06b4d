"""Rates that rise before another schedule begins."""

from __future__ import annotations

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ops import maximum, minimum
from chainrule.declare.calls import answering
from chainrule.optim.schedules.decay import constant
from chainrule.optim.schedules.schedule import SPAN, Schedule, ScheduleLike, steps_of

__all__ = ["warmup"]


@dataclass(frozen=True)
class Warmup(Schedule):
    """`then`, reached from 0 along a line over `steps`; `then` counts from its end."""

    steps: int
    then: ScheduleLike

    def __call__(self, step: Node) -> Node:
        return self._rising(self.then, step)

    def shown(self, step: Node) -> Node:
        return self._rising(self.then.shown if isinstance(self.then, Schedule) else self.then, step)

    def _rising(self, then: ScheduleLike, step: Node) -> Node:
        length = float(self.steps)
        # step 0 already learns: the line takes its value at the end of the step
        following = answering(then, "warmup: then")(maximum(step - length, 0.0))
        return following * minimum((step + 1.0) / length, 1.0)

    @property
    def span(self) -> int:
        return self.steps + (self.then.span if isinstance(self.then, Schedule) else SPAN)


def warmup(steps: int, then: ScheduleLike | float) -> Schedule:
    """`then`, reached along a line over the first `steps` steps; a number is a constant rate.

    Raises:
        InputError: `steps` is not positive, or `then` is neither a schedule nor a positive number.
    """
    following = then if callable(then) else constant(then)
    return Warmup(steps_of("warmup", "steps", steps), following)
