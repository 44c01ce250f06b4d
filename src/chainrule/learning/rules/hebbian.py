"""Hebbian learning: what fires together wires together, and no loss is asked."""

from __future__ import annotations

from chainc.dataclass import dataclass
from chainc.ir import Node, describe, scope
from chainc.ir.errors import GraphError
from chainc.ir.leaves import size
from chainc.ops import astype, matmul, tril
from chainc.ops.movement import as_flag
from chainrule.learning.network import Weighing, network_of
from chainrule.learning.trials import zeros_like
from chainrule.optim.signals.rule import Objective, Rule, Signals

__all__ = ["Hebb", "Oja"]


@dataclass(frozen=True)
class Hebb(Rule):
    """Each weight grows with the product of what it reads and what its unit gives: Δw = x y.

    The weights have no bound, as Hebb's do (1949); `Oja` keeps them near length 1. Biases stay.

    Attributes:
        readout: the last layer gets the gradient of the loss instead.
    """

    readout: bool = False

    def __post_init__(self) -> None:
        as_flag(type(self).__name__, "readout", self.readout)

    def signals(self, objective: Objective) -> Signals:
        network = network_of(type(self).__name__, objective)
        signals = {each: zeros_like(each) for each in objective.parameters}
        with scope(self.name):
            for block in network.hidden if self.readout else network.blocks:
                for weighing in block.weighings:
                    weight = self._weight(weighing)
                    if weight in signals:
                        signals[weight] = -self._grown(weighing, weight)
            if self.readout:
                signals.update(network.blocks[-1].pulled(network.error))
        return signals

    def _weight(self, weighing: Weighing) -> Node:
        """The matrix of a product x W of rows."""
        product, weight = weighing.product, weighing.product.inputs[weighing.weights]
        plain = product.op.label == "A B" and weighing.weights == 1 and product.ndim == 2
        if plain and weight.op.name == "state":
            return weight
        raise GraphError(
            f"{type(self).__name__}: {product.origin.scope} is no product of rows with a matrix: "
            f"{describe(product)}",
            hint="use fully connected layers, such as nn.Linear",
        )

    def _grown(self, weighing: Weighing, weight: Node) -> Node:
        """The mean of x y over the rows."""
        x, y = weighing.product.inputs[0], weighing.product
        return matmul(x.T, y) / _rows(y)


@dataclass(frozen=True)
class Oja(Hebb):
    """Hebb's rule with a forgetting that keeps weights bounded: Δw = y (x - Σ y w).

    The sum is over the unit itself and those before it, so that the units of a layer become its
    principal components, the largest first (Oja 1982; Sanger 1989). Biases stay.

    Attributes:
        readout: the last layer gets the gradient of the loss instead.
    """

    def _grown(self, weighing: Weighing, weight: Node) -> Node:
        y = weighing.product
        shared = matmul(y.T, y) / _rows(y)
        return super()._grown(weighing, weight) - matmul(weight, tril(shared).T)


def _rows(y: Node) -> Node:
    return astype(size(y.shape[0]), y.type.dtype)
