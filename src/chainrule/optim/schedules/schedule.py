"""What schedules are, and what the numbers in them are checked for."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from chainc.ir import Node
from chainc.ir.errors import InputError
from chainrule.declare.arguments import count, number

if TYPE_CHECKING:
    from chainrule.plots.paper.plot import Plot

__all__ = ["Schedule", "ScheduleLike"]

ScheduleLike = Callable[[Node], Node]  # a schedule, or a function of one's own

SPAN = 1000  # steps that a plot of a schedule without an end shows


class Schedule(ABC):
    """The learning rate as a function of the number of updates done."""

    def __new__(cls, *_arguments: object, **_named: object) -> Self:
        if inspect.isabstract(cls):
            raise InputError(
                f"{cls.__name__}: it does not say what the rate is at a step",
                hint="use a schedule, such as schedules.cosine(0.1, steps=1000), or define "
                "__call__(self, step) in a subclass",
            )
        return super().__new__(cls)

    @abstractmethod
    def __call__(self, step: Node) -> Node:
        """The rate at a step, both scalar nodes."""

    def shown(self, step: Node) -> Node:
        """The rate that a plot shows, at many steps at once: where only they count, the same."""
        return self(step)

    @property
    def span(self) -> int:
        """How many steps a picture of it should show."""
        return SPAN

    def plot(self, steps: int | None = None) -> Plot:
        """The rate over the steps.

        Args:
            steps: how many; by default up to where the schedule ends, or some.

        Raises:
            InputError: `steps` is no positive whole number.
            RenderingError: matplotlib is not installed.
        """
        from chainrule.plots.rates import rates

        return rates({repr(self): self.shown}, self.span if steps is None else steps)


def positive_rate(schedule: str, name: str, value: float) -> float:
    """A positive number, such as a rate or a factor.

    Raises:
        InputError: it is none.
    """
    hint = "give a positive number, such as 0.1"
    return number(f"schedules.{schedule}", name, value, above=0, hint=hint)


def final_rate(schedule: str, name: str, value: float) -> float:
    """A rate to end at, which may be 0.

    Raises:
        InputError: it is negative, or none.
    """
    hint = "give a small rate to end at, or 0"
    return number(f"schedules.{schedule}", name, value, at_least=0, hint=hint)


def steps_of(schedule: str, name: str, value: int) -> int:
    """A number of steps.

    Raises:
        InputError: it is no positive whole number.
    """
    hint = "give a number of steps, such as 1000"
    return count(f"schedules.{schedule}", name, value, hint=hint)
