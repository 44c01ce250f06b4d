"""Gradient descent, with momentum and with Nesterov's."""

from __future__ import annotations

from collections.abc import Mapping

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ops.movement import as_flag
from chainrule.optim.hyperparameters import Hyperparameters
from chainrule.optim.optimizers.optimizer import Optimizer
from chainrule.optim.optimizers.ranges import share_below_one
from chainrule.optim.slots import slot

__all__ = ["SGD"]


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
        share_below_one("SGD", "momentum", self.momentum, "give momentum=0.9, or 0 for none")
        if as_flag("SGD", "nesterov", self.nesterov) and self.momentum == 0:
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
