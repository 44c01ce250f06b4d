"""Learning rates that change while training: functions of the number of steps done so far.

A schedule is called with that number, a float32 scalar node, and gives the rate, a scalar node.
It runs inside the compiled step. They compose: `warmup(100, cosine(0.1, 1000))`. A function of
one's own, from node to node, is a schedule as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ir.leaves import constant as constant_node
from chainc.ops import cos, minimum, where
from chainrule.declare.arguments import count, number

__all__ = ["Schedule", "constant", "cosine", "exponential", "step_decay", "warmup"]


def __dir__() -> list[str]:
    return list(__all__)


Schedule = Callable[[Node], Node]


@dataclass(frozen=True)
class ConstantRate:
    """Always `rate`."""

    rate: float

    def __call__(self, step: Node) -> Node:
        return constant_node(self.rate, step.type.dtype)


@dataclass(frozen=True)
class StepDecay:
    """`initial` · `factor`^⌊step / `every`⌋."""

    initial: float
    factor: float
    every: int

    def __call__(self, step: Node) -> Node:
        return self.initial * self.factor ** (step // float(self.every))


@dataclass(frozen=True)
class Exponential:
    """`initial` · `factor`^(step / `steps`)."""

    initial: float
    factor: float
    steps: int

    def __call__(self, step: Node) -> Node:
        return self.initial * self.factor ** (step / float(self.steps))


@dataclass(frozen=True)
class Cosine:
    """Half a cosine wave from `initial` down to `final` over `steps`, then `final`."""

    initial: float
    steps: int
    final: float

    def __call__(self, step: Node) -> Node:
        progress = minimum(step / float(self.steps), 1.0)
        height = 0.5 * (1.0 + cos(math.pi * progress))
        return self.final + (self.initial - self.final) * height


@dataclass(frozen=True)
class Warmup:
    """`then`, reached from 0 along a line over `steps`; `then` counts from its end."""

    steps: int
    then: Schedule

    def __call__(self, step: Node) -> Node:
        length = float(self.steps)
        # step 0 already learns: the line takes its value at the end of the step
        start = self.then(0.0 * step) * ((step + 1.0) / length)
        return where(step < length, start, self.then(step - length))


def constant(rate: float) -> Schedule:
    """Always `rate`.

    Raises:
        InputError: it is not a positive number.
    """
    return ConstantRate(_rate("constant", "rate", rate))


def step_decay(initial: float, factor: float = 0.1, every: int = 1000) -> Schedule:
    """`initial`, multiplied by `factor` after each `every` steps.

    Raises:
        InputError: a number is not positive.
    """
    return StepDecay(
        _rate("step_decay", "initial", initial),
        _rate("step_decay", "factor", factor),
        _steps("step_decay", "every", every),
    )


def exponential(initial: float, factor: float = 0.1, steps: int = 1000) -> Schedule:
    """`initial`, multiplied by `factor` over each `steps` steps, a little at every one.

    Raises:
        InputError: a number is not positive.
    """
    return Exponential(
        _rate("exponential", "initial", initial),
        _rate("exponential", "factor", factor),
        _steps("exponential", "steps", steps),
    )


def cosine(initial: float, steps: int, final: float = 0.0) -> Schedule:
    """From `initial` to `final` over `steps` along half a cosine (Loshchilov and Hutter 2017).

    Raises:
        InputError: a number is not positive, or `final` negative or above `initial`.
    """
    start = _rate("cosine", "initial", initial)
    end = number(
        "schedules.cosine", "final", final, at_least=0, hint="give a small rate to end at, or 0"
    )
    if end > start:
        raise InputError(
            f"schedules.cosine: final={end:g} is above initial={start:g}",
            hint="give the larger rate first; schedules.warmup makes a rate rise",
        )
    return Cosine(start, _steps("cosine", "steps", steps), end)


def warmup(steps: int, then: Schedule | float) -> Schedule:
    """`then`, reached along a line over the first `steps` steps; a number is a constant rate.

    Raises:
        InputError: `steps` is not positive, or `then` is neither a schedule nor a positive number.
    """
    following = then if callable(then) else constant(then)
    return Warmup(_steps("warmup", "steps", steps), following)


def _rate(schedule: str, name: str, value: float) -> float:
    return number(
        f"schedules.{schedule}", name, value, above=0, hint="give a positive number, such as 0.1"
    )


def _steps(schedule: str, name: str, value: int) -> int:
    return count(f"schedules.{schedule}", name, value, hint="give a number of steps, such as 1000")
