"""The kernels of a convolution: what each of them looks for."""

from __future__ import annotations

import numpy as np

from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ir.leaves import Slot
from chainrule.compiled.state import State
from chainrule.declare.arguments import count
from chainrule.evaluation.values import Floats
from chainrule.plots.given import numbers
from chainrule.plots.images.tiles import above, beside, bound, numbered, scale_bar, signed
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import require_matplotlib

MOST = 256  # kernels in a plot
COLUMNS, ROWS = 12, 10  # of a table of kernels and channels
HINT = "give the weight of a convolution, such as model[0].weight, and result.state"


def filters(weight: object, state: State | None = None, *, most: int = 64) -> Plot:
    """The kernels of a convolution as images, each named by its output channel.

    Kernels of one input channel are orange below 0, white at 0, blue above, all on one scale;
    those of three are in colour, with the mid grey for 0. Of other numbers of channels there is a
    column for each kernel and a row for each input channel, as many as a page holds.

    Args:
        weight: (out, in, height, width): the parameter, such as `model[0].weight`, or an array.
        state: where the parameter's value is; only for a parameter.
        most: so many kernels at most are shown, the first ones.

    Raises:
        InputError: the weight is no array of kernels, or a parameter is given without a state.
        StateError: the state lacks the parameter.
    """
    require_matplotlib("filters")
    kernels = numbers("filters", "weight", _value(weight, state), rank=4, hint=HINT)
    limit = count("filters", "most", most, hint=f"give a number from 1 to {MOST}")
    if limit > MOST:
        raise InputError(f"filters: most={most} are too many", hint=f"at most {MOST}")
    if kernels.shape[1] in (1, 3):
        shown = kernels[:limit]
        images = shown[:, 0] if kernels.shape[1] == 1 else shown
        return numbered(images, _title(kernels, *shown.shape[:2]))
    return _table(kernels, min(limit, COLUMNS))


def _value(weight: object, state: object) -> object:
    if not isinstance(weight, Node):
        return weight
    if isinstance(weight.op, Slot) and isinstance(state, State):
        return state[weight]
    what = "a parameter needs a state" if isinstance(weight.op, Slot) else "this is no parameter"
    raise InputError(f"filters: {what}", hint=HINT)


def _title(kernels: Floats, shown: int, channels: int) -> str:
    """`12 of 32 kernels, 10 of 16 channels, 3×3 each`."""
    every, of, height, width = kernels.shape
    sized = f"{_part(shown, every)} kernel{'s' if every > 1 else ''}"
    deep = f", {_part(channels, of)} channels" if of > 1 else ""
    return f"{sized}{deep}, {height}×{width} each"


def _part(shown: int, every: int) -> str:
    return f"{shown} of {every}" if shown < every else f"{every}"


def _table(kernels: Floats, limit: int) -> Plot:
    shown = kernels[:limit, :ROWS]
    columns, rows = shown.shape[:2]
    title = _title(kernels, columns, rows)
    scale = float(np.abs(shown).max()) or 1.0
    with paper(title, max(0.8 * columns + 3.4, 7.5), max(0.95 * rows + 1.0, 3.4)) as figure:
        axes = figure.subplots()
        for column, kernel in enumerate(shown):
            above(axes, f"{column}", column, 0)
            for row, image in enumerate(kernel):
                drawn = signed(axes, image, column, row, scale)
        for row in range(rows):
            beside(axes, f"channel {row}", row)
        scale_bar(axes, drawn, scale, "weight")
        bound(axes, columns, rows)
    return Plot(figure, title)
