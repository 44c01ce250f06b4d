"""Rates that fall when a metric has stopped getting better."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir import Node, apply, describe
from chainc.ir.errors import GraphError
from chainc.ir.leaves import Label, Slot
from chainc.ir.types import DType, TensorType
from chainc.ops import astype, equal, floor, maximum, sign, updating, where
from chainrule.declare import init
from chainrule.declare.arguments import count, number
from chainrule.declare.leaves import step_counter
from chainrule.optim.schedules.schedule import Schedule, final_rate, positive_rate, steps_of

__all__ = ["plateau"]

WORST = float(np.finfo(np.float32).max)  # the best value before there is any: no infinity


@dataclass(frozen=True, eq=False)
class Plateau(Schedule):
    """`initial`, times `factor` whenever the metric has not got better for some looks at it."""

    initial: float
    metric: Node
    every: int
    factor: float
    patience: int
    threshold: float
    final: float

    def __call__(self, step: Node) -> Node:
        dtype = step.type.dtype
        kept = Label("plateau", given=False)
        best, waited, rate, sum = (
            _state(kept, name, dtype, first)
            for name, first in (
                ("best", WORST),
                ("waited", 0.0),
                ("rate", self.initial),
                ("sum", 0.0),
            )
        )
        seen = sum + astype(self.metric, dtype) / float(self.every)
        looking = equal((step_counter() + 1) % self.every, 0)
        better = seen < best * (1.0 - self.threshold * sign(best))
        longer = where(better, 0.0, waited + 1.0)
        reducing = longer > float(self.patience)
        at_a_look: Mapping[Node, Node] = {
            best: where(better, seen, best),
            waited: where(reducing, 0.0, longer),
            rate: where(reducing, maximum(self.factor * rate, self.final), rate),
        }
        changed = {slot: where(looking, new, slot) for slot, new in at_a_look.items()}
        return updating(rate, {**changed, sum: where(looking, 0.0, seen)})

    def shown(self, step: Node) -> Node:
        """The rate where the metric is best at the first look and never again."""
        looks = maximum(floor(step / float(self.every)) - 1.0, 0.0)
        reductions = floor(looks / (self.patience + 1.0))
        return maximum(self.initial * self.factor**reductions, self.final)

    @property
    def span(self) -> int:
        return 4 * self.every * (self.patience + 1)


def plateau(
    initial: float,
    metric: Node,
    every: int,
    *,
    factor: float = 0.1,
    patience: int = 10,
    threshold: float = 1e-4,
    final: float = 0.0,
) -> Schedule:
    """`initial`, times `factor` whenever a metric has not got smaller for `patience` looks.

    It is computed in the step, from what is known there: the mean of the metric over the last
    `every` steps, as the steps found it. With as many steps as an epoch has this is the training
    loss of each epoch, and the rule that of PyTorch's ReduceLROnPlateau; a metric on other data is
    known after an epoch only, outside of the step. A plot shows the rate of a metric that is best
    at the first look.

    Args:
        initial: the first rate.
        metric: a scalar node to get smaller, such as the loss, or the negative of an accuracy.
        every: steps between two looks.
        factor: of a reduction.
        patience: looks without an improvement that are waited for; the next one reduces.
        threshold: the share of the best value by which another one has to be smaller.
        final: the rate below which it does not fall.

    Raises:
        InputError: a number is out of range.
        GraphError: the metric is no floating-point scalar.
    """
    given: object = metric
    if not isinstance(given, Node) or given.shape != () or not given.type.dtype.is_float:
        shown = describe(given) if isinstance(given, Node) else f"a {type(given).__name__}"
        raise GraphError(
            f"schedules.plateau: {shown} is no metric",
            hint="give a floating-point scalar, such as the loss",
        )
    start, end = positive_rate("plateau", "initial", initial), final_rate("plateau", "final", final)
    hint = "give a share below 1, such as factor=0.1"
    number("schedules.plateau", "factor", factor, above=0, below=1, hint=hint)
    hint = "give a number of looks, such as patience=10"
    count("schedules.plateau", "patience", patience, at_least=0, hint=hint)
    hint = "give a small share, such as threshold=1e-4"
    number("schedules.plateau", "threshold", threshold, at_least=0, below=1, hint=hint)
    steps_of("plateau", "every", every)
    return Plateau(start, metric, every, factor, patience, threshold, end)


def _state(parent: Label, name: str, dtype: DType, first: float) -> Node:
    return apply(Slot(Label(name, parent), TensorType((), dtype), init.constant(first)))
