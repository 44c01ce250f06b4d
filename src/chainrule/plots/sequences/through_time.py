"""How much of a gradient comes back to each step of a loop: vanishing, and exploding."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainc.autodiff import require_scalar
from chainc.ir import Node, describe, topological
from chainc.ir.errors import InputError
from chainrule.compiled.state import State
from chainrule.declare.arguments import mapping
from chainrule.evaluation.backpropagation import backpropagate
from chainrule.evaluation.unrolled import values_by_name, written_out
from chainrule.evaluation.values import Values
from chainrule.plots.given import as_states, at_most
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import legend_below, logarithmic, look, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

MOST_LINES, MOST_STEPS = 8, 200
MOST_COPIES = 20_000  # nodes of all steps


def gradients_through_time(
    losses: Node | Mapping[str, Node], data: Values, state: State | Sequence[State] | None = None
) -> Plot:
    """The length of the loss's gradient with respect to what a loop carries behind each step.

    Where it falls to the left, what came early can hardly be learned; where it grows, a step of
    gradient descent may go anywhere, and clipping helps.

    Args:
        losses: a scalar node, or several by name, each with a loop of up to 200 steps.
        data: the inputs of the losses, by node or name.
        state: the values of parameters, the last of several; those that are not there have their
            first values.

    Raises:
        GradientError: a loss is no scalar.
        InputError: a loss has no loop, there are too many lines or steps, or values do not fit.
    """
    require_matplotlib("gradients_through_time")
    given = {"": losses} if isinstance(losses, Node) else losses
    hint = 'give a loss, or several by name, such as {"RNN": loss}'
    named = mapping("gradients_through_time", "losses", given, hint=hint)
    known = State({}) if state is None else as_states("gradients_through_time", state)[-1]
    lines: dict[str, Mapping[int, float]] = {}
    for name, loss in named.items():
        if not isinstance(loss, Node):
            raise InputError(f"gradients_through_time: {loss!r} is no loss", hint=hint)
        for carry, norms in _norms(loss, data, known).items():
            lines[f"{name}, {carry}" if name else carry] = norms
    at_most("gradients_through_time", "lines", len(lines), MOST_LINES, "give fewer losses")
    title = "Gradient behind each step"
    with paper(title, 8.0, 5.0) as figure:
        axes = figure.subplots()
        legend_below(figure, _lines(axes, lines))
        axes.set(xlabel="step", ylabel="‖∂loss/∂carry‖")
        axes.grid(True)
    return Plot(figure, f"{title}: {', '.join(lines)}")


def _norms(loss: Node, data: Values, state: State) -> Mapping[str, Mapping[int, float]]:
    """Of each carry, by the number of the step, from 1."""
    require_scalar("gradients_through_time", loss)
    (flat,), names = written_out([loss], data, MOST_COPIES)
    if not names:
        raise InputError(
            f"gradients_through_time: {describe(loss)} is computed without a loop of at most "
            f"{MOST_STEPS} steps",
            hint="give the loss of a recurrent network, or of what cr.scan gives, and a piece of "
            "long sequences",
        )
    at_most("gradients_through_time", "carries", len(names), 4 * MOST_STEPS, "give fewer steps")
    values: dict[Node | str, object] = {}
    values |= {key: value for key, value in state.items() if key in _labels(flat)}
    for key, value in values_by_name(data).items():
        values[key] = value
    found = backpropagate(flat, values, function="gradients_through_time")
    norms: dict[str, dict[int, float]] = {}
    for node, name in names.items():
        match = re.fullmatch(r"(.*?)(\d+)", name)
        assert match is not None
        if node in found.gradients:
            carry, step = match[1], int(match[2])
            while step in norms.get(carry, {}):  # of another layer
                carry += "'"
            norm = np.linalg.norm(found.gradients[node].astype(np.float64))
            norms.setdefault(carry, {})[step] = float(norm)
    return norms


def _labels(loss: Node) -> set[str]:
    return {node.op.label for node in topological([loss]) if not node.inputs}


def _lines(axes: Axes, lines: Mapping[str, Mapping[int, float]]) -> list[tuple[Artist, str]]:
    entries: list[tuple[Artist, str]] = []
    for position, (name, norms) in enumerate(lines.items()):
        steps = sorted(norms)
        values = np.array([norms[step] for step in steps])
        usable = np.isfinite(values) & (values > 0)
        colour, dashes = look(position)
        shown = np.where(usable, values, np.nan)
        (line,) = axes.plot(steps, shown, color=colour, linestyle=dashes)
        zeros = int((values == 0).sum())
        entries.append((line, f"{name} (0 at {zeros} of {len(values)})" if zeros else name))
    every = np.array([norm for norms in lines.values() for norm in norms.values()])
    positive = every[np.isfinite(every) & (every > 0)]
    if positive.size:
        axes.set_yscale("log")
        logarithmic(axes.yaxis, positive.min(), positive.max())
    return entries
