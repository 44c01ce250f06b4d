"""Perturbation: something is moved at random, and what helped is done again."""

from __future__ import annotations

from collections.abc import Mapping

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, rebuild, scope
from chainc.ops import normal, reshape, sum
from chainc.ops.runs.modes import without_updates
from chainrule.declare.arguments import count, number
from chainrule.learning.network import Network, network_of
from chainrule.learning.trials import directions, loss_at, summed
from chainrule.optim.signals.rule import Objective, Rule, Signals

__all__ = ["NodePerturbation", "WeightPerturbation"]


@dataclass(frozen=True)
class _Perturbation(Rule):
    samples: int = 1
    sigma: float = 0.01

    def __post_init__(self) -> None:
        name = type(self).__name__
        count(name, "samples", self.samples, hint="try one perturbation or more")
        number(name, "sigma", self.sigma, above=0, hint="give a small number, such as 0.01")


@dataclass(frozen=True)
class WeightPerturbation(_Perturbation):
    """All weights are moved a little at random; the signal is the noise times what it changed.

    (L(w + σv) - L(w)) v / σ with v normal (Widrow and Lehr 1990). No derivative is needed, one
    number comes back, and the variance grows with the number of weights.

    Attributes:
        samples: perturbations a step, whose mean is taken.
        sigma: the deviation of the noise.
    """

    def signals(self, objective: Objective) -> Signals:
        with scope(self.name):
            return self._summed(objective)

    def _summed(self, objective: Objective) -> Signals:
        here = loss_at(objective.loss, {})

        def trial() -> Signals:
            noise = directions(objective.parameters)
            there = loss_at(objective.loss, {p: p + self.sigma * v for p, v in noise.items()})
            slope = (there - here) / (self.sigma * self.samples)
            return {p: slope * v for p, v in noise.items()}

        return summed(objective.parameters, trial, count=self.samples)


@dataclass(frozen=True)
class NodePerturbation(_Perturbation):
    """What each hidden layer gives is moved a little at random, for each row of the batch alone.

    The signal of a layer is its noise times what all noise changed in the loss of the row, where
    the loss is taken as linear in the output. There is less noise than weights, so the variance is
    lower than with `WeightPerturbation`; within a layer the chain rule holds, and the last one gets
    its gradient (Flower and Jabri 1992; Werfel, Xie, Seung 2005).

    Attributes:
        samples: perturbations a step, whose mean is taken.
        sigma: the deviation of the noise.
    """

    def signals(self, objective: Objective) -> Signals:
        network = network_of(type(self).__name__, objective)
        error = network.error
        with scope(self.name):
            found = dict(network.blocks[-1].pulled(error))
            hidden = [p for block in network.hidden for p in block.parameters]
            found.update(summed(hidden, lambda: self._trial(network, error), count=self.samples))
        return network.joined(found)

    def _trial(self, network: Network, error: Node) -> Signals:
        noise = {
            block.exit: normal(block.exit.shape, dtype=block.exit.type.dtype)
            for block in network.hidden
        }
        changed = (_moved(network.output, noise, self.sigma) - network.output) * error
        rows = sum(changed, axis=tuple(range(1, changed.ndim))) / (self.sigma * self.samples)
        found: dict[Node, Node] = {}
        for block in network.hidden:
            column = reshape(rows, (*rows.shape, *(1,) * (block.exit.ndim - 1)))
            found.update(block.pulled(column * noise[block.exit]))
        return found


def _moved(output: Node, noise: Mapping[Node, Node], sigma: float) -> Node:
    """The output where noise is added to some values on the way to it."""

    def moved(node: Node, inputs: tuple[Node, ...]) -> Node:
        plain = without_updates(node, inputs)
        return plain + sigma * noise[node] if node in noise else plain

    return rebuild(Graph((output,)), moved).outputs[0]
