"""Gradient norms over a training: those of layers, which vanish or explode, and around clipping."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainc import ops
from chainc.autodiff import grad, require_scalar
from chainc.ir import Graph, Node
from chainc.ir.errors import GraphError
from chainrule.compiled.compilation import compile
from chainrule.compiled.state import State
from chainrule.declare.arguments import text
from chainrule.declare.calls import answering
from chainrule.declare.leaves import by_layer
from chainrule.evaluation.values import Floats, Values
from chainrule.plots.given import as_states, at_most
from chainrule.plots.landscape.directions import parameters
from chainrule.plots.paper.courses import course, over_whole_numbers
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import (
    BLUE,
    DASHES,
    VERMILLION,
    label,
    legend_below,
    logarithmic,
    require_matplotlib,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Signals = Mapping[Node, Node]  # by parameter
Clipping = Callable[[Signals], Signals]

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
    layers = _layers("gradient_norms", loss)
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


def clipped_norms(
    loss: Node,
    data: Values | None,
    states: State | Sequence[State],
    clip: Clipping,
    *,
    unit: str = "step",
) -> Plot:
    """The length of the whole gradient at each state of a training, before and behind clipping.

    Each gradient counts all parameters of the loss: √Σ g². Where the lines part, it was clipped.

    Args:
        loss: as of `gradient_norms`, and so are data and states.
        data: the inputs of the loss.
        states: of the training.
        clip: what changes the gradients, such as `optim.clip.by_global_norm(5.0)`.
        unit: what lies between two states: "step" or "epoch".

    Raises:
        GradientError: the loss is no scalar.
        GraphError: the clipping gives something else than a gradient for each parameter.
        InputError: there are no parameters, or states or data do not fit.
        StateError: a state lacks a value.
    """
    require_matplotlib("clipped_norms")
    text("clipped_norms", "unit", unit)
    require_scalar("clipped_norms", loss)
    given = as_states("clipped_norms", states)
    slots = [slot for each in _layers("clipped_norms", loss).values() for slot in each]
    before = dict(zip(slots, grad(loss, slots), strict=True))
    totals = [_norm(signals.values()) for signals in (before, _clipped(clip, before))]
    norms = _values(totals, data, given)
    title = "Gradient norm around clipping"
    with paper(title, 9.0, 5.0) as figure:
        axes = figure.subplots()
        legend_below(figure, _around(axes, *norms))
        axes.set(xlabel=label(unit), ylabel="‖∂loss/∂parameters‖")
        axes.grid(True)
        _scale(axes, norms.ravel(), len(given))
    return Plot(figure, title)


def _clipped(clip: Clipping, signals: Signals) -> Signals:
    usable = callable(clip)
    given: object = answering(clip, "the clipping")(signals) if usable else clip
    if isinstance(given, Mapping) and set(given) == set(signals):
        return given
    raise GraphError(
        f"clipped_norms: the clipping {clip!r} gives no gradient for each parameter",
        hint="give one, such as optim.clip.by_global_norm(5.0)",
    )


def _around(axes: Axes, before: Floats, behind: Floats) -> list[tuple[Artist, str]]:
    shorter = int((behind < (1 - 1e-5) * before).sum())  # 1e-6 is added to a norm that divides
    told = f"behind it (shorter at {shorter} of {len(before)})"
    return [
        (course(axes, before, VERMILLION, "--", first=0, positive=True), "before clipping"),
        (course(axes, behind, BLUE, "-", first=0, positive=True), f"{told}{_gaps(behind)}"),
    ]


def _layers(function: str, loss: Node) -> Mapping[str, Sequence[Node]]:
    """Parameters by layer, in the order in which the loss is computed."""
    names = parameters(function, loss)
    return by_layer(slot for slot in Graph((loss,)).leaves("state") if slot.op.label in names)


def _norms(
    loss: Node, data: Values | None, states: Sequence[State], layers: Mapping[str, Sequence[Node]]
) -> dict[str, Floats]:
    slots = [slot for each in layers.values() for slot in each]
    signals = dict(zip(slots, grad(loss, slots), strict=True))
    totals = [_norm(signals[slot] for slot in each) for each in layers.values()]
    return dict(zip(layers, _values(totals, data, states), strict=True))


def _values(totals: Sequence[Node], data: Values | None, states: Sequence[State]) -> Floats:
    """Of each scalar, at each state."""
    compute = compile(totals, target="numpy")
    rows = [[float(norm) for norm in compute.bind(state)(data)] for state in states]
    return np.array(rows, np.float64).T


def _norm(signals: Iterable[Node]) -> Node:
    """In float64, for the square of a small float32 is 0."""
    first, *others = (ops.sum(ops.square(ops.astype(each, "float64"))) for each in signals)
    return ops.sqrt(sum(others, start=first))


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
