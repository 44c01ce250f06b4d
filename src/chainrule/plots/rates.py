"""Learning rates over the steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainc.interpreters.reference import evaluate
from chainc.ir import Graph, Node
from chainc.ir.errors import InputError
from chainrule.declare.arguments import count, mapping
from chainrule.declare.leaves import input
from chainrule.evaluation.values import Floats
from chainrule.plots.given import at_most
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import (
    BLUE,
    GREY,
    VERMILLION,
    legend_below,
    logarithmic,
    look,
    require_matplotlib,
)
from chainrule.writing.array_text import number_text

if TYPE_CHECKING:
    from matplotlib.artist import Artist

MOST_SCHEDULES = 12


def rates(schedules: Mapping[str, Callable[[Node], Node]], steps: int = 1000) -> Plot:
    """Schedules in one picture: the learning rate in each step.

    Args:
        schedules: by the name to show.
        steps: how many.

    Raises:
        InputError: there is no schedule, something else, too many, or no step.
    """
    require_matplotlib("rates")
    hint = 'give schedules by name, such as {"cosine": schedules.cosine(0.1, steps=1000)}'
    given = mapping("rates", "schedules", schedules, hint=hint)
    at_most("rates", "schedules", len(given), MOST_SCHEDULES, "compare fewer at a time")
    odd = [f"{name!r} is {each!r}" for name, each in given.items() if not callable(each)]
    if odd:
        raise InputError(f"rates: {odd[0]}, no schedule", hint=hint)
    count("rates", "steps", steps, hint="show at least one step: steps=1000")
    found = {str(name): rate_of(schedule, steps) for name, schedule in schedules.items()}
    return drawn(found, "Learning rate")


def rate_of(schedule: Callable[[Node], Node], steps: int) -> Floats:
    """The rate in each of the first steps, all computed at once."""
    step = input("step", ("steps",))
    rate = schedule(step) + 0.0 * step  # also of one that does not look at the step
    (values,) = evaluate(Graph((rate,)), {"step": np.arange(float(steps))}).outputs
    return np.asarray(values, np.float64)


def drawn(found: Mapping[str, Sequence[float] | Floats], title: str) -> Plot:
    """Lines over the steps."""
    with paper(title, 9.0, 5.2) as figure:
        axes = figure.subplots()
        entries: list[tuple[Artist, str]] = []
        for position, (name, values) in enumerate(found.items()):
            colour, dashes = look(position)
            (line,) = axes.plot(np.arange(len(values)), values, color=colour, linestyle=dashes)
            entries.append((line, name))
        axes.grid(True)
        axes.set(xlabel="step", ylabel="learning rate")
        axes.set_ylim(bottom=0)
        axes.set_xlim(0, max(map(len, found.values())))
        legend_below(figure, entries)
    return Plot(figure, f"{title}: {', '.join(found)}")


def rate_search(
    tried: Sequence[float], losses: Sequence[float], smoothed: Sequence[float], suggestion: float
) -> Plot:
    """What `optim.find_rate` has seen: losses over learning rates.

    Args:
        tried: the rates.
        losses: at each of them.
        smoothed: their running means.
        suggestion: the rate to mark.
    """
    require_matplotlib("rate_search")
    title = "Loss while the learning rate grows"
    with paper(title, 9.0, 5.2) as figure:
        axes = figure.subplots()
        (thin,) = axes.plot(tried, losses, color=GREY, linewidth=1.0)
        (line,) = axes.plot(tried, smoothed, color=BLUE)
        mark = axes.axvline(suggestion, color=VERMILLION, linestyle="--")
        axes.set_xscale("log")
        logarithmic(axes.xaxis, min(tried), max(tried))
        axes.grid(True)
        axes.set(xlabel="learning rate", ylabel="loss")
        margin = 0.1 * (max(smoothed) - min(smoothed)) or 1.0
        axes.set_ylim(min(smoothed) - margin, max(smoothed) + margin)
        suggested = f"suggestion: {number_text(suggestion, 3)}"
        legend_below(figure, [(thin, "loss"), (line, "running mean"), (mark, suggested)])
    return Plot(figure, title)
