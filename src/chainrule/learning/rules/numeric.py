"""Numeric differences: each weight is moved alone, up and down."""

from __future__ import annotations

from math import prod

from chainc.dataclass import dataclass
from chainc.ir import Node, scope
from chainc.ir.errors import GraphError
from chainc.ir.types import static
from chainc.ops import arange, astype, equal, reshape
from chainrule.declare.arguments import count, number
from chainrule.learning.trials import each_of, loss_at
from chainrule.optim.signals.rule import Objective, Rule, Signals

__all__ = ["Numeric"]


@dataclass(frozen=True)
class Numeric(Rule):
    """(L(w + h) - L(w - h)) / 2h for each weight alone: two losses a weight and step.

    Attributes:
        step: the difference h. Smaller ones lose digits of the loss, larger ones see its bends.
        limit: the most weights that it takes on.
    """

    step: float = 1e-2
    limit: int = 20_000

    def __post_init__(self) -> None:
        number("Numeric", "step", self.step, above=0, hint="give a small number, such as 0.01")
        count("Numeric", "limit", self.limit, hint="give the most weights to take on")

    def signals(self, objective: Objective) -> Signals:
        total = sum(prod(static(each.shape)) for each in objective.parameters)
        if total > self.limit:
            raise GraphError(
                f"Numeric: {total:,} weights take {2 * total:,} losses a step",
                hint="use a smaller network, another rule such as "
                f"learning.ForwardGradient(samples=8), or Numeric(limit={total})",
            )
        with scope(self.name):
            return {each: self._differences(objective.loss, each) for each in objective.parameters}

    def _differences(self, loss: Node, parameter: Node) -> Node:
        places = arange(prod(static(parameter.shape)))

        def slope(place: Node) -> Node:
            one = astype(equal(places, place), parameter.type.dtype) * self.step
            moved = reshape(one, parameter.shape)
            up, down = (
                loss_at(loss, {parameter: parameter + sign * moved}) for sign in (1.0, -1.0)
            )
            return (up - down) / (2 * self.step)

        found = each_of(slope, places)
        assert isinstance(found, Node)
        return reshape(found, parameter.shape)
