"""Evolution strategies: many random neighbours vote on where to go."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from chainc.dataclass import dataclass
from chainc.ir import Node, scope
from chainc.ir.errors import InputError
from chainc.ir.types import DType, int64, static
from chainc.ops import arange, argsort, astype, concat, matmul, reshape, take, uniform
from chainrule.declare.arguments import count, number
from chainrule.declare.init import normal
from chainrule.learning.trials import each_of, loss_at
from chainrule.optim.signals.rule import Objective, Rule, Signals
from chainrule.optim.slots import beside

__all__ = ["EvolutionStrategies"]

WIDTH = 64  # numbers in a row of the table of noise
LEAST = 2**12  # rows that it has


@dataclass(frozen=True)
class EvolutionStrategies(Rule):
    """Moves towards neighbours by the rank of their losses, which need have no derivative.

    Neighbours come in pairs, w + σε and w - σε; the losses count by their ranks, from -½ to ½. All
    noise stands in one table, drawn from the seed; that of a pair begins at a random row of it, so
    that none is drawn in a step (Salimans et al. 2017, arXiv 1703.03864).

    Attributes:
        population: neighbours a step, an even number.
        sigma: the deviation of the noise.
    """

    population: int = 64
    sigma: float = 0.02

    def __post_init__(self) -> None:
        name = type(self).__name__
        count(name, "population", self.population, hint="give an even number, such as 64")
        if self.population % 2:
            raise InputError(
                f"{name}: a population of {self.population} does not come in pairs",
                hint=f"give an even number, such as population={self.population + 1}",
            )
        number(name, "sigma", self.sigma, above=0, hint="give a small number, such as 0.02")

    def signals(self, objective: Objective) -> Signals:
        parameters = objective.parameters
        with scope(self.name):
            with scope("noise"):
                noise = self._noise(parameters)
            up, down = self._lived(objective.loss, parameters, noise)
            with scope("ranks"):
                votes = self._votes(argsort(argsort(concat([up, down]))), up.type.dtype)
            with scope("votes"):
                return parts(matmul(votes, noise), parameters)

    def _noise(self, parameters: Sequence[Node]) -> Node:
        """A stretch of the table for each pair, as long as all weights: (pairs, numbers)."""
        rows = -(-sum(map(size_of, parameters)) // WIDTH)
        height, pairs = max(LEAST, 4 * rows), self.population // 2
        table = beside("noise", parameters[0], (height, WIDTH), normal(1.0))
        starts = astype(uniform((pairs, 1)) * (height - rows + 1), int64)
        return reshape(take(table, starts + arange(rows), axis=0), (pairs, rows * WIDTH))

    def _lived(self, loss: Node, parameters: Sequence[Node], noise: Node) -> tuple[Node, Node]:
        """The losses of both neighbours of each pair."""

        def life(numbers: Node) -> tuple[Node, Node]:
            moved = {p: self.sigma * e for p, e in parts(numbers, parameters).items()}
            up = loss_at(loss, {p: p + step for p, step in moved.items()})
            return up, loss_at(loss, {p: p - step for p, step in moved.items()})

        with scope("neighbours"):
            losses = each_of(life, noise)
        assert isinstance(losses, tuple)
        return losses[0], losses[1]

    def _votes(self, ranks: Node, dtype: DType) -> Node:
        """What the noise of each pair counts, by the ranks of its two losses."""
        share = (astype(ranks, dtype) / (self.population - 1) - 0.5) / self.population
        pairs = self.population // 2
        return (share[:pairs] - share[pairs:]) / self.sigma


def parts(numbers: Node, parameters: Sequence[Node]) -> Signals:
    """A row of numbers as values of the parameters, in their order; more than it needs."""
    found: dict[Node, Node] = {}
    begin = 0
    for parameter in parameters:
        end = begin + size_of(parameter)
        own = astype(numbers[begin:end], parameter.type.dtype)
        found[parameter] = reshape(own, parameter.shape)
        begin = end
    return found


def size_of(parameter: Node) -> int:
    return prod(static(parameter.shape))
