"""Lion: steps of one size, whose signs are those of a mean."""

from __future__ import annotations

from collections.abc import Mapping

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ops import sign
from chainrule.optim.hyperparameters import Hyperparameters
from chainrule.optim.optimizers.optimizer import Optimizer
from chainrule.optim.optimizers.ranges import at_least_zero, betas_below_one
from chainrule.optim.schedules.schedule import ScheduleLike
from chainrule.optim.slots import slot

__all__ = ["Lion"]


@dataclass(frozen=True)
class Lion(Optimizer):
    """Lion (Chen et al., NeurIPS 2023): w ← w - lr · (sign(β₁ m + (1 - β₁) g) + weight_decay · w).

    Then m ← β₂ m + (1 - β₂) g. Every element moves by the rate, so a rate of a third to a tenth of
    Adam's is usual.

    Raises:
        InputError: `lr` is not positive, a beta is not from 0 to 1, or the decay is negative.
    """

    lr: float | ScheduleLike = 0.0001
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        betas_below_one("Lion", self.betas, (0.9, 0.99))
        at_least_zero("Lion", "weight_decay", self.weight_decay, 0.01)

    def scalars(self, hyperparameters: Hyperparameters) -> Mapping[str, Node]:
        rate = hyperparameters.rate(self.lr)
        return {
            "lr": rate,
            "beta1": hyperparameters.input("beta1", self.betas[0]),
            "beta2": hyperparameters.input("beta2", self.betas[1]),
            "keeping": 1.0 - rate * hyperparameters.input("weight_decay", self.weight_decay),
        }

    def updates(
        self, parameter: Node, gradient: Node, scalars: Mapping[str, Node]
    ) -> Mapping[Node, Node]:
        beta1, beta2 = scalars["beta1"], scalars["beta2"]
        mean = slot("lion/mean", parameter)
        direction = sign(beta1 * mean + (1.0 - beta1) * gradient)
        return {
            parameter: scalars["keeping"] * parameter - scalars["lr"] * direction,
            mean: beta2 * mean + (1.0 - beta2) * gradient,
        }
