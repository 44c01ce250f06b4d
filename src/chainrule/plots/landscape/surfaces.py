"""Loss surfaces as contours, with the way an optimizer took over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from chainc.autodiff import require_scalar
from chainc.ir import Node
from chainc.ir.errors import InputError
from chainrule.compiled.compilation import compile
from chainrule.compiled.state import State
from chainrule.declare.arguments import array, count
from chainrule.evaluation.values import Floats, Values
from chainrule.plots.given import as_states, at_most
from chainrule.plots.landscape.directions import (
    Coordinate,
    Plane,
    along_coordinates,
    along_path,
    parameters,
)
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import (
    GREY,
    INK,
    VERMILLION,
    label,
    legend_below,
    look,
    require_matplotlib,
    shades,
)
from chainrule.writing.array_text import number_text

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Interval = tuple[float, float]

LEVELS = 14
MOST_POINTS = 401
MOST_PATHS = 16


def loss_surface(
    loss: Node,
    data: Values | None,
    states: State | Sequence[State] | Mapping[str, Sequence[State]],
    *,
    over: tuple[Coordinate, Coordinate] | None = None,
    intervals: tuple[Interval, Interval] | None = None,
    points: int = 41,
    seed: int = 0,
) -> Plot:
    """Contours of a loss over a plane in the space of its parameters, and the path of a training.

    The plane holds two numbers that vary, or by default the two directions in which the path is
    longest; how much of the path (of its squared distances from the end) lies in each is on the
    axes. A path that leaves the plane is drawn as its projection. Contours are evenly spaced, or
    denser near the lowest point where the loss spans more than two orders of magnitude.

    Args:
        loss: a scalar node.
        data: the inputs of the loss, by node or name.
        states: the path, such as `recording.states`; its last one gives all values that do not
            vary. A single state is looked at in two random directions. Several paths are given by
            name, such as those of several optimizers.
        over: two parameters of one element, or elements such as `((w, (0, 0)), (w, (1, 0)))`.
        intervals: low and high of both axes; by default the path with a margin.
        points: the loss is computed at so many points along each axis.
        seed: of random directions.

    Raises:
        GradientError: the loss is no scalar.
        InputError: states, coordinates, intervals or data do not fit.
        StateError: a state lacks a value.
    """
    require_matplotlib("loss_surface")
    require_scalar("loss_surface", loss)
    paths = _paths(states)
    path = tuple(chain.from_iterable(paths.values()))
    hint = f"give a number from 5 to {MOST_POINTS}, such as points=41"
    if count("loss_surface", "points", points, at_least=5, hint=hint) > MOST_POINTS:
        raise InputError(f"loss_surface: {points} points a side are too many", hint=hint)
    count("loss_surface", "seed", seed, at_least=0, hint="give a seed such as 0")
    plane = (
        along_path("loss_surface", loss, path, seed)
        if over is None
        else along_coordinates("loss_surface", loss, path[-1], over)
    )
    places = {
        name: np.array([plane.project(state) for state in states]) for name, states in paths.items()
    }
    every = np.concatenate(list(places.values()))
    chosen = _intervals(every, _least(plane)) if intervals is None else _checked(intervals)
    a, b = (np.linspace(low, high, points) for low, high in chosen)
    heights = _heights(loss, data, plane, a, b)
    flat = over is None or sum(map(np.prod, parameters("", loss).values())) > 2
    return _plot(plane, a, b, heights, places, projected=bool(flat))


def _paths(states: object) -> dict[str, tuple[State, ...]]:
    """The states of each path, by its name; a path alone has none."""
    if isinstance(states, State) or not isinstance(states, Mapping):
        return {"": as_states("loss_surface", states)}
    hint = "draw fewer at a time"
    at_most("loss_surface", "paths", len(states), MOST_PATHS, hint)
    return {str(name): as_states("loss_surface", path) for name, path in states.items()}


def _least(plane: Plane) -> float:
    """Half the width of a view around a single point: a tenth of the parameters' length."""
    return 0.1 * float(np.linalg.norm(plane.centre)) or 1.0


def _intervals(places: Floats, least: float) -> tuple[Interval, Interval]:
    """Around all places, with a margin, and not much flatter one way than the other."""
    low, high = places.min(axis=0), places.max(axis=0)
    middle, half = (low + high) / 2, (high - low) / 2
    half = np.maximum(half, 0.35 * half.max()) if half.max() > 0 else np.full(2, least)
    (a, b), (c, d) = middle - 1.3 * half, middle + 1.3 * half
    return (float(a), float(c)), (float(b), float(d))


def _checked(intervals: tuple[Interval, Interval]) -> tuple[Interval, Interval]:
    ends = array("loss_surface", "intervals", intervals)
    given = ends.astype(np.float64)
    if given.shape == (2, 2) and np.isfinite(given).all() and (given[:, 0] < given[:, 1]).all():
        (a, b), (c, d) = given.tolist()
        return (a, b), (c, d)
    raise InputError(
        f"loss_surface: intervals={intervals!r} are no two intervals",
        hint="give low and high of both axes, such as intervals=((-2, 2), (-1, 3))",
    )


def _heights(loss: Node, data: Values | None, plane: Plane, a: Floats, b: Floats) -> Floats:
    """The loss at every point of the grid, (len(b), len(a)); NaN where it is not finite."""
    compute = compile(loss, target="numpy")
    values = [[float(compute.bind(plane.at(x, y))(data)) for x in a] for y in b]
    heights = np.array(values, np.float64)
    if not np.isfinite(heights).any():
        raise InputError(
            "loss_surface: the loss is not finite anywhere in the picture",
            hint="give smaller intervals, or states of a training that did not diverge",
        )
    return np.where(np.isfinite(heights), heights, np.nan)


def _levels(heights: Floats) -> Floats:
    low, high = float(np.nanmin(heights)), float(np.nanmax(heights))
    if low == high:
        return np.array([low - 0.5, low + 0.5])
    if low > 0 and high > 100 * low:
        return np.unique([low, *np.geomspace(max(low, high / 1000), high, LEVELS)])
    above = heights - low
    typical = float(np.nanpercentile(above, 5))
    if typical > 0 and high - low > 100 * typical:
        return low + np.concatenate([[0.0], np.geomspace(typical, high - low, LEVELS - 1)])
    return np.linspace(low, high, LEVELS)


def _plot(
    plane: Plane,
    a: Floats,
    b: Floats,
    heights: Floats,
    places: Mapping[str, Floats],
    *,
    projected: bool,
) -> Plot:
    from matplotlib.colors import BoundaryNorm
    from matplotlib.ticker import FuncFormatter

    first, second = plane.names
    title = f"Loss over {first} and {second}" if "direction" not in first else "Loss surface"
    levels = _levels(heights)
    with paper(title, 8.6, 7.0) as figure:
        axes = figure.subplots()
        norm = BoundaryNorm(levels.tolist(), 256, extend="neither")
        filled = axes.contourf(a, b, heights, levels=levels, cmap=shades(), norm=norm)
        if len(levels) > 2:
            axes.contour(a, b, heights, levels=levels, colors=GREY, linewidths=0.6)
        bar = figure.colorbar(filled, ax=axes, ticks=levels[:: max(1, len(levels) // 7)])
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value, 3)))
        bar.ax.minorticks_off()
        bar.set_label("loss")
        if "" in places:
            entries = _draw_path(axes, places[""], "path, projected" if projected else "path")
        else:
            entries = _draw_paths(axes, places)
        axes.set(xlabel=label(first), ylabel=label(second))
        axes.set(xlim=(a[0], a[-1]), ylim=(b[0], b[-1]))
        legend_below(figure, entries)
    return Plot(figure, title)


def _draw_path(axes: Axes, places: Floats, name: str) -> list[tuple[Artist, str]]:
    a, b = places.T
    end = axes.scatter(a[-1:], b[-1:], marker="*", s=260, color=VERMILLION, edgecolor=INK, zorder=4)
    if len(places) == 1:
        return [(end, "the state")]
    marker = "o" if len(places) <= 60 else ""
    (line,) = axes.plot(a, b, color=VERMILLION, marker=marker, markersize=4, zorder=3)
    start = axes.scatter(a[:1], b[:1], marker="o", s=90, color="white", edgecolor=INK, zorder=4)
    return [(start, "start"), (line, f"{name}: {len(places) - 1} moves"), (end, "end")]


def _draw_paths(axes: Axes, places: Mapping[str, Floats]) -> list[tuple[Artist, str]]:
    entries: list[tuple[Artist, str]] = []
    for position, (name, path) in enumerate(places.items()):
        colour, dashes = look(position)
        (line,) = axes.plot(
            path[:, 0], path[:, 1], color=colour, linestyle=dashes, linewidth=1.8, zorder=3
        )
        a, b = path[-1]
        axes.scatter([a], [b], marker="*", s=130, color=colour, edgecolor=INK, zorder=4)
        entries.append((line, name))
    a, b = next(iter(places.values()))[0]
    axes.scatter([a], [b], marker="o", s=90, color="white", edgecolor=INK, zorder=4)
    return entries
