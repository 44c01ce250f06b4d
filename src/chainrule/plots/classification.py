"""How a classifier errs: its confusion matrix, and its ROC curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainc.ir.errors import InputError
from chainrule.declare.arguments import several
from chainrule.evaluation.values import Floats
from chainrule.plots.given import at_most, numbers
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import (
    GREY,
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

MOST_CLASSES = 20  # whose counts can be read
MOST_CURVES = 8
CELL = 0.62  # inches
LETTER = 0.11  # inches, of a class's name


def confusion(matrix: object, classes: Sequence[object] | None = None) -> Plot:
    """How often each class was predicted for each; the darker, the larger the share of its row.

    Args:
        matrix: counts, (classes, classes), rows are the true classes: a value of
            `metrics.confusion_matrix`.
        classes: their names; by default numbers from 0.

    Raises:
        InputError: the matrix is not square, holds no counts, or the names do not fit.
    """
    require_matplotlib("confusion")
    hint = "give a value of metrics.confusion_matrix(logits, labels)"
    counts = numbers("confusion", "matrix", matrix, rank=2, hint=hint)
    if counts.shape[0] != counts.shape[1] or (counts < 0).any():
        wrong = "a negative number" if (counts < 0).any() else f"shape {list(counts.shape)}"
        raise InputError(f"confusion: the matrix has {wrong}, so it is none of counts", hint=hint)
    at_most("confusion", "classes", len(counts), MOST_CLASSES, "leave out classes, or group them")
    hint = "give a list of names, one a class"
    given = several("confusion", "classes", classes, hint=hint) if classes is not None else ()
    names = [label(str(name)) for name in (given or range(len(counts)))]
    if len(names) != len(counts):
        raise InputError(
            f"confusion: {len(names)} names of {len(counts)} classes", hint="give one for each"
        )
    return _confusion(counts, names)


def _confusion(counts: Floats, names: Sequence[str]) -> Plot:
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    right = counts.trace() / counts.sum() if counts.any() else 0.0
    title = f"Confusion of {len(names)} classes, {right:.1%} right"
    side = max(CELL * len(names), 2.4)
    margin = LETTER * max(map(len, names))
    with paper(title, max(side + margin + 2.4, 5.2), side + margin + 1.6) as figure:
        axes = figure.subplots()
        picture = axes.imshow(shares, cmap=shades(), vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(counts):
            text = f"{count:.0f}" if count == round(count) else number_text(count, 2)
            axes.text(column, row, text, ha="center", va="center", fontsize=_size(text))
        places = range(len(names))
        axes.set_xticks(places, names, rotation=90 if max(map(len, names)) > 3 else 0)
        axes.set_yticks(places, names)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        bar = figure.colorbar(picture, ax=axes, shrink=0.8)
        bar.set_label("share of the row")
    return Plot(figure, title)


def _size(text: str) -> int:
    return 12 if len(text) < 5 else 10


def roc(points: object) -> Plot:
    """The true-positive rate over the false-positive rate at all thresholds, and the area below.

    Args:
        points: (n, 2), a value of `metrics.roc`; or several of them, by the name to show.

    Raises:
        InputError: there are none or too many curves, or one is not of rates.
    """
    require_matplotlib("roc")
    given = points if isinstance(points, Mapping) else {"": points}
    at_most("roc", "curves", len(given), MOST_CURVES, "compare fewer at a time")
    curves = {str(name): _rates(each) for name, each in given.items()}
    title = "ROC curve" if len(curves) == 1 else f"ROC curves of {len(curves)} classifiers"
    with paper(title, 6.6, 6.4) as figure:
        axes = figure.subplots()
        (chance,) = axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1.6)
        entries: list[tuple[Artist, str]] = []
        for position, (name, curve) in enumerate(curves.items()):
            area = f"area {np.trapezoid(curve[:, 1], curve[:, 0]):.3f}"
            colour, dashes = look(position)
            (line,) = axes.plot(*curve.T, color=colour, linestyle=dashes, clip_on=False)
            entries.append((line, f"{label(name)}: {area}" if name else area))
        _name_rates(axes)
        legend_below(figure, [*entries, (chance, "chance: area 0.5")])
    return Plot(figure, title)


def _name_rates(axes: Axes) -> None:
    axes.grid(True)
    axes.set_aspect("equal")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("false-positive rate")
    axes.set_ylabel("true-positive rate")


def _rates(points: object) -> Floats:
    hint = "give a value of metrics.roc(score, targets)"
    curve = numbers("roc", "points", points, rank=2, hint=hint)
    if curve.shape[1] != 2 or curve.min() < 0 or curve.max() > 1:
        raise InputError(
            f"roc: points of shape {list(curve.shape)}, from {curve.min():g} to {curve.max():g}, "
            "are no rates",
            hint=hint,
        )
    return curve
