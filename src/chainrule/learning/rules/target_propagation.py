"""Target propagation: layers are told values to aim at, not slopes."""

from __future__ import annotations

from chainc.autodiff import grad
from chainc.dataclass import dataclass
from chainc.ir import Node, scope
from chainc.ops import matmul, mean, normal, reshape, square, stop_gradient
from chainrule.declare.arguments import number
from chainrule.learning.network import Block, network_of, row_size
from chainrule.optim.signals.rule import Objective, Rule, Signals
from chainrule.optim.slots import beside

__all__ = ["TargetPropagation"]


@dataclass(frozen=True)
class TargetPropagation(Rule):
    """Each layer learns to give a target, which an inverse of the layer above has made.

    The target of the last hidden layer lies a little down the gradient of the loss. An inverse g of
    the next layer, a linear one that learns beside it, takes a target z one layer down to
    h + g(z) - g(f(h)), so that an imperfect inverse does no harm (difference target propagation:
    Lee et al. 2015, arXiv 1412.7525). No weights are needed on the way back, and no derivative but
    that of each layer itself.

    Attributes:
        rate: how far down the gradient the first target lies.
        noise: the deviation of the noise with which the inverses learn.
    """

    rate: float = 0.1
    noise: float = 0.1

    def __post_init__(self) -> None:
        number("TargetPropagation", "rate", self.rate, above=0, hint="give one such as 0.1")
        number("TargetPropagation", "noise", self.noise, at_least=0, hint="give one such as 0.1")

    def signals(self, objective: Objective) -> Signals:
        network = network_of(type(self).__name__, objective, chain=True)
        *hidden, last = network.blocks
        with scope(self.name):
            signals = dict(last.pulled(network.error))
            target: Node | None = None
            for block, above in zip(reversed(hidden), reversed(network.blocks), strict=False):
                value = block.exit
                if target is None:
                    target = value - self.rate * grad(network.loss, value)
                else:
                    inverse = _Inverse(above)
                    signals.update(inverse.signals(self.noise))
                    target = value + inverse.of(target) - inverse.of(above.exit)
                signals.update(block.pulled(value - stop_gradient(target)))
        return network.joined(signals)


class _Inverse:
    """A linear inverse of a block: from what it gives to what it reads."""

    def __init__(self, block: Block) -> None:
        assert block.entry is not None
        self.block, self.entry = block, block.entry
        given, read = (row_size(each) for each in (block.exit, block.entry))
        first = block.parameters[0]
        self.weight = beside("inverse", first, (given, read), "xavier_uniform", trainable=True)
        self.bias = beside("inverse_bias", first, (read,), "zeros", trainable=True)

    def of(self, value: Node) -> Node:
        rows = reshape(value, (value.shape[0], self.weight.shape[0]))
        return reshape(matmul(rows, self.weight) + self.bias, self.entry.shape)

    def signals(self, deviation: float) -> Signals:
        """Those by which it learns to undo the block, near what the block reads."""
        drawn = normal(self.entry.shape, dtype=self.entry.type.dtype)
        near = stop_gradient(self.entry + deviation * drawn)
        error = mean(square(self.of(stop_gradient(self.block.applied(near))) - near))
        own = [self.weight, self.bias]
        return dict(zip(own, grad(error, own), strict=True))
