"""How every plot looks: letters for a projector, colours for colour-blind readers, light paper."""

from __future__ import annotations

import importlib
import math
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from chainrule.drawing.rendering import RenderingError
from chainrule.writing.array_text import number_text

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axis import Axis
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

LONGEST_LABEL = 40  # characters
LETTER = 0.09  # inches, a wide one of a legend
HANDLE = 0.75  # inches: what stands before a legend's text, and the gap after it

INK, GREY, PALE_GREY = "#222222", "#6B6B6B", "#E4E4E4"
# Okabe and Ito's palette for colour-blind readers (2008), its yellow darkened for white paper.
BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#00795A"
PURPLE, SKY, ORANGE, OLIVE = "#A8487C", "#56B4E9", "#E69F00", "#8C7300"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, OLIVE, INK)
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

# On top of matplotlib's own defaults, whatever its configuration files say.
SETTINGS: Mapping[RcKeyType, object] = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": 13,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 13,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
    "font.size": 12,
    "figure.titlesize": 17,
    "grid.color": PALE_GREY,
    "legend.fontsize": 12,
    "legend.frameon": False,
    "lines.linewidth": 2.2,
    "lines.markersize": 5,
    "svg.fonttype": "none",
    "svg.hashsalt": "chainrule",
    "text.color": INK,
    "text.parse_math": False,  # "$x$" in a name is a name
    "xtick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.color": GREY,
    "ytick.labelcolor": INK,
}

# What XML 1.0 cannot hold: control characters and lone surrogates; a line ends a label, too.
_NOT_PRINTABLE = re.compile("[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SETTINGS_LOCK = threading.RLock()  # matplotlib's settings belong to the whole process


def require_matplotlib(function: str) -> None:
    """Say at once what is missing, before anything is computed for a plot.

    Raises:
        RenderingError: matplotlib is not installed.
    """
    try:
        importlib.import_module("matplotlib")
    except ImportError:
        raise RenderingError(
            f"{function}: plots need matplotlib, which is not installed",
            hint="install it with: pip install 'chainrule[plot]'",
        ) from None


@contextmanager
def styled() -> Iterator[None]:
    """Inside, matplotlib has our settings; outside, it keeps those it had."""
    import matplotlib

    with _SETTINGS_LOCK, matplotlib.rc_context():
        defaults = matplotlib.rcParamsDefault
        matplotlib.rcParams.update({key: defaults[key] for key in defaults if key != "backend"})
        matplotlib.rcParams.update(SETTINGS)
        yield


def printable(text: str) -> str:
    """A text that XML can hold, on one line."""
    return _NOT_PRINTABLE.sub("\ufffd", text)


def label(text: str) -> str:
    """A name as one short line."""
    line = printable(text)
    return line if len(line) <= LONGEST_LABEL else line[: LONGEST_LABEL - 1] + "…"


def look(position: int) -> tuple[str, str]:
    """Colour and dashes that tell a line from the others, also without colour."""
    turn = position // len(COLOURS)  # the second time, each colour has other dashes
    return COLOURS[position % len(COLOURS)], DASHES[(position + turn) % len(DASHES)]


def shades() -> Colormap:
    """From white, for least, to a blue on which dark lines are still seen."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("shades", ["#FFFFFF", "#CFE3F3", "#8FBEE0", "#4C93C4"])


def two_sided() -> Colormap:
    """Vermillion below the middle, white in it, blue above: as the lines of a network."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(
        "two sided", ["#7A3600", VERMILLION, "#FFFFFF", BLUE, "#00406B"]
    )


def legend_below(figure: Figure, entries: Sequence[tuple[Artist, str]]) -> None:
    """A legend under all axes, where it covers nothing."""
    labels = [label(text) for _, text in entries]
    # a text that begins with _ would be left out, so the texts are put in afterwards
    legend = figure.legend(
        [artist for artist, _ in entries],
        ["·"] * len(labels),
        loc="outside lower center",
        ncols=_columns(labels, figure.get_figwidth() - 0.4),
    )
    for text, wanted in zip(legend.get_texts(), labels, strict=True):
        text.set_text(wanted)


def _columns(labels: Sequence[str], width: float) -> int:
    """As many as fit into a width, in inches."""
    for columns in range(len(labels), 1, -1):
        longest = [max(map(len, part)) for part in np.array_split(labels, columns)]
        if sum(HANDLE + LETTER * letters for letters in longest) <= width:
            return columns
    return 1


def logarithmic(axis: Axis, low: float, high: float) -> None:
    """Labels such as 0.01, and enough of them where the values span less than two decades."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    decades = math.log10(high / low)
    steps = (1, 2, 3, 4, 5, 6, 8) if decades < 1 else (1, 2, 5) if decades < 2 else (1,)
    axis.set_major_locator(LogLocator(subs=steps, numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value)))
    axis.set_minor_formatter(NullFormatter())
