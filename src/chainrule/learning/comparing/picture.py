"""The picture of a comparison: curves, angles by layer, time and memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainrule.learning.comparing.row import Row
from chainrule.plots.given import at_most
from chainrule.plots.paper.courses import course, over_whole_numbers
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import (
    GREY,
    label,
    legend_below,
    logarithmic,
    look,
    require_matplotlib,
)
from chainrule.steps.ending import VALIDATION

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

MOST_RULES, MOST_LAYERS, ACROSS = 12, 12, 3
WIDE = 40  # times the least of the values: beyond it their axis is logarithmic


def drawn(found: Sequence[Row], judged_by: str) -> Plot:
    """The picture of some rows, whose curves are those of a loss or metric."""
    layers = list(found[0].angles)
    require_matplotlib("plot")
    at_most("plot", "rules", len(found), MOST_RULES, "compare fewer at a time")
    at_most("plot", "layers", len(layers), MOST_LAYERS, "compare them on a smaller model")
    below = -(-len(layers) // ACROSS)
    title = f"{len(found)} learning rules"
    with paper(title, 15.0, 4.2 * (1 + below) + 1.2) as figure:
        halves = figure.add_gridspec(2, 1, height_ratios=(1, below))
        above, under = (figure.add_subfigure(halves[place]) for place in (0, 1))
        memory = [row.memory / 1000 for row in found if row.memory is not None]
        wide = (1.3, 1, 1) if memory else (1.3, 1)  # not every target tells its memory
        curves, times, *others = above.subplots(1, len(wide), width_ratios=wide)
        entries = _curves(curves, found, judged_by)
        _bars(times, found, "seconds an epoch", [row.epoch_seconds for row in found])
        for axes in others:
            _bars(axes, found, "kB that a run allocates", memory)
            axes.set_yticklabels([])
        places = under.subplots(below, ACROSS, sharey=True, squeeze=False).ravel()
        highest = _highest(found)
        for axes, layer in zip(places, layers, strict=False):
            _angles(axes, found, layer, highest)
        for axes in places[len(layers) :]:
            axes.remove()
        under.supylabel("degrees to the gradient", fontsize=13)
        legend_below(figure, entries)
    return Plot(figure, f"{title}: {', '.join(row.rule for row in found)}")


def _curves(axes: Axes, found: Sequence[Row], name: str) -> list[tuple[Artist, str]]:
    told = " on held-out data" if name.startswith(VALIDATION) else ""
    columns = [np.asarray(row.history[name]) for row in found]
    entries: list[tuple[Artist, str]] = []
    for place, (row, values) in enumerate(zip(found, columns, strict=True)):
        entries.append((course(axes, values, *look(place)), row.rule))
    axes.set_title(label(f"{name.removeprefix(VALIDATION)}{told}"))
    _over_epochs(axes, first=1, last=max(map(len, columns)))
    return entries


def _highest(found: Sequence[Row]) -> float:
    """The end of the axis of angles: past 90°, whatever they are."""
    angles = np.array([each for row in found for each in row.angles.values()])
    return float(max(100.0, angles[np.isfinite(angles)].max(initial=0) + 5))


def _angles(axes: Axes, found: Sequence[Row], layer: str, highest: float) -> None:
    columns = [np.asarray(row.angles[layer]) for row in found]
    for place, values in enumerate(columns):
        course(axes, values, *look(place), first=0)
    axes.axhline(90, color=GREY, linewidth=1.0)
    axes.set_title(label(layer))
    axes.set_ylim(-4, highest)
    axes.set_yticks(range(0, int(highest) + 1, 30))
    axes.tick_params(labelleft=True)
    _over_epochs(axes, first=0, last=max(map(len, columns)) - 1)


def _over_epochs(axes: Axes, *, first: int, last: int) -> None:
    axes.grid(True)
    axes.set_xlabel("epoch")
    over_whole_numbers(axes, first - 0.5, last + 0.5)


def _bars(axes: Axes, found: Sequence[Row], title: str, values: Sequence[float]) -> None:
    """One for each rule, from the first above to the last below."""
    places = range(len(values))
    axes.set_title(title)
    axes.set_yticks(places, [label(row.rule) for row in found])
    axes.invert_yaxis()
    axes.grid(True, axis="x")
    low, high = min(values) / 2, max(values) * 1.2
    axes.barh(places, values, color=[look(place)[0] for place in places])
    axes.set_xlim(0, high)
    if high > WIDE * low:
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        logarithmic(axes.xaxis, low, high)
