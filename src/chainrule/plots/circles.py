"""The classic picture of a network: circles for units, lines for weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir.errors import InputError
from chainrule.compiled.compilation import compile
from chainrule.compiled.state import State
from chainrule.declare.arguments import count, several
from chainrule.declare.leaves import input
from chainrule.evaluation.values import Floats
from chainrule.nn.linear import Linear
from chainrule.nn.sequential import Sequential
from chainrule.plots.given import at_most, numbers, texts
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import (
    BLUE,
    INK,
    VERMILLION,
    label,
    legend_below,
    require_matplotlib,
)
from chainrule.writing.array_text import number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LAYERS = 12
RADIUS = 0.33
ACROSS = 2.4  # between layers, where neighbours in a layer are 1 apart
WIDEST = 6.0  # points
THINNEST = 0.3
VALUE = "#1B6E30"  # as in the pictures of graphs


@dataclass(frozen=True)
class _Column:
    """The units of one layer that are shown, from the top; None stands for those left out."""

    units: tuple[int | None, ...]

    @classmethod
    def of(cls, size: int, largest: int) -> _Column:
        if size <= largest:
            return cls(tuple(range(size)))
        below = (largest - 1) // 2
        above = largest - 1 - below
        return cls((*range(above), None, *range(size - below, size)))

    def heights(self) -> Iterator[tuple[int | None, float]]:
        """Each with the y of its centre; the middle of the layer is at 0."""
        top = (len(self.units) - 1) / 2
        for position, unit in enumerate(self.units):
            yield unit, top - position


def network(
    weights: Sequential | Sequence[object],
    state: State | None = None,
    *,
    inputs: object = None,
    values: Sequence[object] | None = None,
    names: Sequence[str] | None = None,
    largest: int = 8,
) -> Plot:
    """Units as circles and weights as lines: the wider, the larger; blue above 0, orange below.

    Biases are not shown. The layers of a model between two `nn.Linear` count as one layer.

    Args:
        weights: a model of `nn.Linear` and activations one after another, or its matrices
            (in, out) from the first layer on.
        state: the values of the model's parameters; only for a model.
        inputs: one sample, of which every unit then shows its value; only for a model.
        values: what to write into the circles: for the inputs and each layer a number a unit.
        names: of the inputs; by default x1, x2, …
        largest: layers with more units than this are shown in part, with ⋮ for the rest.

    Raises:
        InputError: matrices that do not fit together, values or names that do not fit them, or a
            model that is no plain chain of layers.
        StateError: the state lacks a parameter.
    """
    require_matplotlib("network")
    limit = count("network", "largest", largest, at_least=3, hint="give 3 or more, such as 8")
    if isinstance(weights, Sequential):
        matrices = _matrices_of(weights, state)
        shown = values if inputs is None else _values_of(weights, state, inputs)
    else:
        hint = "give a model of nn.Linear, or a list of matrices (in, out)"
        matrices, shown = several("network", "weights", weights, hint=hint), values
    checked = _checked(matrices)
    sizes = [len(checked[0]), *(matrix.shape[1] for matrix in checked)]
    written = None if shown is None else _texts(shown, sizes)
    called = (
        [f"x{k}" for k in range(1, sizes[0] + 1)]
        if names is None
        else texts("network", "names", names)
    )
    if len(called) != sizes[0]:
        raise InputError(
            f"network: {len(called)} names for {sizes[0]} inputs", hint="give one name an input"
        )
    return _plot(checked, [_Column.of(size, limit) for size in sizes], written, called)


def _linears(model: Sequential) -> list[Linear]:
    """The model's matrices, in order."""
    others = [layer for layer in model if layer.states() and not isinstance(layer, Linear)]
    linears = [layer for layer in model if isinstance(layer, Linear)]
    if others or not linears or not isinstance(model[0], Linear):
        odd = type(others[0]).__name__ if others else "no nn.Linear at its beginning"
        raise InputError(
            f"network: the model is no plain chain of layers: it has {odd}",
            hint="give nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)), or matrices",
        )
    return linears


def _matrices_of(model: Sequential, state: State | None) -> list[object]:
    linears = _linears(model)
    if not isinstance(state, State):
        raise InputError(
            "network: a model needs a state with its weights",
            hint="give result.state, or program.initial_state()",
        )
    return [state[linear.weight] for linear in linears]


def _values_of(model: Sequential, state: State | None, inputs: object) -> list[object]:
    """What each layer gives for one sample; an activation replaces what goes into it."""
    assert state is not None
    size = _linears(model)[0].in_features
    sample = numbers("network", "inputs", inputs, rank=1, hint=f"give one row of {size} numbers")
    x = input("x", ("batch", size))
    nodes = [node := x]
    for layer in model:
        node = layer(node)
        if isinstance(layer, Linear):
            nodes.append(node)
        else:
            nodes[-1] = node
    compute = compile(nodes, target="numpy").bind(state)
    return [value[0] for value in compute(x=sample[np.newaxis].astype(np.float32))]


def _checked(matrices: Sequence[object]) -> list[Floats]:
    hint = "give matrices (in, out), each with as many rows as the one before has columns"
    at_most("network", "matrices", len(matrices), MOST_LAYERS, hint)
    checked = [
        numbers("network", f"matrix {k}", matrix, rank=2, hint=hint)
        for k, matrix in enumerate(matrices, start=1)
    ]
    for k in range(1, len(checked)):
        if checked[k].shape[0] != checked[k - 1].shape[1]:
            raise InputError(
                f"network: matrix {k + 1} has {checked[k].shape[0]} rows, but matrix {k} has "
                f"{checked[k - 1].shape[1]} columns",
                hint=hint,
            )
    return checked


def _texts(values: Sequence[object], sizes: Sequence[int]) -> list[list[str]]:
    hint = "give a list of numbers for the inputs and one for each layer"
    given = [
        numbers("network", f"values of layer {k}", value, rank=1, hint=hint)
        for k, value in enumerate(several("network", "values", values, hint=hint))
    ]
    if [len(value) for value in given] != list(sizes):
        found = ", ".join(str(len(value)) for value in given)
        raise InputError(
            f"network: there are values for {found} units, not {', '.join(map(str, sizes))}",
            hint=hint,
        )
    return [[_short(number) for number in value.tolist()] for value in given]


def _short(value: float) -> str:
    """Two digits, or one where two do not fit into a circle."""
    text = number_text(value, 2)
    return text if len(text) <= 5 else number_text(value, 1)


def _plot(
    matrices: Sequence[Floats],
    columns: Sequence[_Column],
    texts: Sequence[Sequence[str]] | None,
    names: Sequence[str],
) -> Plot:
    from matplotlib.lines import Line2D

    sizes = [len(matrices[0]), *(matrix.shape[1] for matrix in matrices)]
    title = f"Network {'-'.join(map(str, sizes))}"
    tallest = max(len(column.units) for column in columns)
    widest = max(float(np.abs(matrix).max()) for matrix in matrices) or 1.0
    inches = max(0.85 * (ACROSS * len(matrices) + 2.6), 6.4), 0.85 * (tallest + 1.6) + 1.2
    with paper(title, *inches) as figure:
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set_aspect("equal")
        for k, matrix in enumerate(matrices):
            _draw_weights(axes, k, matrix, columns[k : k + 2], widest)
        for k, column in enumerate(columns):
            _draw_units(axes, k, column, None if texts is None else texts[k])
            _name_layer(axes, k, sizes, tallest)
        _name_inputs(axes, columns[0], names)
        axes.set_xlim(-1.6, ACROSS * len(matrices) + 0.9)
        axes.set_ylim(-tallest / 2 - 0.2, tallest / 2 + 1.0)
        legend_below(
            figure,
            [
                (Line2D([], [], color=BLUE, linewidth=3), "weight above 0"),
                (Line2D([], [], color=VERMILLION, linewidth=3), "weight below 0"),
                (
                    Line2D([], [], color=INK, linewidth=WIDEST),
                    f"widest: |w| = {number_text(widest, 3)}",
                ),
            ],
        )
    return Plot(figure, title)


def _draw_weights(
    axes: Axes, k: int, matrix: Floats, columns: Sequence[_Column], widest: float
) -> None:
    """Lines between the units that are shown; strong ones in front."""
    from matplotlib.collections import LineCollection

    before, after = (list(column.heights()) for column in columns)
    lines = sorted(
        (abs(matrix[i, j]), matrix[i, j], y, z)
        for i, y in before
        for j, z in after
        if i is not None and j is not None
    )
    axes.add_collection(
        LineCollection(
            [[(ACROSS * k, y), (ACROSS * (k + 1), z)] for _, _, y, z in lines],
            linewidths=[max(WIDEST * size / widest, THINNEST) for size, *_ in lines],
            colors=[BLUE if weight >= 0 else VERMILLION for _, weight, *_ in lines],
            zorder=1,
        )
    )


def _draw_units(axes: Axes, k: int, column: _Column, texts: Sequence[str] | None) -> None:
    from matplotlib.patches import Circle

    for unit, y in column.heights():
        if unit is None:
            axes.text(ACROSS * k, y, "⋮", ha="center", va="center", fontsize=20)
            continue
        axes.add_patch(
            Circle(
                (ACROSS * k, y), RADIUS, facecolor="white", edgecolor=INK, linewidth=1.6, zorder=2
            )
        )
        if texts is not None:
            axes.text(
                ACROSS * k, y, texts[unit], ha="center", va="center", fontsize=10, color=VALUE
            )


def _name_layer(axes: Axes, k: int, sizes: Sequence[int], tallest: int) -> None:
    kind = "inputs" if k == 0 else "output" if k == len(sizes) - 1 else f"layer {k}"
    count = f"{sizes[k]} unit{'s' if sizes[k] > 1 else ''}" if k else f"{sizes[k]}"
    axes.text(ACROSS * k, tallest / 2 + 0.25, f"{kind}\n{count}", ha="center", va="bottom")


def _name_inputs(axes: Axes, column: _Column, names: Sequence[str]) -> None:
    for unit, y in column.heights():
        if unit is not None:
            axes.text(-RADIUS - 0.15, y, label(names[unit])[:8], ha="right", va="center")
