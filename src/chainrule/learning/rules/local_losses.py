"""Local losses: every layer has a readout of its own, and tries to be the last one."""

from __future__ import annotations

from chainc.autodiff import grad
from chainc.dataclass import dataclass
from chainc.ir import Node, scope
from chainc.ops import matmul, reshape
from chainrule.declare.init import InitializerLike
from chainrule.learning.network import Block, Network, network_of, row_sizes
from chainrule.optim.signals.rule import Objective, Rule, Signals
from chainrule.optim.slots import beside

__all__ = ["LocalLosses"]


@dataclass(frozen=True)
class LocalLosses(Rule):
    """Each hidden layer gets the gradient of the loss of a linear readout on it.

    The readouts learn too, and are used for nothing else. No signal crosses from one layer to
    another (Mostafa, Ramesh, Cauwenberghs 2018, arXiv 1711.06756).

    Attributes:
        init: the initialiser of the readouts.
    """

    init: InitializerLike = "xavier_uniform"

    def signals(self, objective: Objective) -> Signals:
        network = network_of(type(self).__name__, objective)
        with scope(self.name):
            signals = dict(network.joined(network.blocks[-1].pulled(network.error)))
            for block in network.hidden:
                signals.update(self._local(network, block))
        return signals

    def _local(self, network: Network, block: Block) -> Signals:
        own, wide = row_sizes(type(self).__name__, block, network)
        first = block.parameters[0]
        readout = beside("readout", first, (own, wide), self.init, trainable=True)
        values = reshape(block.exit, (block.exit.shape[0], own))
        output = reshape(matmul(values, readout), network.output.shape)
        changed: list[Node] = [*block.parameters, readout]
        return dict(zip(changed, grad(network.loss_of(output), changed), strict=True))
