"""Evolution strategies: many random neighbours vote on where to go."""

from __future__ import annotations

from chainc.dataclass import dataclass
from chainc.ir import Node, scope
from chainc.ir.errors import InputError
from chainc.ops import arange, argsort, astype, concat
from chainc.ops.runs.random import drawn_seed
from chainrule.declare.arguments import count, number
from chainrule.learning.trials import directions, loss_at, summed, zeros_like
from chainrule.optim.signals.rule import Objective, Rule, Signals
from chainrule.sequences.scan import scan

__all__ = ["EvolutionStrategies"]


@dataclass(frozen=True)
class EvolutionStrategies(Rule):
    """Moves towards neighbours by the rank of their losses, which need have no derivative.

    Neighbours come in pairs, w + σε and w - σε; the losses count by their ranks, from -½ to ½. The
    noise is drawn again where it is used, so that nothing but losses is kept of a neighbour
    (Salimans et al. 2017, arXiv 1703.03864).

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
        with scope(self.name):
            return self._voted(objective)

    def _voted(self, objective: Objective) -> Signals:
        parameters, pairs = objective.parameters, self.population // 2
        with scope("seed"):
            seed, numbers = drawn_seed(), arange(pairs)

        def noise(number: Node) -> Signals:
            return directions(parameters, seed, number)

        def lived(carry: Node, number: Node) -> tuple[Node, tuple[Node, Node]]:
            moved = {p: self.sigma * e for p, e in noise(number).items()}
            losses = (
                loss_at(objective.loss, {p: p + step for p, step in moved.items()}),
                loss_at(objective.loss, {p: p - step for p, step in moved.items()}),
            )
            return carry, losses

        with scope("neighbours"):
            _, losses = scan(lived, zeros_like(objective.loss), xs=numbers)
        assert isinstance(losses, tuple)
        up, down = losses
        with scope("ranks"):
            ranks = argsort(argsort(concat([up, down])))
            share = (astype(ranks, up.type.dtype) / (self.population - 1) - 0.5) / self.population
            votes = (share[:pairs] - share[pairs:]) / self.sigma

        def voted(number: Node, vote: Node) -> Signals:
            return {p: vote * e for p, e in noise(number).items()}

        with scope("votes"):
            return summed(parameters, voted, xs=(numbers, votes))
