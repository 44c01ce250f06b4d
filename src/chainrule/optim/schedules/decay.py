"""Rates that fall, or stay: by steps, powers and roots of the time."""

from __future__ import annotations

from collections.abc import Mapping

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ir.leaves import constant as constant_node
from chainc.ops import minimum, where
from chainrule.optim.schedules.schedule import (
    Schedule,
    final_rate,
    positive_rate,
    steps_of,
)

__all__ = [
    "constant",
    "exponential",
    "inverse_time",
    "piecewise",
    "polynomial",
    "step_decay",
]


@dataclass(frozen=True)
class ConstantRate(Schedule):
    """Always `rate`."""

    rate: float

    def __call__(self, step: Node) -> Node:
        return constant_node(self.rate, step.type.dtype)


@dataclass(frozen=True)
class StepDecay(Schedule):
    """`initial` · `factor`^⌊step / `every`⌋."""

    initial: float
    factor: float
    every: int

    def __call__(self, step: Node) -> Node:
        return self.initial * self.factor ** (step // float(self.every))

    @property
    def span(self) -> int:
        return 4 * self.every


@dataclass(frozen=True)
class Exponential(Schedule):
    """`initial` · `factor`^(step / `steps`)."""

    initial: float
    factor: float
    steps: int

    def __call__(self, step: Node) -> Node:
        return self.initial * self.factor ** (step / float(self.steps))

    @property
    def span(self) -> int:
        return 2 * self.steps


@dataclass(frozen=True)
class InverseTime(Schedule):
    """`initial` / (1 + step / `steps`)."""

    initial: float
    steps: int

    def __call__(self, step: Node) -> Node:
        return self.initial / (1.0 + step / float(self.steps))

    @property
    def span(self) -> int:
        return 4 * self.steps


@dataclass(frozen=True)
class Polynomial(Schedule):
    """From `initial` to `final` by (1 - step / `steps`)^`power`, then `final`."""

    initial: float
    steps: int
    power: float
    final: float

    def __call__(self, step: Node) -> Node:
        left = 1.0 - minimum(step / float(self.steps), 1.0)
        return self.final + (self.initial - self.final) * left**self.power

    @property
    def span(self) -> int:
        return self.steps


@dataclass(frozen=True)
class Piecewise(Schedule):
    """`initial`, and from each of the steps on another rate."""

    initial: float
    changes: tuple[tuple[int, float], ...]

    def __call__(self, step: Node) -> Node:
        rate = constant_node(self.initial, step.type.dtype)
        for start, following in self.changes:
            rate = where(step < float(start), rate, following)
        return rate

    @property
    def span(self) -> int:
        return self.changes[-1][0] * 4 // 3 + 1


def constant(rate: float) -> Schedule:
    """Always `rate`.

    Raises:
        InputError: it is not a positive number.
    """
    return ConstantRate(positive_rate("constant", "rate", rate))


def step_decay(initial: float, factor: float = 0.1, every: int = 1000) -> Schedule:
    """`initial`, multiplied by `factor` after each `every` steps.

    Raises:
        InputError: a number is not positive.
    """
    return StepDecay(
        positive_rate("step_decay", "initial", initial),
        positive_rate("step_decay", "factor", factor),
        steps_of("step_decay", "every", every),
    )


def exponential(initial: float, factor: float = 0.1, steps: int = 1000) -> Schedule:
    """`initial`, multiplied by `factor` over each `steps` steps, a little at every one.

    Raises:
        InputError: a number is not positive.
    """
    return Exponential(
        positive_rate("exponential", "initial", initial),
        positive_rate("exponential", "factor", factor),
        steps_of("exponential", "steps", steps),
    )


def inverse_time(initial: float, steps: int = 1000) -> Schedule:
    """`initial` / (1 + step / `steps`): half of it after `steps`, a third after twice as many.

    Rates that fall like 1/t are those for which stochastic gradient descent is proved to arrive
    (Robbins and Monro, 1951).

    Raises:
        InputError: a number is not positive.
    """
    return InverseTime(
        positive_rate("inverse_time", "initial", initial),
        steps_of("inverse_time", "steps", steps),
    )


def polynomial(initial: float, steps: int, power: float = 1.0, final: float = 0.0) -> Schedule:
    """From `initial` to `final` over `steps` by (1 - step / steps)^power; 1 is a line.

    Raises:
        InputError: a number is not positive, or `final` negative or above `initial`.
    """
    start = positive_rate("polynomial", "initial", initial)
    end = final_rate("polynomial", "final", final)
    require_fall("polynomial", start, end)
    exponent = positive_rate("polynomial", "power", power)
    return Polynomial(start, steps_of("polynomial", "steps", steps), exponent, end)


def piecewise(initial: float, changes: Mapping[int, float]) -> Schedule:
    """`initial`, and from each of the given steps on the rate that is given with it.

        schedules.piecewise(0.1, {1000: 0.01, 2000: 0.001})

    Raises:
        InputError: a rate is not positive, a step no positive whole number, or there is none.
    """
    given: object = changes
    if not isinstance(given, Mapping) or not given:
        raise InputError(
            f"schedules.piecewise: changes is {changes!r}, no rates by step",
            hint="give a rate for each step from which on it holds: {1000: 0.01, 2000: 0.001}",
        )
    rates = {
        steps_of("piecewise", "a step", step): positive_rate("piecewise", "a rate", rate)
        for step, rate in changes.items()
    }
    start = positive_rate("piecewise", "initial", initial)
    return Piecewise(start, tuple(sorted(rates.items())))


def require_fall(schedule: str, initial: float, final: float) -> None:
    """Refuse a rate to end at that is larger than the first.

    Raises:
        InputError: it is.
    """
    if final > initial:
        raise InputError(
            f"schedules.{schedule}: final={final:g} is above initial={initial:g}",
            hint="give the larger rate first; schedules.warmup makes a rate rise",
        )
