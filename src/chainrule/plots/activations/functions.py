"""Activation functions, their derivatives, and where these all but vanish."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainc import ops
from chainc.autodiff import grad
from chainc.dataclass import dataclass
from chainc.ir import Node, Op
from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainrule.compiled.compilation import compile
from chainrule.declare import functional
from chainrule.declare.arguments import number
from chainrule.declare.calls import answering
from chainrule.declare.leaves import input
from chainrule.evaluation.values import Floats
from chainrule.nn.module import Module
from chainrule.plots.given import at_most, texts
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import (
    BLUE,
    PALE_GREY,
    VERMILLION,
    label,
    legend_below,
    require_matplotlib,
)
from chainrule.writing.array_text import number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FLAT = 0.05  # a derivative below it all but stops the gradient
# Inputs so large that a bounded function has reached its bound, and an unbounded one still grows.
FAR = np.array([-1000, -500, -250, 250, 500, 1000], np.float32)
POINTS = 1201
MOST = 12
ACROSS = 3

Activation = Callable[[Node], Node]
USUAL: tuple[Activation, ...] = (
    ops.sigmoid, ops.tanh, ops.relu, functional.leaky_relu, functional.elu, ops.softplus,
)  # fmt: skip


@dataclass(frozen=True)
class _Curve:
    """What the graph and its gradient give over an interval, and far outside it."""

    name: str
    x: Floats
    y: Floats
    slope: Floats
    far_values: Floats  # at `FAR`
    far_slopes: Floats

    @property
    def saturated(self) -> tuple[bool, bool]:
        """Does the derivative vanish to the left, and to the right?"""
        return bool(abs(self.far_slopes[0]) < 1e-6), bool(abs(self.far_slopes[-1]) < 1e-6)

    @property
    def flat(self) -> Floats:
        """1 where a vanishing derivative is below `FLAT`, else 0."""
        left, right = self.saturated
        side = np.where(self.x < 0, left, right)
        return (side & (np.abs(self.slope) < FLAT)).astype(np.float64)

    def told(self) -> str:
        """Range, centre and saturation in words."""
        ends = (self.far_values[2::-1], self.far_values[3:])  # each outwards
        every = np.concatenate([self.y, self.far_values, *map(_beyond, ends)])
        sides = [s for s, flat in zip(("left", "right"), self.saturated, strict=True) if flat]
        even = np.abs(self.x) <= min(-self.x[0], self.x[-1])
        centred = abs(self.y[even].mean()) < 5e-3 * np.ptp(self.y)
        return (
            f"range {_bound(every.min())} … {_bound(every.max())}\n"
            f"{'zero-centred' if centred else 'not zero-centred'}, "
            f"{'saturates ' + ' and '.join(sides) if sides else 'does not saturate'}"
        )


def activation_functions(
    *functions: Activation,
    names: Sequence[str] | None = None,
    low: float = -6.0,
    high: float = 6.0,
) -> Plot:
    """Functions and their derivatives, one panel each, computed by their graphs and gradients.

    A function saturates on a side where its derivative vanishes far out; shaded is where it is
    below 0.05 there. It is zero-centred if inputs spread evenly around 0 give a mean of 0. The
    range is that of the inputs shown and of some up to ±1000; where the function still grows
    there, it has no bound.

    Args:
        functions: elementwise, such as cr.tanh, nn.ELU(2.0) or a lambda; by default the usual
            ones. Parameters have their initial values.
        names: titles of the panels.
        low: left end of the inputs shown, below 0.
        high: right end, above 0.

    Raises:
        InputError: something is not an elementwise function of a node, or the interval or the
            number of names does not fit.
    """
    require_matplotlib("activation_functions")
    hint = "give an interval around 0, such as low=-6.0, high=6.0"
    start = number("activation_functions", "low", low, at_least=-100, below=0, hint=hint)
    end = number("activation_functions", "high", high, above=0, below=100, hint=hint)
    chosen = functions or USUAL
    at_most("activation_functions", "functions", len(chosen), MOST, "make several plots")
    titles = (
        [_name(f, i) for i, f in enumerate(chosen, start=1)]
        if names is None
        else texts("activation_functions", "names", names)
    )
    if len(titles) != len(chosen):
        raise InputError(
            f"activation_functions: {len(titles)} names for {len(chosen)} functions",
            hint="give one name for each function, or none",
        )
    x = np.linspace(start, end, POINTS).astype(np.float32)
    return _plot([_curve(n, f, x) for n, f in zip(titles, chosen, strict=True)])


def _name(function: object, position: int) -> str:
    if isinstance(function, Module):
        return type(function).__name__
    name = function.name if isinstance(function, Op) else getattr(function, "__name__", "<lambda>")
    return f"function {position}" if name == "<lambda>" else str(name)


def _curve(name: str, function: object, x: Array) -> _Curve:
    points = input("x", ("points",))
    y = answering(function, name)(points) if callable(function) else None
    if not isinstance(y, Node) or y.shape != points.shape:
        raise _unusable(name)
    compiled = compile([y, grad(ops.sum(y), points, allow_unused=True)], target="numpy")
    run = compiled.bind(compiled.initial_state(0))
    values, slopes = (array.astype(np.float64) for array in run(x=np.concatenate([x, FAR])))
    alone = run(x=x[::2])[0]
    if not np.allclose(alone, values[: len(x) : 2], rtol=1e-4, atol=1e-6):
        raise _unusable(name)
    here, far = slice(None, len(x)), slice(len(x), None)
    return _Curve(name, x.astype(np.float64), values[here], slopes[here], values[far], slopes[far])


def _unusable(name: str) -> InputError:
    return InputError(
        f"activation_functions: {name} is no function of each element on its own",
        hint="give a function from a node to a node of its shape, such as cr.tanh",
    )


def _beyond(outwards: Floats) -> Floats:
    """±∞ where the size grows each time that the input doubles, else nothing."""
    sizes = np.abs(outwards)
    grows = bool((sizes[1:] > 1.02 * sizes[:-1]).all()) and sizes[0] > 1e-3
    return np.sign(outwards[-1:]) * np.inf if grows else np.empty(0)


def _bound(value: float) -> str:
    if np.isinf(value):
        return "∞" if value > 0 else "−∞"
    return number_text(value, 2)


def _plot(curves: Sequence[_Curve]) -> Plot:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    columns = min(len(curves), ACROSS)
    rows = -(-len(curves) // columns)
    title = "Activation functions" if len(curves) > 1 else "Activation function"
    with paper(title, max(4.3 * columns, 7.0), 3.9 * rows + 1.2) as figure:
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, curve in zip(grid, curves, strict=False):
            _panel(axes, curve)
        for axes in grid[len(curves) :]:
            axes.remove()
        entries = [
            (Line2D([], [], color=BLUE), "f(x)"),
            (Line2D([], [], color=VERMILLION, linestyle="--"), "f′(x)"),
            (Patch(color=PALE_GREY), f"saturated: |f′(x)| < {FLAT:g}"),
        ]
        legend_below(figure, entries)
    return Plot(figure, f"{title}: {', '.join(curve.name for curve in curves)}")


def _panel(axes: Axes, curve: _Curve) -> None:
    axes.fill_between(
        curve.x, 0, 1, where=list(curve.flat > 0), transform=axes.get_xaxis_transform(),
        color=PALE_GREY, linewidth=0,
    )  # fmt: skip
    axes.axhline(0, color="#9A9A9A", linewidth=0.8)
    axes.axvline(0, color="#9A9A9A", linewidth=0.8)
    axes.plot(curve.x, curve.y, color=BLUE, label="f(x)")
    axes.plot(curve.x, curve.slope, color=VERMILLION, linestyle="--", label="f′(x)")
    axes.set_xlim(curve.x[0], curve.x[-1])
    axes.set_title(f"{label(curve.name)}\n{curve.told()}", fontsize=12)
    axes.set_xlabel("x")
