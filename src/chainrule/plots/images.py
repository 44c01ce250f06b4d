"""Weights as images: what each unit of a first layer, or each filter, looks for."""

from __future__ import annotations

import math

import numpy as np

from chainc.ir.errors import InputError
from chainrule.declare.arguments import count
from chainrule.evaluation.values import Floats
from chainrule.plots.given import numbers
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import require_matplotlib, two_sided
from chainrule.writing.array_text import number_text

MOST = 256  # images in a plot


def weight_images(weights: object, shape: tuple[int, int] | None = None, *, most: int = 64) -> Plot:
    """The weights of each unit, laid out as its input is: orange below 0, white at 0, blue above.

    All images share one scale, symmetric about 0, so that their strengths can be compared.

    Args:
        weights: (in, out), such as `state[model[0].weight]`: an image for each of the `out`
            units, named by its number from 0.
        shape: height and width of an image, such as (28, 28); by default a square.
        most: so many units at most are shown, the first ones.

    Raises:
        InputError: the weights are no finite matrix, or the shape does not fit them.
    """
    require_matplotlib("weight_images")
    hint = "give a matrix (in, out), such as state[model[0].weight]"
    matrix = numbers("weight_images", "weights", weights, rank=2, hint=hint)
    limit = count("weight_images", "most", most, hint=f"give a number from 1 to {MOST}")
    if limit > MOST:
        raise InputError(f"weight_images: most={most} are too many", hint=f"at most {MOST}")
    height, width = _shape(matrix.shape[0], shape)
    images = matrix.T[:limit].reshape(-1, height, width)
    units = matrix.shape[1]
    shown = f"{len(images)} of {units}" if len(images) < units else f"{units}"
    title = f"Weights of {shown} unit{'s' if units > 1 else ''}, {height}×{width} each"
    return _plot(images, title)


def _shape(size: int, given: object) -> tuple[int, int]:
    side = math.isqrt(size)
    if given is None and side * side == size:
        return side, side
    hint = f"give height and width with a product of {size}, such as shape=(1, {size})"
    if given is None:
        raise InputError(f"weight_images: {size} inputs make no square image", hint=hint)
    if not isinstance(given, tuple) or len(given) != 2:
        raise InputError(f"weight_images: shape={given!r} is no height and width", hint=hint)
    height, width = (count("weight_images", "a side of shape", side, hint=hint) for side in given)
    if height * width != size:
        raise InputError(
            f"weight_images: an image of {height}×{width} does not hold {size} inputs", hint=hint
        )
    return height, width


def _plot(images: Floats, title: str) -> Plot:
    from matplotlib.ticker import FuncFormatter

    columns = min(len(images), max(4, math.ceil(math.sqrt(1.6 * len(images)))))
    rows = -(-len(images) // columns)
    _, height, width = images.shape
    unit = max(height, width)  # as which a tile is laid out, with room for its number above
    tile = 0.95 if columns > 4 else 1.6
    scale = float(np.abs(images).max()) or 1.0
    with paper(title, tile * 1.15 * columns + 2.2, max(tile * 1.35 * rows + 1.0, 3.4)) as figure:
        axes = figure.subplots()
        axes.set_axis_off()
        for number, image in enumerate(images):
            left, top = (number % columns) * 1.15 * unit, (number // columns) * 1.35 * unit
            picture = axes.imshow(
                image, extent=(left, left + width, top + height, top), interpolation="none",
                cmap=two_sided(), vmin=-scale, vmax=scale,
            )  # fmt: skip
            place = (left + width / 2, top - 0.05 * unit)
            axes.text(*place, f"{number}", ha="center", va="bottom", fontsize=10)
        axes.set_xlim(-0.05 * unit, columns * 1.15 * unit)
        axes.set_ylim(rows * 1.35 * unit, -0.35 * unit)
        bar = figure.colorbar(picture, ax=axes, ticks=[-scale, 0, scale])
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value, 3)))
        bar.set_label(f"weight, from −{scale:.3g} to {scale:.3g}")
    return Plot(figure, title)
