"""How the activations of each layer are spread, over a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainrule.compiled.compilation import compile
from chainrule.compiled.state import State
from chainrule.declare.arguments import text
from chainrule.evaluation.values import Floats, Values
from chainrule.plots.given import as_states, at_most
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import VERMILLION, label, legend_below, require_matplotlib, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.image import AxesImage

BINS = 40
MOST_LAYERS = 12
ACROSS = 3


@dataclass(frozen=True)
class _Spread:
    """One layer: which share of its values falls into each bin, one column a state.

    Attributes:
        shares: (BINS, states), each column sums to 1; NaN for values that are not finite.
        dead: share of the units that are 0 for every row, at the last state.
    """

    edges: Floats
    shares: Floats
    mean: Floats
    deviation: Floats
    dead: float


def activation_histograms(
    layers: Mapping[str, Node],
    data: Values | None,
    states: State | Sequence[State],
    *,
    unit: str = "epoch",
) -> Plot:
    """A histogram of each layer's values at each state of a training, as a column of shades.

    Units that saturate gather at the ends of the range; where signals vanish, all values gather
    at 0. Above a layer stands how many of its units are dead: 0 for every row of the data, as a
    ReLU can be. A state whose values are not finite leaves its column empty.

    Args:
        layers: nodes by name, such as `{"first": hidden, "second": other}`; units along the last
            axis.
        data: the inputs of the nodes, by node or name.
        states: such as `recording.states`: number 0 before training, then one an epoch.
        unit: what lies between two states: "epoch" or "step".

    Raises:
        InputError: there are no layers or too many, or states or data do not fit.
        StateError: a state lacks a value.
    """
    require_matplotlib("activation_histograms")
    text("activation_histograms", "unit", unit)
    given = as_states("activation_histograms", states)
    _check_layers(layers)
    compute = compile(list(layers.values()), target="numpy")
    computed = [compute.bind(state)(data) for state in given]
    spreads = {
        name: _spread([row[position] for row in computed]) for position, name in enumerate(layers)
    }
    return _plot(spreads, unit)


def _check_layers(layers: Mapping[str, Node]) -> None:
    given: object = layers
    if not isinstance(given, Mapping) or not all(isinstance(n, Node) for n in given.values()):
        raise InputError(
            "activation_histograms: layers are not nodes by name",
            hint='give the nodes to look at, such as {"hidden": hidden}',
        )
    hint = "give the most interesting layers"
    at_most("activation_histograms", "layers", len(layers), MOST_LAYERS, hint)


def _spread(values: Sequence[Array]) -> _Spread:
    columns = [value.astype(np.float64) for value in values]
    finite = [column for column in columns if np.isfinite(column).all()]
    low = min((float(column.min()) for column in finite), default=0.0)
    high = max((float(column.max()) for column in finite), default=1.0)
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    shares, means, deviations = [], [], []
    for column in columns:
        whole = bool(np.isfinite(column).all())
        counts = np.histogram(column, edges)[0] / column.size if whole else np.full(BINS, np.nan)
        shares.append(counts)
        means.append(float(column.mean()) if whole else np.nan)
        deviations.append(float(column.std()) if whole else np.nan)
    last = columns[-1]
    units = last.reshape(-1, last.shape[-1]) if last.ndim else last.reshape(1, 1)
    dead = float((units == 0).all(axis=0).mean())
    return _Spread(edges, np.array(shares).T, np.array(means), np.array(deviations), dead)


def _plot(spreads: Mapping[str, _Spread], unit: str) -> Plot:
    from matplotlib.colors import PowerNorm
    from matplotlib.lines import Line2D
    from matplotlib.ticker import PercentFormatter

    columns = min(len(spreads), ACROSS)
    rows = -(-len(spreads) // columns)
    most = max((float(np.nanmax(s.shares)) for s in spreads.values() if _seen(s)), default=1.0)
    title = "Activations of each layer"
    with paper(title, max(4.4 * columns, 7.6) + 1, 3.6 * rows + 1.2) as figure:
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, (name, spread) in zip(grid, spreads.items(), strict=False):
            image = _panel(axes, name, spread, PowerNorm(0.5, 0, most))
            axes.set_xlabel(label(unit))
        for axes in grid[len(spreads) :]:
            axes.remove()
        bar = figure.colorbar(image, ax=figure.axes, format=PercentFormatter(1, 0))
        bar.set_label("share of the values in a bin")
        mean = Line2D([], [], color=VERMILLION)
        edge = Line2D([], [], color=VERMILLION, linestyle=":")
        legend_below(figure, [(mean, "mean"), (edge, "mean ± standard deviation")])
    return Plot(figure, f"{title}: {', '.join(spreads)}")


def _seen(spread: _Spread) -> bool:
    return bool(np.isfinite(spread.shares).any())


def _panel(axes: Axes, name: str, spread: _Spread, norm: Normalize) -> AxesImage:
    from matplotlib.ticker import MaxNLocator

    low, high, states = spread.edges[0], spread.edges[-1], spread.shares.shape[1]
    image = axes.imshow(
        spread.shares, cmap=shades(), norm=norm, origin="lower", aspect="auto",
        extent=(-0.5, states - 0.5, low, high), interpolation="none",
    )  # fmt: skip
    epochs = np.arange(states)
    axes.plot(epochs, spread.mean, color=VERMILLION, marker="o" if states == 1 else "")
    for sign in (-1, 1):
        edge = spread.mean + sign * spread.deviation
        axes.plot(epochs, edge, color=VERMILLION, linestyle=":", marker="_" if states == 1 else "")
    dead = f"\n{spread.dead:.0%} of the units dead" if spread.dead else ""
    axes.set_title(f"{label(name)}{dead}")
    axes.set(ylabel="value", xlim=(-0.5, states - 0.5), ylim=(low, high))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    return image
