"""Several batches for one update."""

from __future__ import annotations

from chainc.dataclass import dataclass
from chainc.ir import Node, scope
from chainc.ops import equal, updating, where
from chainrule.declare.arguments import count
from chainrule.declare.leaves import step_counter
from chainrule.optim.signals.rule import Signals
from chainrule.optim.slots import slot

__all__ = ["accumulate"]


@dataclass(frozen=True)
class Accumulate:
    """The mean over so many batches, in the step that has all of them."""

    batches: int

    def __call__(self, signals: Signals) -> Signals:
        with scope("accumulate"):
            return {parameter: self._mean(parameter, each) for parameter, each in signals.items()}

    def _mean(self, parameter: Node, signal: Node) -> Node:
        before = slot("accumulated", parameter)
        mean = before + (1 / self.batches) * signal
        return updating(mean, {before: where(is_due(self.batches), 0.0, mean)})


def is_due(batches: int) -> Node:
    """Whether this step is the last of so many."""
    return equal((step_counter() + 1) % batches, 0)


def accumulate(batches: int) -> Accumulate:
    """One update for so many batches, by the mean of their signals.

    In the steps between, parameters and all that the optimizer keeps stay as they are; schedules
    and Adam's corrections count updates. With batches of one size it is the step of one large
    batch; a smaller last batch of an epoch weighs as much as the others. What is left at the end
    of an epoch joins the next one's first batches.

    Raises:
        InputError: it is no positive whole number.
    """
    hint = "give a number of batches, such as optim.accumulate(4)"
    return Accumulate(count("accumulate", "batches", batches, hint=hint))
