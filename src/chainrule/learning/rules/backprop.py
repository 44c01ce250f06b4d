"""Backpropagation, beside its siblings."""

from __future__ import annotations

from chainc.dataclass import dataclass
from chainrule.optim.signals.rule import Objective, Rule, Signals
from chainrule.optim.signals.rules import backprop

__all__ = ["Backprop"]


@dataclass(frozen=True)
class Backprop(Rule):
    """The derivative of the loss for each parameter, by the chain rule from the loss back.

    It needs every value of the way forward, and the weights themselves on the way back.
    """

    def signals(self, objective: Objective) -> Signals:
        return backprop(objective.loss, objective.parameters)
