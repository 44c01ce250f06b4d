"""Forward gradient: a random direction, times the slope of the loss along it."""

from __future__ import annotations

from chainc.autodiff import jvp
from chainc.dataclass import dataclass
from chainc.ir import Node, scope
from chainc.ops.movement import as_flag
from chainrule.declare.arguments import count
from chainrule.declare.leaves import by_layer
from chainrule.learning.trials import directions, summed
from chainrule.optim.signals.rule import Objective, Rule, Signals

__all__ = ["ForwardGradient"]


@dataclass(frozen=True)
class ForwardGradient(Rule):
    """(∇L · v) v with v normal, the mean over some samples: its mean is the gradient.

    The slope is found with the values themselves, in forward mode, so nothing is kept for a way
    back. The variance grows with the number of parameters (Baydin et al. 2022, arXiv 2202.08587).

    Attributes:
        samples: directions a step.
        by_layer: a slope for the direction of each layer alone, rather than one for all: less
            variance, and more work.
    """

    samples: int = 1
    by_layer: bool = False

    def __post_init__(self) -> None:
        count("ForwardGradient", "samples", self.samples, hint="take one direction or more")
        as_flag("ForwardGradient", "by_layer", self.by_layer)

    def signals(self, objective: Objective) -> Signals:
        parameters = objective.parameters
        groups = by_layer(parameters).values() if self.by_layer else [parameters]

        def trial() -> Signals:
            along = directions(parameters)
            found: dict[Node, Node] = {}
            for group in groups:
                tangents = [along[parameter] for parameter in group]
                (slope,) = jvp([objective.loss], group, tangents)
                found.update({each: along[each] * (slope / self.samples) for each in group})
            return found

        with scope(self.name):
            return summed(parameters, trial, count=self.samples)
