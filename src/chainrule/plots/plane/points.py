"""Points of the plane, such as generated ones, and the density that they are thought to have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from chainc.ir.errors import InputError
from chainrule.evaluation.values import Floats
from chainrule.plots.given import at_most, numbers
from chainrule.plots.paper.plot import Plot
from chainrule.plots.paper.style import (
    BLUE,
    GREY,
    INK,
    legend_below,
    require_matplotlib,
    shades,
)
from chainrule.plots.plane.panels import MOST_PANELS, Predict, asked, grid, panels

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


def points(groups: object, *, behind: object = None) -> Plot:
    """Points of the plane, several groups side by side.

    Args:
        groups: points (n, 2), or several such arrays, by the title to show.
        behind: other points, (n, 2), shown in grey behind each group: the data that a generator has
            learned from; or what else they are, such as `{"all digits": codes}`.

    Raises:
        InputError: there are none or too many, or one is no points of the plane.
    """
    require_matplotlib("points")
    given = groups if isinstance(groups, Mapping) else {"": groups}
    at_most("points", "groups", len(given), MOST_PANELS, "show fewer")
    found = {str(name): _rows("points", "groups", each) for name, each in given.items()}
    back = _behind(behind)
    first, second, _ = grid(np.concatenate([*found.values(), *back.values()]))
    title = "Points of the plane"
    with panels(title, list(found)) as (figure, each):
        for axes, rows in zip(each, found.values(), strict=True):
            entries = [_dots(axes, others, GREY, 10, name) for name, others in back.items()]
            _dots(axes, rows, BLUE, 9, "")
            axes.set(xlim=(first[0], first[-1]), ylim=(second[0], second[-1]), aspect="equal")
        if entries:
            legend_below(figure, entries)
    return Plot(figure, title)


def _behind(given: object) -> dict[str, Floats]:
    """Nothing, or points by their name."""
    if given is None:
        return {}
    named = given if isinstance(given, Mapping) else {"data": given}
    at_most("points", "groups behind", len(named), 1, "give one")
    return {str(name): _rows("points", "behind", each) for name, each in named.items()}


def density(log_density: Predict | Mapping[str, Predict], data: object) -> Plot:
    """How likely a model holds each point of the plane to be, with the data in front.

    Args:
        log_density: a bound function with one input of shape (n, 2), or a Python function of such
            an array, that gives ln p for each row; or several by title.
        data: points, (n, 2).

    Raises:
        InputError: the data are no points of the plane, or the function does not give one number
            that is below infinity for each.
    """
    require_matplotlib("density")
    rows = _rows("density", "data", data)
    chosen = dict(log_density) if isinstance(log_density, Mapping) else {"": log_density}
    at_most("density", "functions", len(chosen), MOST_PANELS, "show fewer")
    first, second, places = grid(rows)
    found = {name: np.exp(_logarithms(each, places)) for name, each in chosen.items()}
    most = max(float(values.max()) for values in found.values()) or 1.0
    title = "Density"
    with panels(title, list(found)) as (figure, each):
        for axes, values in zip(each, found.values(), strict=True):
            drawn = axes.contourf(
                first, second, values.reshape(len(second), len(first)),
                levels=np.linspace(0, most, 11), cmap=shades(),
            )  # fmt: skip
            entries = [_dots(axes, rows, INK, 5, "data")]
        figure.colorbar(drawn, ax=each, label="density")
        legend_below(figure, entries)
    return Plot(figure, title)


def _logarithms(predict: Predict, places: object) -> Floats:
    values = asked("density", predict, np.asarray(places, np.float32))
    if values.ndim != 1 or np.isnan(values).any() or (values == np.inf).any():
        raise InputError(
            "density: the function gives no logarithm of a density for each point",
            hint="give ln p, one number a row, below infinity",
        )
    return values


def _rows(function: str, name: str, given: object) -> Floats:
    hint = "give points of shape (n, 2)"
    found = numbers(function, name, given, rank=2, hint=hint)
    if found.shape[1] != 2:
        raise InputError(
            f"{function}: {name} {list(found.shape)} are no points of the plane", hint=hint
        )
    return found


def _dots(axes: Axes, rows: Floats, colour: str, size: int, name: str) -> tuple[Artist, str]:
    cover = 0.35 if colour == GREY else 0.7
    dots = axes.scatter(
        rows[:, 0], rows[:, 1], s=size, color=colour, alpha=cover, linewidth=0, zorder=3
    )
    return dots, name
