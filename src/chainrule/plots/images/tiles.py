"""Small images side by side, each on its place of a grid."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from chainrule.evaluation.values import Floats
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import two_sided
from chainrule.writing.array_text import number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

ACROSS, DOWN = 1.15, 1.35  # from one image to the next, of which the longer side is 1


def place(column: int, row: int, image: Floats) -> tuple[float, float, float, float]:
    """(left, right, bottom, top) of an image in the grid, in matplotlib's order."""
    height, width = image.shape[:2]
    longer = max(height, width)
    left, top = column * ACROSS, row * DOWN
    return left, left + width / longer, top + height / longer, top


def signed(axes: Axes, image: Floats, column: int, row: int, scale: float) -> AxesImage:
    """Numbers on a scale symmetric about 0: orange below, white at 0, blue above."""
    return axes.imshow(
        image, extent=place(column, row, image), interpolation="none",
        cmap=two_sided(), vmin=-scale, vmax=scale,
    )  # fmt: skip


def seen(axes: Axes, image: Floats, column: int, row: int, low: float, high: float) -> AxesImage:
    """A picture (channels, height, width): in colour if it has three channels, else the first.

    From black at `low` to white at `high`.
    """
    shown = image.transpose(1, 2, 0) if len(image) == 3 else image[0]
    return axes.imshow(
        (shown - low) / (high - low or 1.0), extent=place(column, row, shown),
        interpolation="none", cmap="gray", vmin=0.0, vmax=1.0,
    )  # fmt: skip


def above(axes: Axes, text: str, column: int, row: int) -> None:
    """A short text over an image."""
    where = (column * ACROSS + 0.5, row * DOWN - 0.05)
    axes.text(*where, text, ha="center", va="bottom", fontsize=10)


def beside(axes: Axes, text: str, row: int) -> None:
    """A text to the left of a row."""
    axes.text(-0.12, row * DOWN + 0.5, text, ha="right", va="center", fontsize=10)


def bound(axes: Axes, columns: int, rows: int) -> None:
    """Show the whole grid and nothing around it."""
    axes.set_axis_off()
    axes.set_xlim(-0.05, columns * ACROSS)
    axes.set_ylim(rows * DOWN, -0.35)


def scale_bar(axes: Axes, drawn: AxesImage, scale: float, what: str) -> None:
    """The colours of signed images, beside them."""
    from matplotlib.ticker import FuncFormatter

    bar = axes.figure.colorbar(drawn, ax=axes, ticks=[-scale, 0, scale])
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value, 3)))
    bar.set_label(f"{what}, from −{scale:.3g} to {scale:.3g}")


def numbered(images: Floats, title: str) -> Plot:
    """Weights (n, height, width), or (n, 3, height, width) in colour, each with its number."""
    columns = min(len(images), max(4, math.ceil(math.sqrt(1.6 * len(images)))))
    rows = -(-len(images) // columns)
    tile = 0.95 if columns > 4 else 1.6
    scale = float(np.abs(images).max()) or 1.0
    size = tile * ACROSS * columns + 2.2, max(tile * DOWN * rows + 1.0, 3.4)
    with paper(title, *size) as figure:
        axes = figure.subplots()
        for number, image in enumerate(images):
            row, column = divmod(number, columns)
            above(axes, f"{number}", column, row)
            if image.ndim == 3:
                seen(axes, image, column, row, -scale, scale)
            else:
                drawn = signed(axes, image, column, row, scale)
        if images.ndim == 3:
            scale_bar(axes, drawn, scale, "weight")
        bound(axes, columns, rows)
    return Plot(figure, title)
