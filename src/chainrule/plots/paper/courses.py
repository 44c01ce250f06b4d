"""Courses: values one after another, over epochs or steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainrule.evaluation.values import Floats

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.typing import ColorType

MARKED = 30  # values up to which each one has a marker


def course(
    axes: Axes,
    values: Floats,
    colour: ColorType,
    dashes: str,
    *,
    first: int = 1,
    positive: bool = False,
) -> Artist:
    """A line through the values, the first of which stands at `first`.

    What is not finite leaves a gap, and what is not positive where only that can be shown.
    """
    usable = np.isfinite(values) & ((values > 0) | (not positive))
    places = np.arange(first, first + len(values))
    marker = "o" if len(values) <= MARKED else ""
    shown = np.where(usable, values, np.nan)
    (line,) = axes.plot(places, shown, color=colour, linestyle=dashes, marker=marker)
    return line


def over_whole_numbers(axes: Axes, low: float, high: float) -> None:
    """An axis from low to high whose marks are epochs or steps."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.set_xlim(low, high)
