"""The classic picture of a kernel sliding over an image, with the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainc.ir.errors import InputError
from chainrule.compiled.compilation import compile
from chainrule.declare.arguments import count, several
from chainrule.declare.leaves import input
from chainrule.declare.windows.convolution import convolution
from chainrule.declare.windows.geometry import Geometry, Numbers, Padding, geometry, times
from chainrule.evaluation.values import Floats
from chainrule.plots.given import numbers
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import GREY, INK, VERMILLION, require_matplotlib
from chainrule.writing.array_text import number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST, MOST_TAPS = 12, 5  # rows or columns of the padded image, and of the kernel
GAP = 1.4  # cells between two grids
CELL = 0.56  # inches
WINDOW, BORDER, PLAIN = "#BBD9EE", "#EFEFEF", "#FFFFFF"
Cells = set[tuple[int, int]]


def sliding(
    x: object,
    weight: object,
    position: Sequence[int] = (0, 0),
    *,
    stride: Numbers = 1,
    padding: Padding = 0,
    dilation: Numbers = 1,
) -> Plot:
    """A kernel over an image, and the sum of products that it gives at one position.

    The pixels below the kernel are blue, those of the border grey; the result of this position
    has an orange frame, and the sum stands below, a line for each row of the kernel.

    Args:
        x: an image (height, width), at most 12 × 12 with its border.
        weight: a kernel (height, width), at most 5 × 5.
        position: row and column of the result.
        stride: pixels from one position to the next.
        padding: zeros around the image, as `cr.conv2d` takes them.
        dilation: pixels from one tap of the kernel to the next.

    Raises:
        InputError: an array is no matrix or too large, or there is no such position.
        ShapeError: the kernel is larger than the image with its border.
    """
    require_matplotlib("sliding")
    hint = "give a matrix of numbers, such as numpy.arange(25).reshape(5, 5)"
    image = numbers("sliding", "x", x, rank=2, hint=hint)
    kernel = numbers("sliding", "weight", weight, rank=2, hint=hint)
    slides = geometry("sliding", 2, kernel.shape, stride, padding, dilation)
    padded = np.pad(image, slides.padding)
    if max(padded.shape) > MOST or max(kernel.shape) > MOST_TAPS:
        raise InputError(
            f"sliding: a kernel of {times(kernel.shape)} on an image of {times(padded.shape)} is "
            "too large to be written out",
            hint=f"give at most {MOST_TAPS} × {MOST_TAPS} on {MOST} × {MOST}, border included",
        )
    result = _convolved(slides, image, kernel)
    place = _position(position, result.shape)
    return _plot(slides, padded, kernel, result, place)


def _convolved(slides: Geometry, image: Floats, kernel: Floats) -> Floats:
    x = input("x", (1, 1, *image.shape), dtype="float64")
    weight = input("weight", (1, 1, *kernel.shape), dtype="float64")
    run = compile(convolution(slides, x, weight, None, 1), target="numpy")
    found = run(x=image[None, None], weight=kernel[None, None])
    return np.asarray(found[0, 0], np.float64)


def _position(given: object, shape: tuple[int, ...]) -> tuple[int, int]:
    rows, columns = shape
    hint = f"give row and column, from (0, 0) to ({rows - 1}, {columns - 1})"
    listed = several("sliding", "position", given, hint=hint)
    found = [count("sliding", "position", each, at_least=0, hint=hint) for each in listed]
    if len(found) != 2 or found[0] >= rows or found[1] >= columns:
        raise InputError(f"sliding: there is no position {tuple(found)}", hint=hint)
    return found[0], found[1]


def _below(slides: Geometry, place: tuple[int, int]) -> list[list[tuple[int, int]]]:
    """The cells of the padded image below the kernel, by its rows."""
    rows, columns = (
        [at * slide.stride + tap * slide.dilation for tap in range(slide.taps)]
        for at, slide in zip(place, slides.slides, strict=True)
    )
    return [[(row, column) for column in columns] for row in rows]


def _sum(values: Floats, kernel: Floats, result: float) -> list[str]:
    """`1·0 + 2·1`, a line a row of the kernel; the last ends with the result."""
    lines = [
        " + ".join(f"{_text(a)}·{_factor(b)}" for a, b in zip(*row, strict=True))
        for row in zip(values, kernel, strict=True)
    ]
    first, *others = lines
    return [first, *(f"+ {line}" for line in others), f"= {_text(result)}"]


def _text(value: float) -> str:
    """As short as a cell: two decimals at most."""
    return number_text(round(value, 2) + 0.0, 3)


def _factor(value: float) -> str:
    return f"({_text(value)})" if value < 0 else _text(value)


def _plot(
    slides: Geometry, padded: Floats, kernel: Floats, result: Floats, place: tuple[int, int]
) -> Plot:
    covered = _below(slides, place)
    values = np.array([[padded[cell] for cell in row] for row in covered])
    lines = _sum(values, kernel, float(result[place]))
    grids = (padded, kernel, result)
    width = sum(grid.shape[1] for grid in grids) + 2 * GAP
    height = max(len(grid) for grid in grids)
    written = 0.6 * len(lines) + 0.6
    title = f"A kernel of {times(kernel.shape)} at position {place[0]}, {place[1]}"
    size = max(CELL * width + 0.6, 0.1 * max(map(len, lines)) + 0.8, 6.5)
    with paper(title, size, CELL * (height + 1 + written) + 1.0) as figure:
        axes = figure.subplots()
        window = {cell for row in covered for cell in row}
        lefts = [0.0, padded.shape[1] + GAP, padded.shape[1] + kernel.shape[1] + 2 * GAP]
        _grid(axes, padded, lefts[0], "image", window, _border(slides, padded))
        _grid(axes, kernel, lefts[1], "kernel", set(np.ndindex(kernel.shape)), set())
        _grid(axes, result, lefts[2], "result", set(), set())
        _frame(axes, lefts[2] + place[1], place[0])
        for sign, left in zip("∗=", lefts[1:], strict=True):
            axes.text(left - GAP / 2, min(map(len, grids)) / 2, sign, ha="center", va="center",
                      fontsize=18)  # fmt: skip
        for row, line in enumerate(lines):
            axes.text(0, height + 0.8 + 0.6 * row, line, ha="left", va="center", fontsize=11)
        axes.set_axis_off()
        axes.set_aspect("equal", anchor="W")
        axes.set_xlim(-0.1, max(width + 0.1, (size - 0.6) / CELL))
        axes.set_ylim(height + written, -1.0)
    return Plot(figure, title)


def _border(slides: Geometry, padded: Floats) -> Cells:
    (above, under), (left, right) = slides.padding
    height, width = padded.shape
    inside = range(above, height - under), range(left, width - right)
    return {
        (row, column)
        for row, column in np.ndindex(height, width)
        if row not in inside[0] or column not in inside[1]
    }


def _grid(axes: Axes, values: Floats, left: float, name: str, window: Cells, border: Cells) -> None:
    """Numbers in cells, the name above."""
    from matplotlib.patches import Rectangle

    axes.text(left + values.shape[1] / 2, -0.35, name, ha="center", va="center", fontsize=11)
    for (row, column), value in np.ndenumerate(values):
        colour = WINDOW if (row, column) in window else BORDER if (row, column) in border else PLAIN
        cell = Rectangle((left + column, row), 1, 1, facecolor=colour, edgecolor=GREY, lw=0.8)
        axes.add_patch(cell)
        ink = GREY if (row, column) in border else INK
        middle = (left + column + 0.5, row + 0.5)
        axes.text(*middle, _text(float(value)), ha="center", va="center", fontsize=10, color=ink)


def _frame(axes: Axes, left: float, top: float) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((left, top), 1, 1, fill=False, edgecolor=VERMILLION, lw=2.5))
