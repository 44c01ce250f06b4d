"""Rates along cosines: once, again and again, and up and down."""

from __future__ import annotations

import math

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ops import cos, floor, log, maximum, minimum, where
from chainrule.declare.arguments import count, number
from chainrule.optim.schedules.decay import require_fall
from chainrule.optim.schedules.schedule import (
    Schedule,
    final_rate,
    positive_rate,
    steps_of,
)

__all__ = ["cosine", "one_cycle", "restarts"]


def along_cosine(start: float, end: float, progress: Node) -> Node:
    """Half a cosine wave from `start`, at a progress of 0, to `end`, at 1."""
    return end + (start - end) * (0.5 * (1.0 + cos(math.pi * progress)))


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine wave from `initial` down to `final` over `steps`, then `final`."""

    initial: float
    steps: int
    final: float

    def __call__(self, step: Node) -> Node:
        return along_cosine(self.initial, self.final, minimum(step / float(self.steps), 1.0))

    @property
    def span(self) -> int:
        return self.steps


@dataclass(frozen=True)
class Restarts(Schedule):
    """Half cosine waves from `initial` to `final`, each `growth` times as long as the last."""

    initial: float
    steps: int
    growth: int
    final: float

    def __call__(self, step: Node) -> Node:
        if self.growth == 1:
            turn = step / float(self.steps)
            return along_cosine(self.initial, self.final, turn - floor(turn))
        # the waves before number n took steps · (growth^n - 1) / (growth - 1); a half step more
        # keeps the logarithm away from the whole numbers at which waves begin
        shares = 1.0 + (step + 0.5) * ((self.growth - 1) / self.steps)
        length = float(self.growth) ** floor(log(shares) / math.log(self.growth))
        before = (length - 1.0) * (self.steps / (self.growth - 1))
        return along_cosine(self.initial, self.final, (step - before) / (length * self.steps))

    @property
    def span(self) -> int:
        return self.steps * (1 + self.growth + self.growth * self.growth)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Half a cosine wave from `start` up to `peak`, then a longer one down to `end`."""

    start: float
    peak: float
    end: float
    steps: int
    rising: float

    def __call__(self, step: Node) -> Node:
        top, last = self.rising * self.steps - 1.0, self.steps - 1.0
        up = along_cosine(self.start, self.peak, maximum(step, 0.0) / top)
        down = along_cosine(self.peak, self.end, minimum((step - top) / (last - top), 1.0))
        return where(step < top, up, down)

    @property
    def span(self) -> int:
        return self.steps


def cosine(initial: float, steps: int, final: float = 0.0) -> Schedule:
    """From `initial` to `final` over `steps` along half a cosine (Loshchilov and Hutter 2017).

    Raises:
        InputError: a number is not positive, or `final` negative or above `initial`.
    """
    start, end = positive_rate("cosine", "initial", initial), final_rate("cosine", "final", final)
    require_fall("cosine", start, end)
    return Cosine(start, steps_of("cosine", "steps", steps), end)


def restarts(initial: float, steps: int, growth: int = 1, final: float = 0.0) -> Schedule:
    """A cosine over `steps`, then from the start again, each time over `growth` times as many.

    Warm restarts (Loshchilov and Hutter, ICLR 2017), as in PyTorch.

    Raises:
        InputError: a number is not positive, `growth` not whole, or `final` above `initial`.
    """
    start = positive_rate("restarts", "initial", initial)
    end = final_rate("restarts", "final", final)
    require_fall("restarts", start, end)
    hint = "give a whole number, such as growth=2, or 1 for waves of one length"
    longer = count("schedules.restarts", "growth", growth, hint=hint)
    return Restarts(start, steps_of("restarts", "steps", steps), longer, end)


def one_cycle(
    peak: float,
    steps: int,
    rising: float = 0.3,
    start: float | None = None,
    end: float | None = None,
) -> Schedule:
    """From `start` up to `peak`, then down to `end`, in `steps` (Smith and Topin, 2018).

    The numbers that are not given are PyTorch's.

    Args:
        peak: the largest rate, reached in step rising · steps - 1.
        steps: of the whole cycle; after it the rate stays at `end`.
        rising: the share of the steps in which the rate rises.
        start: the first rate, by default peak / 25.
        end: the last one, by default start / 10,000.

    Raises:
        InputError: a number is not positive, the share is not between 0 and 1, the rise has no
            step, or `start` or `end` is above the peak.
    """
    highest = positive_rate("one_cycle", "peak", peak)
    first = positive_rate("one_cycle", "start", highest / 25 if start is None else start)
    last = final_rate("one_cycle", "end", first / 1e4 if end is None else end)
    length = steps_of("one_cycle", "steps", steps)
    hint = "give the share of the steps, such as rising=0.3"
    share = number("schedules.one_cycle", "rising", rising, above=0, below=1, hint=hint)
    if max(first, last) > highest:
        raise InputError(
            f"schedules.one_cycle: start={first:g} or end={last:g} is above peak={highest:g}",
            hint="give the largest rate as the peak",
        )
    if share * length <= 1:
        raise InputError(
            f"schedules.one_cycle: the rate would rise for {share * length:g} steps",
            hint="give more steps, or a larger share with rising=",
        )
    return OneCycle(first, highest, last, length, share)
