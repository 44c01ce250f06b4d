"""Optimizers: a loss in, a training step out: the loss, and the new value of every state.

The gradient and the updates are nodes like any other. All updates read the values from before
the step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chainc.autodiff import grad
from chainc.ir import Graph, Node, apply, describe, scope, topological
from chainc.ir.errors import GradientError, GraphError, InputError
from chainc.ir.leaves import Input, Label, Slot
from chainc.ir.types import DType, TensorType, float32, float64
from chainc.ops import astype, sqrt, square
from chainrule.declare import init
from chainrule.declare.arguments import number
from chainrule.declare.leaves import step_counter
from chainrule.optim.schedules import Schedule

__all__ = ["SGD", "Adam", "Optimizer", "Step", "slot"]


@dataclass(frozen=True, eq=False)
class Step:
    """One training step as a value.

    Attributes:
        loss: the scalar that the step reduces.
        updates: each state and its new value: parameters, what the optimizer keeps beside them,
            and the step counter.
        parameters: the parameters that it changes.
        gradients: the derivative of the loss for each of them, in the same order.
        hyperparameters: the scalar inputs with defaults, such as "lr", by name.
    """

    loss: Node
    updates: Mapping[Node, Node]
    parameters: tuple[Node, ...]
    gradients: tuple[Node, ...]
    hyperparameters: Mapping[str, Node] = field(default_factory=dict)

    @property
    def graph(self) -> Graph:
        """The loss and all updates, pure."""
        return Graph((self.loss,), self.updates, ("loss",))


@dataclass(frozen=True, eq=False)
class Hyperparameters:
    """The scalars of one step, as nodes: inputs with defaults, or what a schedule gives."""

    dtype: DType
    inputs: dict[str, Node] = field(default_factory=dict)

    def input(self, name: str, default: float) -> Node:
        """A scalar input, changed between runs without compiling again."""
        node = apply(Input(name, TensorType((), self.dtype), default))
        self.inputs[name] = node
        return node

    def rate(self, lr: float | Schedule) -> Node:
        """The learning rate: the input "lr", or the schedule at the number of steps done."""
        if not callable(lr):
            return self.input("lr", lr)
        rate: object = lr(astype(step_counter(), float32))
        if isinstance(rate, Node) and rate.shape == () and rate.type.dtype.is_float:
            return rate
        given = describe(rate) if isinstance(rate, Node) else f"a {type(rate).__name__}"
        raise GraphError(
            f"the learning-rate schedule gave {given}, not a floating-point scalar",
            hint="return a node computed from the step, such as 0.1 / (1 + step / 100)",
        )


class SlotLabel(Label):
    """The name of what an optimizer keeps beside a parameter: `sgd/velocity/model/bias`."""

    def __init__(self, text: str, parameter: Label) -> None:
        super().__init__(text)
        self.parameter = parameter

    def __str__(self) -> str:
        return f"{super().__str__()}/{self.parameter}"


def slot(prefix: str, parameter: Node) -> Node:
    """A state of the parameter's type, first 0, kept beside it under `prefix`."""
    assert isinstance(parameter.op, Slot)
    label = SlotLabel(prefix, parameter.op.key)
    return apply(Slot(label, parameter.type, init.zeros()))


@dataclass(frozen=True)
class Optimizer:
    """How a gradient changes a parameter. A subclass says it in `updates`, for one parameter."""

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

    def minimize(self, loss: Node, parameters: Sequence[Node] | None = None) -> Step:
        """The step that changes parameters so that the loss gets smaller.

        Args:
            loss: a floating-point scalar.
            parameters: what to change; by default every trainable state the loss reads.

        Raises:
            GraphError: there is nothing to change, or two states have the same name.
            GradientError: the loss is no scalar, or does not depend on a parameter.
        """
        chosen = _parameters(loss, parameters)
        gradients = _gradients(loss, chosen)
        name = type(self).__name__.lower()
        updates: dict[Node, Node] = {}
        with scope(name):
            wide = any(parameter.type.dtype == float64 for parameter in chosen)
            hyperparameters = Hyperparameters(float64 if wide else float32)
            scalars = self.scalars(hyperparameters)
            for parameter, gradient in zip(chosen, gradients, strict=True):
                updates.update(self._update(parameter, gradient, scalars))
            updates[step_counter()] = step_counter() + 1
        _check_names(updates)
        return Step(loss, updates, chosen, gradients, hyperparameters.inputs)

    def _update(
        self, parameter: Node, gradient: Node, scalars: Mapping[str, Node]
    ) -> Mapping[Node, Node]:
        dtype = parameter.type.dtype
        own = {name: astype(scalar, dtype) for name, scalar in scalars.items()}
        return self.updates(parameter, gradient, own)


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
        return {
            **super().scalars(hyperparameters),
            "beta1": beta1,
            "beta2": beta2,
            "eps": hyperparameters.input("eps", self.eps),
            "start1": 1.0 - beta1**steps,
            "start2": 1.0 - beta2**steps,
        }

    def updates(
        self, parameter: Node, gradient: Node, scalars: Mapping[str, Node]
    ) -> Mapping[Node, Node]:
        beta1, beta2 = scalars["beta1"], scalars["beta2"]
        mean, variance = slot("adam/mean", parameter), slot("adam/variance", parameter)
        new_mean = beta1 * mean + (1.0 - beta1) * gradient
        new_variance = beta2 * variance + (1.0 - beta2) * square(gradient)
        scale = sqrt(new_variance / scalars["start2"]) + scalars["eps"]
        move = scalars["lr"] * (new_mean / scalars["start1"]) / scale
        return {parameter: parameter - move, mean: new_mean, variance: new_variance}


def _parameters(loss: Node, given: Sequence[Node] | None) -> tuple[Node, ...]:
    if given is None:
        reached = topological([loss])
        chosen = [n for n in reached if isinstance(n.op, Slot) and n.op.trainable]
    else:
        chosen = [_require_parameter(node) for node in given]
    if not chosen:
        raise GraphError(
            f"minimize: there is no parameter to change in {describe(loss)}",
            hint="compute the loss from cr.parameter or a layer such as nn.Linear",
        )
    return tuple(dict.fromkeys(chosen))


def _require_parameter(node: object) -> Node:
    if not isinstance(node, Node):
        raise GraphError(
            f"minimize: a {type(node).__name__} is no parameter",
            hint="give nodes, such as model.parameters()",
        )
    if not isinstance(node.op, Slot) or not node.type.dtype.is_float:
        raise GraphError(
            f"minimize: {describe(node)} is no parameter",
            hint="give floating-point parameters, such as model.parameters(); "
            "the derivative for anything else is cr.grad(loss, node)",
        )
    return node


def _gradients(loss: Node, parameters: Sequence[Node]) -> tuple[Node, ...]:
    try:
        return tuple(grad(loss, parameters))
    except GradientError as error:
        hint = "change others only: minimize(loss, parameters=[...])"
        raise GradientError(
            error.what, where=error.where, hint=hint if loss.shape == () else error.hint
        ) from None


def _check_names(updates: Mapping[Node, Node]) -> None:
    """Two slots of one name could not both be kept in a state."""
    named: dict[str, Node] = {}
    for node in updates:
        assert isinstance(node.op, Slot)
        other = named.setdefault(str(node.op.key), node)
        if other is not node:
            raise GraphError(
                f"two states are named {node.op.key}: {describe(other)} and {describe(node)}",
                hint="give the layers different names with name=, or assign them to variables",
            )
