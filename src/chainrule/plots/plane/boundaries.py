"""Decision boundaries: what a classifier says at every point of the plane, and the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chainc.dataclass import dataclass
from chainc.ir.errors import InputError
from chainrule.datasets.dataset import Dataset, Split
from chainrule.declare.arguments import array, number
from chainrule.evaluation.values import Floats
from chainrule.plots.given import at_most, numbers
from chainrule.plots.paper.plot import Plot
from chainrule.plots.paper.style import (
    BLUE,
    COLOURS,
    INK,
    MARKERS,
    VERMILLION,
    legend_below,
    require_matplotlib,
)
from chainrule.plots.plane.panels import MOST_PANELS, SIDE, Predict, asked, grid, panels

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Data = Dataset | Split | tuple[object, object]

SHADES = 10  # of probabilities


@dataclass(frozen=True)
class _Points:
    x: Floats
    y: NDArray[np.int64]
    classes: tuple[str, ...]


def decision_boundary(
    predict: Predict | Mapping[str, Predict],
    data: Data,
    *,
    threshold: float = 0.5,
) -> Plot:
    """Which class a model says at each point of the plane, with the data in front.

    Args:
        predict: a bound function with one input of shape (n, 2), or a Python function of such an
            array; it gives one number a row (class 1 is above the threshold) or one score a class.
            Several by title give a strip, such as
            `{f"epoch {e}": probability.bind(states[e]) for e in (0, 1, 5, 20)}`.
        data: a data set, whose training points are shown, a split of it, or (x, y): points (n, 2)
            and their class numbers.
        threshold: 0.5 for probabilities, 0 for logits.

    Raises:
        InputError: the data are not points of the plane with their classes, or the prediction is
            not as above.
    """
    require_matplotlib("decision_boundary")
    given = _points(data)
    level = number("decision_boundary", "threshold", threshold, hint="0.5, or 0 for logits")
    chosen = dict(predict) if isinstance(predict, Mapping) else {"": predict}
    at_most("decision_boundary", "predictions", len(chosen), MOST_PANELS, "show fewer")
    first, second, places = grid(given.x)
    answers = {name: asked("decision_boundary", each, places) for name, each in chosen.items()}
    at_most("decision_boundary", "classes", _count(given, answers), len(COLOURS), "show fewer")
    return _plot(given, first, second, answers, level)


def _plot(
    given: _Points, first: Floats, second: Floats, answers: Mapping[str, Floats], threshold: float
) -> Plot:
    title = "Decision boundary"
    with panels(title, list(answers)) as (figure, each):
        for axes, answer in zip(each, answers.values(), strict=True):
            _fill(axes, first, second, answer, threshold)
            entries = _scatter(axes, given)
            axes.set(xlim=(first[0], first[-1]), ylim=(second[0], second[-1]))
        legend_below(figure, entries)
    return Plot(figure, title)


def _points(data: Data) -> _Points:
    if isinstance(data, Dataset):
        return _checked(data.train.x, data.train.y, data.classes)
    if isinstance(data, Split):
        return _checked(data.x, data.y, ())
    given: object = data
    if isinstance(given, tuple) and len(given) == 2:
        return _checked(*given, ())
    raise InputError(
        f"decision_boundary: a {type(data).__name__} is no data set",
        hint="give cr.datasets.moons(), its train or test, or (x, y)",
    )


def _checked(x: object, y: object, classes: tuple[str, ...]) -> _Points:
    hint = "give points of shape (n, 2) and a class number from 0 for each"
    points = numbers("decision_boundary", "x", x, rank=2, hint=hint)
    labels = array("decision_boundary", "y", y)
    if points.shape[1] != 2 or labels.shape != points.shape[:1]:
        raise InputError(
            f"decision_boundary: x {list(points.shape)} and y {list(labels.shape)} are not points "
            "of the plane and their classes",
            hint=hint,
        )
    if labels.dtype.kind not in "iub" or labels.min() < 0:
        raise InputError(
            f"decision_boundary: y holds {labels.dtype}, or a class below 0", hint=hint
        )
    highest = max(int(labels.max()), 1)
    at_most("decision_boundary", "classes", highest + 1, len(COLOURS), "show fewer classes")
    names = classes if len(classes) > highest else [f"class {k}" for k in range(highest + 1)]
    return _Points(points, labels.astype(np.int64), tuple(names))


def _count(given: _Points, answers: Mapping[str, Floats]) -> int:
    scores = [answer.shape[1] for answer in answers.values() if answer.ndim == 2]
    return max([len(given.classes), *map(int, scores)])


def _fill(axes: Axes, first: Floats, second: Floats, answer: Floats, threshold: float) -> None:
    """The regions of the classes, paler where a probability is less certain."""
    from matplotlib.colors import LinearSegmentedColormap

    if answer.ndim == 2:
        _fill_regions(axes, first, second, answer)
        return
    values = answer.reshape(SIDE, SIDE)
    if threshold != 0.5 or values.min() < 0 or values.max() > 1:
        _fill_regions(axes, first, second, np.stack([threshold - answer, answer - threshold], 1))
    else:
        shades = LinearSegmentedColormap.from_list(
            "sure", [_pale(BLUE), "#FFFFFF", _pale(VERMILLION)]
        )
        axes.contourf(first, second, values, levels=np.linspace(0, 1, SHADES + 1), cmap=shades)
    if values.min() < threshold < values.max():
        axes.contour(first, second, values, levels=[threshold], colors=INK, linewidths=1.8)


def _fill_regions(axes: Axes, first: Floats, second: Floats, scores: Floats) -> None:
    """A flat region for each class: where its score is above those of all others."""
    for k in range(scores.shape[1]):
        lead = scores[:, k] - np.delete(scores, k, axis=1).max(axis=1)
        margin = lead.reshape(SIDE, SIDE)
        if margin.max() > 0:
            levels = [0.0, 2.0 * float(margin.max())]
            axes.contourf(first, second, margin, levels=levels, colors=[_pale(COLOURS[k])])
        if margin.min() < 0 < margin.max():
            axes.contour(first, second, margin, levels=[0.0], colors=INK, linewidths=1.8)


def _pale(colour: str) -> str:
    from matplotlib.colors import to_hex, to_rgb

    red, green, blue = (0.55 + 0.45 * part for part in to_rgb(colour))
    return to_hex((red, green, blue))


def _scatter(axes: Axes, given: _Points) -> list[tuple[Artist, str]]:
    entries: list[tuple[Artist, str]] = []
    for k, name in enumerate(given.classes):
        here = given.x[given.y == k]
        dots = axes.scatter(
            here[:, 0], here[:, 1], s=26, color=COLOURS[k], marker=MARKERS[k],
            edgecolor="white", linewidth=0.6, zorder=3,
        )  # fmt: skip
        entries.append((dots, name))
    return entries
