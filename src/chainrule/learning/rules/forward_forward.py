"""Forward-forward: two ways forward, one with good data and one with bad, and none back."""

from __future__ import annotations

from functools import reduce

from chainc.autodiff import grad, require_scalar
from chainc.dataclass import dataclass
from chainc.ir import Node, scope
from chainc.ir.errors import GraphError, InputError
from chainc.ops import arange, broadcast_to, mean, one_hot, softplus, sqrt, square, stop_gradient
from chainrule.declare.arguments import is_one_of, number
from chainrule.learning.negatives import examples_of
from chainrule.learning.network import Block, Network, model_of, network_of
from chainrule.learning.trials import each_of
from chainrule.nn.module import Module
from chainrule.optim.signals.rule import Objective, Rule, Signals

__all__ = ["ForwardForward"]

_NEGATIVES = ("label", "own", "shuffle")
_BOUNDED = {"sigmoid": 1.0, "tanh": 1.0}  # the largest square of a value


@dataclass(frozen=True)
class ForwardForward(Rule):
    """Each hidden layer learns to be active for good data and quiet for bad, for itself.

    The goodness of a layer is the mean square of what it gives; its loss is
    softplus(threshold - goodness) for good data and softplus(goodness - threshold) for bad. What
    the next layer reads is divided by its length, or it would only have to read that. The last
    layer, a readout, gets its gradient (Hinton 2022, arXiv 2212.13345).

    With negatives="label" the label stands in the first elements of the input, a wrong one in bad
    data; "own" draws wrong labels as the model itself would mistake them; with "shuffle" bad data
    are the beginning of one row and the end of another, and no label is read.

    Attributes:
        threshold: the goodness between good and bad.
        negatives: "label", "own" or "shuffle".
        peer: how strongly units whose mean activity differs from that of their layer are pulled
            towards it, so that none is silent.
    """

    threshold: float = 2.0
    negatives: str = "label"
    peer: float = 0.03

    def __post_init__(self) -> None:
        name = type(self).__name__
        number(name, "threshold", self.threshold, above=0, hint="give one such as 2.0")
        number(name, "peer", self.peer, at_least=0, hint="give a small number, or 0 for none")
        if not is_one_of(self.negatives, _NEGATIVES):
            raise InputError(
                f"{name}: negatives={self.negatives!r} are none",
                hint='give "label", "own" or "shuffle"',
            )

    def signals(self, objective: Objective) -> Signals:
        network = network_of(type(self).__name__, objective, chain=True)
        for block in network.blocks[:-1]:
            self._check_reach(block)
        labelled = self.negatives != "shuffle"
        examples = examples_of(type(self).__name__, network, labelled=labelled)
        with scope(self.name):
            with scope("good and bad"):
                good, bad = examples.pair(self.negatives)
            signals = dict(network.blocks[-1].pulled(network.error))
            for block in network.blocks[:-1]:
                with scope(block.name.split("/")[-1]):
                    good, bad = block.applied(good), block.applied(bad)
                    signals.update(self._local(block, good, bad))
                    good, bad = _shortened(good), _shortened(bad)
        return network.joined(signals)

    def scores(self, loss: Node, model: Module) -> Node:
        """How good the model finds each row with each label, (rows, classes): no readout is used.

        It is the sum of the goodness of all hidden layers, of three or more without the first:

            accuracy = metrics.accuracy(rule.scores(loss, model), y)
        """
        name = type(self).__name__
        parameters = model_of(name, model).parameters()
        require_scalar(name, loss)
        network = network_of(name, Objective(loss, parameters, model), chain=True)
        examples = examples_of(name, network, labelled=True)

        def with_label(label: Node) -> Node:
            shape = (examples.x.shape[0], examples.classes)
            return self._total(network, examples.labelled(broadcast_to(label, shape)))

        every = one_hot(arange(examples.classes), examples.classes, examples.x.type.dtype)
        found = each_of(with_label, every)
        assert isinstance(found, Node)
        return found.T

    def _total(self, network: Network, values: Node) -> Node:
        found: list[Node] = []
        for block in network.blocks[:-1]:
            given = block.applied(values)
            found.append(goodness(given))
            values = _shortened(given)
        return reduce(Node.__add__, found[1:] if len(found) > 2 else found)

    def _local(self, block: Block, good: Node, bad: Node) -> Signals:
        local = mean(softplus(self.threshold - goodness(good)))
        local = local + mean(softplus(goodness(bad) - self.threshold))
        if self.peer:
            active = mean(good, axis=0)
            local = local + self.peer * mean(square(active - mean(active)))
        found = grad(local, block.parameters)
        return dict(zip(block.parameters, found, strict=True))

    def _check_reach(self, block: Block) -> None:
        most = _BOUNDED.get(block.exit.op.name)
        if most is not None and self.threshold >= most:
            raise GraphError(
                f"{type(self).__name__}: no goodness reaches the threshold {self.threshold:g} in "
                f"{block.name}: the mean square of a {block.exit.op.name} is below {most:g}",
                hint=f"give a threshold below it, such as threshold={most / 2:g}, or use nn.ReLU",
            )


def goodness(values: Node) -> Node:
    """The mean square of the values of each row."""
    return mean(square(values), axis=tuple(range(1, values.ndim)))


def _shortened(values: Node) -> Node:
    """Divided by the root of their mean square, and cut off from what they were computed from."""
    axes = tuple(range(1, values.ndim))
    length = sqrt(mean(square(values), axis=axes, keepdims=True) + 1e-8)
    return stop_gradient(values / length)
