"""What a plot shows, read back from matplotlib's own drawing: texts and where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.path import Path
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from chainrule.plots import Plot
from chainrule.plots.paper.style import styled

SMALLEST = 9.9  # points
LARGEST_FIGURE = 17  # inches: on a projector, letters of a wider one are too small
TOUCHING = 1.0  # pixels that boxes may share


@dataclass(frozen=True)
class Drawn:
    """A line of text as it was drawn; the box is in pixels from the lower left."""

    text: str
    box: Bbox
    size: float


def drawn(plot: Plot) -> list[Drawn]:
    """Every line of text, taken down while matplotlib draws the figure."""
    figure, lines = plot.figure, list[Drawn]()
    renderer_class: Any = RendererAgg
    renderer = renderer_class(*(figure.get_size_inches() * figure.dpi), figure.dpi)

    def draw_text(
        _gc: object,
        x: float,
        y: float,
        text: str,
        font: Any,
        angle: float,
        *_: object,
        **__: object,
    ) -> None:
        width, height, descent = renderer.get_text_width_height_descent(text, font, False)
        bottom = renderer.height - y
        box = (
            Bbox.from_bounds(x, bottom - descent, width, height)
            if angle == 0
            else Bbox.from_bounds(x + descent - height, bottom, height, width)
        )
        lines.append(Drawn(text, box, font.get_size_in_points()))

    renderer.draw_text = draw_text
    with styled():
        figure.draw(renderer)
    return lines


def texts(plot: Plot) -> list[str]:
    """Every line of text, in the order of drawing."""
    return [each.text for each in drawn(plot)]


def assert_legible(plot: Plot) -> None:
    """No text is cut, too small or over another one, and the legend covers no data."""
    figure = plot.figure
    assert figure.get_figwidth() <= LARGEST_FIGURE
    lines = [each for each in drawn(plot) if each.text.strip()]
    assert lines
    for line in lines:
        assert line.size >= SMALLEST, line
        assert line.box.x0 >= 0, line
        assert line.box.y0 >= 0, line
        assert line.box.x1 <= figure.bbox.width, line
        assert line.box.y1 <= figure.bbox.height, line
    for one, other in combinations(lines, 2):
        assert not _overlap(one.box, other.box), (one, other)
    for legend in figure.legends:
        frame = legend.get_window_extent()
        assert not any(_overlap(frame, axes.get_window_extent()) for axes in figure.axes)


def _overlap(one: Bbox, other: Bbox) -> bool:
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    along = min(one.y1, other.y1) - max(one.y0, other.y0)
    return bool(across > TOUCHING and along > TOUCHING)


@dataclass(frozen=True)
class Curve:
    """A line of a panel."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    look: tuple[object, object]


def curve(plot: Plot, panel: int, position: int) -> Curve:
    """A line of a panel, in the order of drawing."""
    line = plot.figure.axes[panel].lines[position]
    x, y = (np.asarray(data, np.float64) for data in (line.get_xdata(), line.get_ydata()))
    return Curve(x, y, (line.get_color(), line.get_linestyle()))


def corners(path: Path) -> NDArray[np.float64]:
    """The points of a path, (n, 2)."""
    return np.asarray(path.vertices, np.float64)
