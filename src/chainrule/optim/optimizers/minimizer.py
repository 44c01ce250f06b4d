"""What makes a step of a loss: the two halves of every optimizer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from chainc.ir import Node
from chainc.ir.python.collection import without_collection
from chainrule.optim.signals.rule import Objective
from chainrule.optim.signals.rules import (
    LearningRule,
    Signals,
    backprop,
    parameters_of,
    signals_for,
)
from chainrule.steps.step import Step

if TYPE_CHECKING:
    from chainrule.nn.module import Module


class Minimizer(ABC):
    """A learning rule gives each parameter a signal, `step` turns the signals into updates."""

    def minimize(
        self,
        loss: Node,
        parameters: Sequence[Node] | None = None,
        rule: LearningRule = backprop,
        model: Module | None = None,
    ) -> Step:
        """The step that changes parameters so that the loss gets smaller.

        Args:
            loss: a floating-point scalar.
            parameters: what to change; by default every trainable state the loss reads.
            rule: what gives each parameter its signal; by default the derivative of the loss. One
                of `chainrule.learning`, or a function of the loss and the parameters.
            model: the layers whose result the loss judges, for rules that look at layers.

        Raises:
            GraphError: there is nothing to change, two states have the same name, or the rule
                cannot train the model or does not give each parameter a signal of its type.
            GradientError: the loss is no scalar, or does not depend on a parameter.
        """
        objective = Objective(loss, parameters_of(loss, parameters), model)
        with without_collection():
            return self.step(loss, signals_for(rule, objective))

    @abstractmethod
    def step(self, loss: Node, signals: Signals) -> Step:
        """The step that changes each parameter by its signal: the second half of `minimize`.

        Args:
            loss: what the step reports.
            signals: by parameter, such as what `backprop` gives.

        Raises:
            GraphError: two states have the same name, or a signal is not of its parameter's type.
        """
