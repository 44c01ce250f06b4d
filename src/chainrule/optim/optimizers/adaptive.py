"""Rates for each element, from the squares of its gradients: AdaGrad, AdaDelta, RMSProp."""

from __future__ import annotations

from collections.abc import Mapping

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ops import maximum, sqrt, square
from chainc.ops.movement import as_flag
from chainrule.optim.hyperparameters import Hyperparameters
from chainrule.optim.optimizers.optimizer import Optimizer
from chainrule.optim.optimizers.ranges import above_zero, share_below_one
from chainrule.optim.schedules.schedule import ScheduleLike
from chainrule.optim.slots import slot

__all__ = ["AdaDelta", "AdaGrad", "RMSProp"]


@dataclass(frozen=True)
class AdaGrad(Optimizer):
    """AdaGrad (Duchi, Hazan and Singer, JMLR 2011): s ← s + g², w ← w - lr · g / (√s + eps).

    As in PyTorch s starts at 0 and eps is added to the root. (In Keras s starts at 0.1, and 1e-7
    is added to it.)

    Raises:
        InputError: `lr` or `eps` is not positive.
    """

    lr: float | ScheduleLike = 0.01
    eps: float = 1e-10

    def __post_init__(self) -> None:
        super().__post_init__()
        above_zero("AdaGrad", "eps", self.eps, 1e-10)

    def scalars(self, hyperparameters: Hyperparameters) -> Mapping[str, Node]:
        known = super().scalars(hyperparameters)
        return {**known, "eps": hyperparameters.input("eps", self.eps)}

    def updates(
        self, parameter: Node, gradient: Node, scalars: Mapping[str, Node]
    ) -> Mapping[Node, Node]:
        total = slot("adagrad/total", parameter)
        squares = total + square(gradient)
        move = scalars["lr"] * gradient / (sqrt(squares) + scalars["eps"])
        return {parameter: parameter - move, total: squares}


@dataclass(frozen=True)
class AdaDelta(Optimizer):
    """AdaDelta (Zeiler, 2012): steps as large as the last ones, in the units of the parameter.

    s ← rho · s + (1 - rho) g², d = g · √(u + eps) / √(s + eps), u ← rho · u + (1 - rho) d², and
    w ← w - lr · d.

    Raises:
        InputError: `lr` or `eps` is not positive, or `rho` is not from 0 to 1.
    """

    lr: float | ScheduleLike = 1.0
    rho: float = 0.9
    eps: float = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        share_below_one("AdaDelta", "rho", self.rho, "give rho=0.9")
        above_zero("AdaDelta", "eps", self.eps, 1e-6)

    def scalars(self, hyperparameters: Hyperparameters) -> Mapping[str, Node]:
        return {
            **super().scalars(hyperparameters),
            "rho": hyperparameters.input("rho", self.rho),
            "eps": hyperparameters.input("eps", self.eps),
        }

    def updates(
        self, parameter: Node, gradient: Node, scalars: Mapping[str, Node]
    ) -> Mapping[Node, Node]:
        rho, eps = scalars["rho"], scalars["eps"]
        variance, moves = slot("adadelta/variance", parameter), slot("adadelta/moves", parameter)
        new_variance = rho * variance + (1.0 - rho) * square(gradient)
        move = gradient * sqrt((moves + eps) / (new_variance + eps))  # one root for both
        return {
            parameter: parameter - scalars["lr"] * move,
            variance: new_variance,
            moves: rho * moves + (1.0 - rho) * square(move),
        }


@dataclass(frozen=True)
class RMSProp(Optimizer):
    """RMSProp (Tieleman and Hinton, 2012): v ← alpha · v + (1 - alpha) g², w ← w - lr · g / √v.

    As in PyTorch eps is added to the root. With `momentum` w moves by a velocity,
    b ← momentum · b + g / (√v + eps). With `centered` the square of a running mean of g is taken
    off v under the root, which makes v a variance (Graves, 2013). (In Keras alpha is 0.9 and 1e-7
    is added under the root.)

    Raises:
        InputError: `lr` or `eps` is not positive, or `alpha` or `momentum` is not from 0 to 1.
    """

    lr: float | ScheduleLike = 0.01
    alpha: float = 0.99
    momentum: float = 0.0
    centered: bool = False
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        as_flag("RMSProp", "centered", self.centered)
        share_below_one("RMSProp", "alpha", self.alpha, "give alpha=0.99")
        share_below_one("RMSProp", "momentum", self.momentum, "give momentum=0.9, or 0 for none")
        above_zero("RMSProp", "eps", self.eps, 1e-8)

    def scalars(self, hyperparameters: Hyperparameters) -> Mapping[str, Node]:
        known = {
            **super().scalars(hyperparameters),
            "alpha": hyperparameters.input("alpha", self.alpha),
            "eps": hyperparameters.input("eps", self.eps),
        }
        if self.momentum == 0:
            return known
        return {**known, "momentum": hyperparameters.input("momentum", self.momentum)}

    def updates(
        self, parameter: Node, gradient: Node, scalars: Mapping[str, Node]
    ) -> Mapping[Node, Node]:
        alpha = scalars["alpha"]
        square_mean = slot("rmsprop/square_mean", parameter)
        spread = alpha * square_mean + (1.0 - alpha) * square(gradient)
        kept = {square_mean: spread}
        if self.centered:
            mean = slot("rmsprop/mean", parameter)
            kept[mean] = alpha * mean + (1.0 - alpha) * gradient
            # a variance is not negative, but a difference that is rounded may be
            spread = maximum(spread - square(kept[mean]), 0.0)
        direction = gradient / (sqrt(spread) + scalars["eps"])
        if self.momentum != 0:
            velocity = slot("rmsprop/velocity", parameter)
            direction = scalars["momentum"] * velocity + direction
            kept[velocity] = direction
        return {parameter: parameter - scalars["lr"] * direction, **kept}
