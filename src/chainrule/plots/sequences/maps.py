"""Numbers along a sequence as images: units over time, and what attends to what."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainc.ir.errors import InputError
from chainrule.declare.arguments import mapping, several
from chainrule.declare.arguments import text as text_of
from chainrule.plots.given import at_most, numbers
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import label, printable, require_matplotlib, shades, two_sided
from chainrule.writing.array_text import number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_PANELS, MOST_STEPS, MOST_UNITS, MOST_HEADS = 8, 70, 64, 8
STEP = 0.17  # inches for a step
Marks = str | Sequence[str] | None  # what stands at the steps


def over_time(
    values: Mapping[str, object], marks: Marks = None, *, title: str = "Units over time"
) -> Plot:
    """What units hold in each step, a panel for each name: time to the right, units downwards.

    Orange is below 0, white 0, blue above; all panels have the scale of the largest number.

    Args:
        values: by name, each (time, units), such as `lstm.steps(x)` of one sequence gives them.
        marks: a short text for each step, such as the characters read.
        title: a line above.

    Raises:
        InputError: sizes differ, or there are more panels, steps or units than can be seen.
    """
    require_matplotlib("over_time")
    hint = 'give arrays (time, units) by name, such as {"forget": gates[0]}'
    given = mapping("over_time", "values", values, hint=hint)
    panels = {str(k): numbers("over_time", str(k), v, rank=2, hint=hint) for k, v in given.items()}
    at_most("over_time", "panels", len(panels), MOST_PANELS, "choose some")
    steps = {len(panel) for panel in panels.values()}
    if len(steps) > 1:
        raise InputError(f"over_time: panels have {sorted(steps)} steps", hint=hint)
    at_most("over_time", "steps", max(steps), MOST_STEPS, "give a piece of the sequence")
    units = [panel.shape[1] for panel in panels.values()]
    at_most("over_time", "units", max(units), MOST_UNITS, "choose some units")
    ticks = _marks("over_time", marks, max(steps))
    heights = [max(0.09 * count, 0.8) for count in units]
    scale = max(float(np.abs(panel).max()) for panel in panels.values()) or 1.0
    heading = printable(text_of("over_time", "title", title))
    size = max(STEP * max(steps) + 2.6, 5.5), sum(heights) + 0.45 * len(heights) + 1.2
    with paper(heading, *size) as figure:
        from matplotlib.ticker import FuncFormatter

        rows = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, (name, panel) in zip(rows, panels.items(), strict=True):
            image = axes.imshow(
                panel.T, aspect="auto", interpolation="none", cmap=two_sided(),
                vmin=-scale, vmax=scale,
            )  # fmt: skip
            axes.set_ylabel(label(name))
            axes.set_yticks([])
            _mark(axes, ticks if axes is rows[-1] else [], "x")
        bar = figure.colorbar(image, ax=list(rows), ticks=[-scale, 0, scale])
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value, 2)))
    return Plot(figure, f"{heading}: {', '.join(panels)}")


def attention_maps(
    weights: object, queries: Marks = None, keys: Marks = None, *, title: str = "Attention"
) -> Plot:
    """How much each position attends to each, a square a head: queries downwards, keys across.

    Args:
        weights: (heads, queries, keys), such as `attention.weights(...)` gives them.
        queries: a short text for each query, such as the characters; by default its number.
        keys: the same for the keys; by default as for the queries, if there are as many.
        title: a line above.

    Raises:
        InputError: there are too many heads or positions, or the texts are not as many.
    """
    require_matplotlib("attention_maps")
    hint = "give those of one sequence: (heads, queries, keys)"
    given = numbers("attention_maps", "weights", weights, rank=3, hint=hint)
    at_most("attention_maps", "heads", len(given), MOST_HEADS, "choose some")
    at_most("attention_maps", "positions", max(given.shape[1:]), MOST_STEPS, "give a piece")
    same = keys is None and given.shape[1] == given.shape[2]
    down = _marks("attention_maps", queries, given.shape[1])
    across = _marks("attention_maps", queries if same else keys, given.shape[2])
    columns = min(len(given), 2 if given.shape[2] > 16 else 4)
    rows = -(-len(given) // columns)
    width, height = (max(STEP * count + 0.8, 2.2) for count in given.shape[:0:-1])
    heading = printable(text_of("attention_maps", "title", title))
    with paper(heading, width * columns + 1.4, (height + 0.4) * rows + 0.8) as figure:
        from matplotlib.ticker import FuncFormatter

        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in grid[len(given) :]:
            axes.set_axis_off()
        for number, (axes, head) in enumerate(zip(grid, given, strict=False), start=1):
            top = max(float(given.max()), 1e-12)
            image = axes.imshow(head, interpolation="none", cmap=shades(), vmin=0, vmax=top)
            axes.set_title(f"head {number}", fontsize=11)
            _mark(axes, across, "x")
            _mark(axes, down, "y")
        bar = figure.colorbar(image, ax=list(grid), shrink=0.8)
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value, 2)))
    return Plot(figure, heading)


def _marks(function: str, given: Marks, steps: int) -> list[str]:
    """A text for each step; a character that is not seen has a sign."""
    if given is None:
        every = max(1, math.ceil(steps / 10))
        return [str(step) if step % every == 0 else "" for step in range(steps)]
    hint = "give a short text for each step, or characters"
    listed = list(given) if isinstance(given, str) else several(function, "marks", given, hint=hint)
    found = [text_of(function, "a mark", each) for each in listed]
    if len(found) != steps:
        raise InputError(f"{function}: {len(found)} marks for {steps} steps", hint=hint)
    return [_SIGNS.get(each, label(each)) for each in found]


_SIGNS = {" ": "·", "\n": "↵", "\t": "→"}


def _mark(axes: Axes, marks: list[str], side: str) -> None:
    upright = max(map(len, marks), default=0) > 1 and "" not in marks
    axes.tick_params(length=0)
    if side == "x":
        axes.set_xticks(range(len(marks)), marks, fontsize=10, rotation=90 if upright else 0)
    else:
        axes.set_yticks(range(len(marks)), marks, fontsize=10)
