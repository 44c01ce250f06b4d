"""Gradient norms of the layers over a training: gradients that vanish, and that explode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainc import ops
from chainc.autodiff import grad, require_scalar
from chainc.ir import Graph, Node
from chainrule.compiled.compilation import compile
from chainrule.compiled.state import State
from chainrule.declare.arguments import text
from chainrule.declare.leaves import by_layer
from chainrule.evaluation.values import Floats, Values
from chainrule.plots.given import as_states, at_most
from chainrule.plots.landscape.directions import parameters
from chainrule.plots.paper.courses import course, over_whole_numbers
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import DASHES, label, legend_below, logarithmic, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

MOST_LAYERS = 24


def gradient_norms(
    loss: Node, data: Values | None, states: State | Sequence[State], *, unit: str = "epoch"
) -> Plot:
    """The length of the loss's gradient in each layer, at each state of a training.

    Of a layer, all parameters count: √Σ g². Layers go from dark (first) to light (last); where
    gradients vanish on their way back, the dark lines lie orders of magnitude below.

    Args:
        loss: a scalar node.
        data: the inputs of the loss, by node or name; the gradient is that over all their rows.
        states: such as `recording.states`: number 0 before training, then one an epoch.
        unit: what lies between two states: "epoch" or "step".

    Raises:
        GradientError: the loss is no scalar.
        InputError: there are no parameters or too many layers, or states or data do not fit.
        StateError: a state lacks a value.
    """
    require_matplotlib("gradient_norms")
    text("gradient_norms", "unit", unit)
    require_scalar("gradient_norms", loss)
    given = as_states("gradient_norms", states)
    layers = _layers(loss)
    at_most("gradient_norms", "layers", len(layers), MOST_LAYERS, "give the loss of a part")
    norms = _norms(loss, data, given, layers)
    title = "Gradient norm of each layer"
    with paper(title, 9.0, 5.8) as figure:
        axes = figure.subplots()
        legend_below(figure, _lines(axes, norms))
        axes.set(xlabel=label(unit), ylabel="‖∂loss/∂parameters‖")
        axes.grid(True)
        _scale(axes, np.concatenate(list(norms.values())), len(given))
    return Plot(figure, f"{title}: {', '.join(layers)}")


def _layers(loss: Node) -> Mapping[str, Sequence[Node]]:
    """Parameters by layer, in the order in which the loss is computed."""
    names = parameters("gradient_norms", loss)
    return by_layer(slot for slot in Graph((loss,)).leaves("state") if slot.op.label in names)


def _norms(
    loss: Node, data: Values | None, states: Sequence[State], layers: Mapping[str, Sequence[Node]]
) -> dict[str, Floats]:
    slots = [slot for each in layers.values() for slot in each]
    squares = dict(zip(slots, map(_sum_of_squares, grad(loss, slots)), strict=True))
    totals = []
    for each in layers.values():
        first, *others = (squares[slot] for slot in each)
        totals.append(ops.sqrt(sum(others, start=first)))
    compute = compile(totals, target="numpy")
    rows = [[float(norm) for norm in compute.bind(state)(data)] for state in states]
    return dict(zip(layers, np.array(rows, np.float64).T, strict=True))


def _sum_of_squares(gradient: Node) -> Node:
    """In float64, for the square of a small float32 is 0."""
    return ops.sum(ops.square(ops.astype(gradient, "float64")))


def _lines(axes: Axes, norms: dict[str, Floats]) -> list[tuple[Artist, str]]:
    from matplotlib import colormaps

    entries: list[tuple[Artist, str]] = []
    depth = max(len(norms) - 1, 1)
    for position, (name, values) in enumerate(norms.items()):
        colour = colormaps["cividis"](0.85 * position / depth)
        dashes = DASHES[position % len(DASHES)]
        line = course(axes, values, colour, dashes, first=0, positive=True)
        entries.append((line, f"{name}{_gaps(values)}"))
    return entries


def _gaps(values: Floats) -> str:
    zeros, wild = int((values == 0).sum()), int((~np.isfinite(values)).sum())
    told = [f"0 at {zeros}"] * (zeros > 0) + [f"not finite at {wild}"] * (wild > 0)
    return f" ({', '.join(told)} of {len(values)})" if told else ""


def _scale(axes: Axes, every: Floats, states: int) -> None:
    positive = every[np.isfinite(every) & (every > 0)]
    if positive.size:
        axes.set_yscale("log")
        logarithmic(axes.yaxis, positive.min(), positive.max())
    over_whole_numbers(axes, -0.5, states - 0.5)
