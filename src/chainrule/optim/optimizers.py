"""Optimizers: what becomes of each parameter and its signal in a step.

The signals and the updates are nodes like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainc.ir import Graph, Node, scope
from chainc.ir.errors import InputError
from chainc.ir.leaves import number_equal_names
from chainc.ir.types import float32, float64
from chainc.ops import astype, sqrt, square
from chainrule.declare.arguments import number
from chainrule.declare.leaves import step_counter
from chainrule.optim.hyperparameters import Hyperparameters
from chainrule.optim.schedules import Schedule
from chainrule.optim.signal import (
    LearningRule,
    Signals,
    backprop,
    check_signals,
    parameters_of,
    signals_for,
)
from chainrule.optim.slots import slot
from chainrule.steps.step import Step, check_names

__all__ = ["SGD", "Adam", "Optimizer"]


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
            updates[step_counter()] = step_counter() + 1
        check_names(updates)
        return Step(loss, updates, tuple(signals), tuple(signals.values()), hyperparameters.inputs)

    def _update(
        self, parameter: Node, signal: Node, scalars: Mapping[str, Node]
    ) -> Mapping[Node, Node]:
        dtype = parameter.type.dtype
        own = {name: astype(scalar, dtype) for name, scalar in scalars.items()}
        return self.updates(parameter, signal, own)


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent with momentum: v ← momentum · v + gradient, then w ← w - lr · v.

    With `nesterov` the parameter moves by gradient + momentum · v instead (Sutskever et
    al., ICML 2013). Without momentum there is no velocity v.

    Raises:
        InputError: `lr` is not positive, `momentum` not from 0 to 1, or `nesterov` without it.
    """

    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        hint = "give momentum=0.9, or 0 for none"
        number("SGD", "momentum", self.momentum, at_least=0, below=1, hint=hint)
        if self.nesterov and self.momentum == 0:
            raise InputError("SGD: nesterov needs a momentum", hint="give momentum=0.9")

    def scalars(self, hyperparameters: Hyperparameters) -> Mapping[str, Node]:
        rate = super().scalars(hyperparameters)
        if self.momentum == 0:
            return rate
        return {**rate, "momentum": hyperparameters.input("momentum", self.momentum)}

    def updates(
        self, parameter: Node, gradient: Node, scalars: Mapping[str, Node]
    ) -> Mapping[Node, Node]:
        lr = scalars["lr"]
        if self.momentum == 0:
            return {parameter: parameter - lr * gradient}
        velocity = slot("sgd/velocity", parameter)
        moving = scalars["momentum"] * velocity + gradient
        direction = scalars["momentum"] * moving + gradient if self.nesterov else moving
        return {parameter: parameter - lr * direction, velocity: moving}


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma and Ba, ICLR 2015): steps scaled by running moments of the gradient.

    m ← β₁ m + (1 - β₁) g and v ← β₂ v + (1 - β₂) g², both corrected for their start at 0 by the
    number t of steps; w ← w - lr · m̂ / (√v̂ + eps).

    Raises:
        InputError: `lr` or `eps` is not positive, or a beta is not from 0 to 1.
    """

    lr: float | Schedule = 0.001
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        hint = "give betas=(0.9, 0.999)"
        betas: object = self.betas
        if not isinstance(betas, tuple) or len(betas) != 2:
            raise InputError(f"Adam: betas must be two numbers, got {betas!r}", hint=hint)
        for position, beta in enumerate(betas):
            number("Adam", f"betas[{position}]", beta, at_least=0, below=1, hint=hint)
        number("Adam", "eps", self.eps, above=0, hint="give eps=1e-8")

    def scalars(self, hyperparameters: Hyperparameters) -> Mapping[str, Node]:
        steps = astype(step_counter(), hyperparameters.dtype) + 1.0
        beta1 = hyperparameters.input("beta1", self.betas[0])
        beta2 = hyperparameters.input("beta2", self.betas[1])
        known = super().scalars(hyperparameters)
        return {
            **known,
            "beta1": beta1,
            "beta2": beta2,
            "eps": hyperparameters.input("eps", self.eps),
            # the corrections, as factors: an element then costs one division and one root
            "rate": known["lr"] / (1.0 - beta1**steps),
            "widening": (1.0 - beta2**steps) ** -0.5,
        }

    def updates(
        self, parameter: Node, gradient: Node, scalars: Mapping[str, Node]
    ) -> Mapping[Node, Node]:
        beta1, beta2 = scalars["beta1"], scalars["beta2"]
        mean, variance = slot("adam/mean", parameter), slot("adam/variance", parameter)
        new_mean = beta1 * mean + (1.0 - beta1) * gradient
        new_variance = beta2 * variance + (1.0 - beta2) * square(gradient)
        scale = sqrt(new_variance) * scalars["widening"] + scalars["eps"]
        move = scalars["rate"] * new_mean / scale
        return {parameter: parameter - move, mean: new_mean, variance: new_variance}
