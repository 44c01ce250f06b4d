"""A text whose characters are coloured by numbers, as Karpathy showed units of his networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainc.ir.errors import InputError
from chainrule.declare.arguments import count
from chainrule.declare.arguments import text as text_of
from chainrule.evaluation.values import Floats
from chainrule.plots.given import at_most, numbers
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import printable, require_matplotlib, two_sided
from chainrule.writing.array_text import number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CHARACTERS, WIDEST = 1200, 80
CELL = 0.15, 0.26  # inches for a character, of 10 points
DARK = 0.45  # share of the scale from which letters are white

Place = tuple[int, int]  # row and column


def coloured_text(
    content: str, values: object, *, title: str = "One unit over a text", width: int = 64
) -> Plot:
    """Each character on a colour: orange for a number below 0, white for 0, blue above.

    Args:
        content: the text, up to 1,200 characters.
        values: a number for each, such as what a hidden unit is behind it.
        title: a line above.
        width: characters a line, up to 80; the text's own line ends count as well.

    Raises:
        InputError: there are more or fewer numbers than characters, or a size does not fit.
    """
    require_matplotlib("coloured_text")
    letters = text_of("coloured_text", "content", content)
    heading = printable(text_of("coloured_text", "title", title))
    at_most("coloured_text", "characters", len(letters), MOST_CHARACTERS, "give a piece of it")
    columns = count("coloured_text", "width", width, hint="give a number from 1 to 80")
    at_most("coloured_text", "characters a line", columns, WIDEST, "give a number from 1 to 80")
    given = numbers("coloured_text", "values", values, rank=1, hint="give a number a character")
    if len(given) != len(letters):
        raise InputError(
            f"coloured_text: {len(given)} values for {len(letters)} characters",
            hint="give what one unit is behind each character, such as hidden[0, :, 7]",
        )
    places = _places(letters, columns)
    rows = places[-1][0] + 1
    across = max(max(column for _, column in places) + 1, 24)
    scale = float(np.abs(given).max()) or 1.0
    with paper(heading, CELL[0] * across + 2.2, max(CELL[1] * rows + 1.0, 2.4)) as figure:
        from matplotlib.ticker import FuncFormatter

        axes = figure.subplots()
        _draw(axes, letters, given / scale, places, (rows, across))
        image = axes.imshow(
            np.zeros((1, 1)), extent=(0, 0.01, 0, 0.01), cmap=two_sided(), vmin=-scale, vmax=scale
        )
        axes.set(xlim=(0, across), ylim=(rows, 0), aspect="auto")
        axes.set_axis_off()
        bar = figure.colorbar(image, ax=axes, ticks=[-scale, 0, scale])
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value, 2)))
    return Plot(figure, heading)


def _places(letters: str, columns: int) -> list[Place]:
    """Where each character stands; a line ends where the text says so, or is full."""
    row = column = 0
    places: list[Place] = []
    for letter in letters:
        if column == columns:
            row, column = row + 1, 0
        places.append((row, column))
        row, column = (row + 1, 0) if letter == "\n" else (row, column + 1)
    return places


def _draw(
    axes: Axes, letters: str, shares: Floats, places: list[Place], size: tuple[int, int]
) -> None:
    rows, across = size
    cells = np.full((rows, across), np.nan)
    for (row, column), share in zip(places, shares, strict=True):
        cells[row, column] = share
    axes.imshow(
        cells, extent=(0, across, rows, 0), interpolation="none", cmap=two_sided(), vmin=-1, vmax=1
    )
    for letter, (row, column), share in zip(letters, places, shares, strict=True):
        if letter.isspace():
            continue
        colour = "#FFFFFF" if abs(share) > DARK else "#111111"
        axes.text(
            column + 0.5, row + 0.5, printable(letter), ha="center", va="center",
            fontsize=10, family="DejaVu Sans Mono", color=colour,
        )  # fmt: skip
