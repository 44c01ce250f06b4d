"""Optimizers: what becomes of each parameter and its signal in a step.

The signals and the updates are nodes like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainc.ir import Graph, Node, scope
from chainc.ir.leaves import number_equal_names
from chainc.ir.types import float32, float64
from chainc.ops import astype
from chainrule.declare.arguments import number
from chainrule.declare.leaves import step_counter
from chainrule.optim.hyperparameters import Hyperparameters
from chainrule.optim.schedules import Schedule
from chainrule.optim.signals.rules import (
    LearningRule,
    Signals,
    backprop,
    check_signals,
    parameters_of,
    signals_for,
)
from chainrule.steps.step import Step, check_names

__all__ = ["Optimizer"]


@dataclass(frozen=True)
class Optimizer:
    """How a signal changes a parameter. A subclass says it in `updates`, for one parameter."""

    lr: float | Schedule

    def __post_init__(self) -> None:
        if not callable(self.lr):
            hint = "give a small positive number, such as lr=0.1, or a schedule"
            number(type(self).__name__, "lr", self.lr, above=0, hint=hint)

    def scalars(self, hyperparameters: Hyperparameters) -> Mapping[str, Node]:
        """The scalar nodes that `updates` reads."""
        return {"lr": hyperparameters.rate(self.lr)}

    def updates(
        self, parameter: Node, gradient: Node, scalars: Mapping[str, Node]
    ) -> Mapping[Node, Node]:
        """The new values of one parameter and of the slots kept beside it."""
        raise NotImplementedError

    def minimize(
        self,
        loss: Node,
        parameters: Sequence[Node] | None = None,
        rule: LearningRule = backprop,
    ) -> Step:
        """The step that changes parameters so that the loss gets smaller.

        Args:
            loss: a floating-point scalar.
            parameters: what to change; by default every trainable state the loss reads.
            rule: what gives each parameter its signal; by default the derivative of the loss.

        Raises:
            GraphError: there is nothing to change, two states have the same name, or the rule does
                not give each parameter a signal of its type.
            GradientError: the loss is no scalar, or does not depend on a parameter.
        """
        return self.step(loss, signals_for(rule, loss, parameters_of(loss, parameters)))

    def step(self, loss: Node, signals: Signals) -> Step:
        """The step that changes each parameter by its signal: the second half of `minimize`.

        Args:
            loss: what the step reports.
            signals: by parameter, such as what `backprop` gives.

        Raises:
            GraphError: two states have the same name, or a signal is not of its parameter's type.
        """
        check_signals(signals)
        number_equal_names([*Graph((loss,)).leaves("state"), *signals])
        updates: dict[Node, Node] = {}
        with scope(type(self).__name__.lower()):
            wide = any(parameter.type.dtype == float64 for parameter in signals)
            hyperparameters = Hyperparameters(float64 if wide else float32)
            scalars = self.scalars(hyperparameters)
            for parameter, signal in signals.items():
                updates.update(self._update(parameter, signal, scalars))
            updates.update(hyperparameters.kept)
            updates[step_counter()] = step_counter() + 1
        number_equal_names(list(hyperparameters.kept))
        check_names(updates)
        return Step(loss, updates, tuple(signals), tuple(signals.values()), hyperparameters.inputs)

    def _update(
        self, parameter: Node, signal: Node, scalars: Mapping[str, Node]
    ) -> Mapping[Node, Node]:
        dtype = parameter.type.dtype
        own = {name: astype(scalar, dtype) for name, scalar in scalars.items()}
        return self.updates(parameter, signal, own)
