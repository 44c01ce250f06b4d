"""Adam and what has been made of it: steps scaled by running moments of the gradient."""

from __future__ import annotations

from collections.abc import Mapping

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ops import astype, maximum, sqrt, square
from chainc.ops.movement import as_flag
from chainrule.optim.hyperparameters import Hyperparameters
from chainrule.optim.optimizers.optimizer import Optimizer
from chainrule.optim.optimizers.ranges import above_zero, at_least_zero, betas_below_one
from chainrule.optim.schedules.schedule import ScheduleLike
from chainrule.optim.slots import slot

__all__ = ["Adam", "AdamW", "NAdam"]


@dataclass(frozen=True)
class Moments(Optimizer):
    """What they share: m ← β₁ m + (1 - β₁) g and v ← β₂ v + (1 - β₂) g²."""

    lr: float | ScheduleLike = 0.001
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        betas_below_one(type(self).__name__, self.betas, (0.9, 0.999))
        above_zero(type(self).__name__, "eps", self.eps, 1e-8)

    def scalars(self, hyperparameters: Hyperparameters) -> Mapping[str, Node]:
        rate = hyperparameters.rate(self.lr)
        beta1 = hyperparameters.input("beta1", self.betas[0])
        beta2 = hyperparameters.input("beta2", self.betas[1])
        # the corrections for the start at 0 are made to what all elements share: with c the root
        # of 1 - β₂ᵗ, lr · m̂ / (√v / c + eps) is (lr · c / (1 - β₁ᵗ)) · m / (√v + c · eps)
        steps = astype(hyperparameters.updates_done, hyperparameters.dtype) + 1.0
        correction = sqrt(1.0 - beta2**steps)
        return {
            "lr": rate,
            "beta1": beta1,
            "beta2": beta2,
            "eps": correction * hyperparameters.input("eps", self.eps),
            "steps": steps,
            "correction": correction,
            "rate": rate * correction / (1.0 - beta1**steps),
        }

    def moments(
        self, parameter: Node, gradient: Node, scalars: Mapping[str, Node]
    ) -> tuple[Node, Node, Mapping[Node, Node]]:
        """The new m and v, and the same by slot."""
        name = type(self).__name__.lower()
        mean, variance = slot(f"{name}/mean", parameter), slot(f"{name}/variance", parameter)
        beta1, beta2 = scalars["beta1"], scalars["beta2"]
        new_mean = mean + (1.0 - beta1) * (gradient - mean)
        new_variance = beta2 * variance + (1.0 - beta2) * square(gradient)
        return new_mean, new_variance, {mean: new_mean, variance: new_variance}


@dataclass(frozen=True)
class Adam(Moments):
    """Adam (Kingma and Ba, ICLR 2015): steps scaled by running moments of the gradient.

    m ← β₁ m + (1 - β₁) g and v ← β₂ v + (1 - β₂) g², both corrected for their start at 0 by the
    number t of steps; w ← w - lr · m̂ / (√v̂ + eps). As in PyTorch eps is added to the corrected
    root (Keras adds 1e-7 to the root that is not corrected).

    With `amsgrad` v̂ is the largest v so far, corrected by today's factor as in PyTorch (Reddi,
    Kale and Kumar, ICLR 2018, correct nothing).

    Raises:
        InputError: `lr` or `eps` is not positive, or a beta is not from 0 to 1.
    """

    amsgrad: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        as_flag("Adam", "amsgrad", self.amsgrad)

    def updates(
        self, parameter: Node, gradient: Node, scalars: Mapping[str, Node]
    ) -> Mapping[Node, Node]:
        mean, variance, kept = self.moments(parameter, gradient, scalars)
        if self.amsgrad:
            largest = slot(f"{type(self).__name__.lower()}/largest", parameter)
            variance = maximum(largest, variance)
            kept = {**kept, largest: variance}
        scale = sqrt(variance) + scalars["eps"]
        return {parameter: self.start(parameter, scalars) - scalars["rate"] * mean / scale, **kept}

    def start(self, parameter: Node, scalars: Mapping[str, Node]) -> Node:
        """From where a parameter is moved."""
        return parameter


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019).

    Before Adam's step, w ← (1 - lr · weight_decay) · w, for every parameter: `optim.groups` leaves
    some out. A decay that goes through the moments is a penalty, in `signal` or in the loss.

    Raises:
        InputError: as Adam, or the decay is negative.
    """

    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_zero("AdamW", "weight_decay", self.weight_decay, 0.01)

    def scalars(self, hyperparameters: Hyperparameters) -> Mapping[str, Node]:
        known = super().scalars(hyperparameters)
        decay = hyperparameters.input("weight_decay", self.weight_decay)
        return {**known, "keeping": 1.0 - known["lr"] * decay}

    def start(self, parameter: Node, scalars: Mapping[str, Node]) -> Node:
        return scalars["keeping"] * parameter


@dataclass(frozen=True)
class NAdam(Moments):
    """Adam with Nesterov's momentum (Dozat, 2016), as in PyTorch.

    The share of the mean grows: β₁ₜ = β₁ (1 - 0.96^(t · momentum_decay) / 2), and its correction
    is the product of all so far. w ← w - lr · (β₁ₜ₊₁ m̂ₜ₊₁ + (1 - β₁ₜ) ĝ) / (√v̂ + eps), where m is
    corrected by 1 - β₁₁ ⋯ β₁ₜ₊₁ and g by 1 - β₁₁ ⋯ β₁ₜ. (Keras has a momentum_decay of 1.)

    Raises:
        InputError: as Adam, or the decay is negative.
    """

    lr: float | ScheduleLike = 0.002
    momentum_decay: float = 0.004

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_zero("NAdam", "momentum_decay", self.momentum_decay, 0.004)

    def scalars(self, hyperparameters: Hyperparameters) -> Mapping[str, Node]:
        known = super().scalars(hyperparameters)
        decay = hyperparameters.input("momentum_decay", self.momentum_decay)
        share, following = (
            known["beta1"] * (1.0 - 0.5 * 0.96 ** (steps * decay))
            for steps in (known["steps"], known["steps"] + 1.0)
        )
        product = hyperparameters.state("nadam/product", first=1.0)
        reached = product * share
        hyperparameters.kept[product] = reached
        rate = known["lr"] * known["correction"]
        return {
            **known,
            "gradient rate": rate * (1.0 - share) / (1.0 - reached),
            "mean rate": rate * following / (1.0 - reached * following),
        }

    def updates(
        self, parameter: Node, gradient: Node, scalars: Mapping[str, Node]
    ) -> Mapping[Node, Node]:
        mean, variance, kept = self.moments(parameter, gradient, scalars)
        scale = sqrt(variance) + scalars["eps"]
        direction = scalars["gradient rate"] * gradient + scalars["mean rate"] * mean
        return {parameter: parameter - direction / scale, **kept}
