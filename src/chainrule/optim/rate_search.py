"""A learning rate found by trying: rates that grow from step to step, and the loss at each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.errors import GraphError, InputError
from chainc.ir.types import Array
from chainrule.declare.arguments import count, number
from chainrule.optim.optimizers.optimizer import Optimizer

if TYPE_CHECKING:
    from chainrule.evaluation.values import Data
    from chainrule.plots.paper.plot import Plot

__all__ = ["RateSearch", "find_rate"]

SMOOTHING = 0.9  # the share of the past in the smoothed loss
DIVERGED = 4.0  # a smoothed loss so many times the lowest one ends the search
MARGIN = 10.0  # the suggestion lies by this factor below the rate of the lowest loss


@dataclass(frozen=True)
class RateSearch:
    """What a search has seen, a step an entry.

    Attributes:
        rates: each larger than the last.
        losses: before each step.
        smoothed: running means of the losses.
        suggestion: a tenth of the rate at which the smoothed loss is lowest.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggestion: float

    def plot(self) -> Plot:
        """The losses over the rates, with the suggestion.

        Raises:
            RenderingError: matplotlib is not installed.
        """
        from chainrule.plots.rates import rate_search

        return rate_search(self.rates, self.losses, self.smoothed, self.suggestion)


def find_rate(
    optimizer: Optimizer,
    loss: Node,
    data: Data,
    *,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 100,
    batch_size: int = 32,
    seed: int = 0,
) -> RateSearch:
    """Train for some steps while the rate grows by a constant factor (Smith, WACV 2017).

    It ends when the loss has become several times what it was at its lowest, or is not finite.
    Where the loss falls fastest the rate is good; at its lowest it is already too large.

    Args:
        optimizer: its own rate is not looked at.
        loss: to minimise.
        data: arrays for every input, as for `program.run`; batches are drawn from its rows.
        lowest: the first rate.
        highest: the last one.
        steps: how many rates are tried.
        batch_size: rows a step.
        seed: of the initial values and the batches.

    Raises:
        InputError: a number is out of range, the data does not fit, or the loss was never finite.
        GraphError: it is no optimizer.
    """
    given: object = optimizer
    if not isinstance(given, Optimizer):
        raise GraphError(
            f"find_rate: a {type(given).__name__} is no optimizer",
            hint="give the optimizer whose rate is looked for, such as optim.SGD(1.0)",
        )
    hint = "give the smaller rate first, such as lowest=1e-6, highest=10"
    low = number("find_rate", "lowest", lowest, above=0, hint=hint)
    high = number("find_rate", "highest", highest, above=low, hint=hint)
    count("find_rate", "steps", steps, at_least=10, hint="try at least ten rates: steps=100")
    count("find_rate", "batch_size", batch_size, hint="take at least one row: batch_size=32")
    count("find_rate", "seed", seed, at_least=0, hint="give a seed such as 0")
    seen = _seen(optimizer, loss, data, np.geomspace(low, high, steps), batch_size, seed)
    rates: list[float] = []
    losses: list[float] = []
    smoothed: list[float] = []
    for rate, value in seen:
        mean = _smoothed(losses, value)
        if not math.isfinite(mean) or (smoothed and mean > DIVERGED * abs(min(smoothed))):
            break
        rates.append(rate)
        losses.append(value)
        smoothed.append(mean)
    if not rates:
        raise InputError(
            f"find_rate: the loss is not finite at the rate {lowest:g}",
            hint="look at the data, or at the first loss with cr.check_grad",
        )
    suggestion = rates[int(np.argmin(smoothed))] / MARGIN
    return RateSearch(tuple(rates), tuple(losses), tuple(smoothed), suggestion)


def _seen(
    optimizer: Optimizer, loss: Node, data: Data, rates: Array, batch_size: int, seed: int
) -> Iterator[tuple[float, float]]:
    """Each rate and the loss before the step with it."""
    from chainrule.compiled.compilation import compile  # who only declares does not load it
    from chainrule.evaluation.values import by_key

    step = replace(optimizer, lr=float(rates[0])).minimize(loss)
    given = {name: np.asarray(each) for name, each in by_key(step.graph, data).items()}
    run = compile(step)
    run = run.bind(run.initial_state(seed))
    batches = _batches(given, batch_size, seed)
    for rate in rates.tolist():
        yield rate, float(run(next(batches), lr=rate)[0])


def _batches(given: Mapping[str, Array], size: int, seed: int) -> Iterator[Mapping[str, Array]]:
    """Rows in a random order, again and again."""
    lengths = {len(array) for array in given.values() if array.ndim}
    if len(lengths) != 1 or min(lengths) < size:
        found = ", ".join(map(str, sorted(lengths))) or "none"
        raise InputError(
            f"find_rate: the data has {found} rows for batches of {size}",
            hint="give arrays of one length, at least that of a batch",
        )
    (length,) = lengths
    random = np.random.default_rng(seed)
    while True:
        order = random.permutation(length)
        for first in range(0, length - size + 1, size):
            rows = order[first : first + size]
            yield {name: array[rows] if array.ndim else array for name, array in given.items()}


def _smoothed(before: list[float], value: float) -> float:
    """The running mean, corrected for its start."""
    weights = SMOOTHING ** np.arange(len(before) + 1.0)
    return float(np.dot(weights, [value, *reversed(before)]) / weights.sum())
