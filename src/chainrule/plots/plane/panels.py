"""The plane beside itself, a panel for each of several functions or groups of points."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chainc.ir.errors import InputError
from chainc.ir.leaves import Input
from chainc.ir.types import Array
from chainrule.compiled.function import Function, Numbers
from chainrule.declare.calls import answering
from chainrule.evaluation.values import Floats
from chainrule.plots.paper.plot import paper
from chainrule.plots.paper.style import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Predict = Function[Numbers] | Callable[[Array], Array]

SIDE = 100  # points along each axis at which a function is asked
MARGIN = 0.12  # of the data's extent, on each side
MOST_PANELS = 12
ACROSS = 4


def grid(points: Floats) -> tuple[Floats, Floats, NDArray[np.float32]]:
    """Both axes around the points, and every point of the plane shown as a row."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = MARGIN * np.maximum(high - low, 1e-3 + 1e-3 * np.abs(high))
    sides = zip(low - margin, high + margin, strict=True)
    first, second = (np.linspace(start, end, SIDE) for start, end in sides)
    places = np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)
    return first, second, places.astype(np.float32)


@contextmanager
def panels(title: str, names: Sequence[str]) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure with one panel for each name."""
    columns = min(len(names), ACROSS)
    rows = -(-len(names) // columns)
    size = (7.6, 6.6) if len(names) == 1 else (max(3.8 * columns, 7), 4.0 * rows + 1.2)
    with paper(title, *size) as figure:
        every = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
        shown = list(every[: len(names)])
        for axes, name in zip(shown, names, strict=True):
            axes.set(title=label(name), xlabel="x₁", ylabel="x₂")
        for axes in every[len(names) :]:
            axes.remove()
        for axes in shown:
            axes.label_outer()
        yield figure, shown


def asked(function: str, predict: Predict, places: NDArray[np.float32]) -> Floats:
    """One number a row, (rows,), or one score a class, (rows, classes).

    Raises:
        InputError: the answer is something else, or more than one input is needed.
    """
    if isinstance(predict, Function):
        given: object = predict({_only_input(function, predict): places})
    elif callable(predict):
        given = answering(predict, "predict")(places)
    else:
        raise _no_prediction(function, f"a {type(predict).__name__}")
    answer = np.asarray(given)
    if isinstance(given, tuple) or answer.dtype.kind not in "fiub":
        raise _no_prediction(function, f"a {type(given).__name__}")
    if answer.ndim not in (1, 2) or len(answer) != len(places) or answer.shape[-1] == 0:
        raise _no_prediction(function, f"{list(answer.shape)} for {len(places)} points")
    scores = answer.astype(np.float64)
    return scores[:, 0] if answer.ndim == 2 and answer.shape[1] == 1 else scores


def _only_input(function: str, predict: Function[Numbers]) -> str:
    keys = [
        node.op.label
        for node in predict.declared.leaves("input")
        if isinstance(node.op, Input) and node.op.default is None
    ]
    if len(keys) != 1:
        raise _no_prediction(function, f"a function of the inputs {', '.join(keys) or 'nothing'}")
    return keys[0]


def _no_prediction(function: str, got: str) -> InputError:
    return InputError(
        f"{function}: predict gave {got}, not a number or a score a class for each point",
        hint='give cr.compile(probability).bind(state), of one input ("batch", 2)',
    )
