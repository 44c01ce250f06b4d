"""Direct feedback alignment: the error of the output goes to every layer at once."""

from __future__ import annotations

from chainc.dataclass import dataclass
from chainc.ir import Node, scope
from chainc.ops import matmul, reshape
from chainrule.declare.init import InitializerLike
from chainrule.learning.network import Block, Network, network_of, row_sizes
from chainrule.optim.signals.rule import Objective, Rule, Signals
from chainrule.optim.slots import beside

__all__ = ["DirectFeedbackAlignment"]


@dataclass(frozen=True)
class DirectFeedbackAlignment(Rule):
    """Each hidden layer gets e B: the error of the output through a random matrix of its own.

    e is the derivative of the loss for the output of the model. The matrices are drawn once, from
    the seed. Within a layer the chain rule holds, and the last one gets its gradient (Nøkland 2016,
    arXiv 1609.01596). No layer waits for another on the way back.

    Attributes:
        init: the initialiser of the random matrices, (values of the output, of the layer). Rows
            that are orthogonal keep what the output tells apart.
    """

    init: InitializerLike = "orthogonal"

    def signals(self, objective: Objective) -> Signals:
        network = network_of(type(self).__name__, objective)
        error = network.error
        with scope(self.name):
            signals = dict(network.blocks[-1].pulled(error))
            for block in network.hidden:
                signals.update(block.pulled(self._projected(error, block, network)))
        return network.joined(signals)

    def _projected(self, error: Node, block: Block, network: Network) -> Node:
        own, wide = row_sizes(type(self).__name__, block, network)
        matrix = beside("feedback", block.parameters[0], (wide, own), self.init)
        return reshape(matmul(reshape(error, (error.shape[0], wide)), matrix), block.exit.shape)
