"""A plot as a value: SVG, PNG, a file, and what a notebook shows."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from chainc.dataclass import dataclass
from chainrule.declare.arguments import path_of
from chainrule.drawing.rendering import RenderingError, write_picture
from chainrule.plots.paper.inert_svg import inert
from chainrule.plots.paper.style import printable, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 150  # of a PNG


@dataclass(frozen=True, eq=False)
class Plot:
    """A picture of numbers; a notebook shows it.

    Attributes:
        figure: matplotlib's own object, to read or to change; pyplot does not know it.
        title: what it shows, also for readers who cannot see it.
    """

    figure: Figure
    title: str

    def svg(self) -> str:
        """One inert `<svg>` element; its texts are text, in DejaVu Sans where that is there."""
        with styled(), _whatever_fonts_hold():
            file = io.StringIO()
            self.figure.savefig(file, format="svg", metadata={"Date": None})
            return inert(file.getvalue(), printable(self.title))

    def png(self) -> bytes:
        """The picture as pixels, 150 an inch."""
        with styled():
            file = io.BytesIO()
            self.figure.savefig(file, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
        return file.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write the picture, whole or not at all.

        Args:
            path: ends in `.svg` or `.png`.

        Raises:
            RenderingError: another suffix, or a file that cannot be written.
        """
        target = path_of("save", path)
        suffix = target.suffix.lower()
        if suffix not in (".svg", ".png"):
            raise RenderingError(
                f"cannot save a plot as {target.name!r}: unknown suffix {suffix!r}",
                hint="choose one of .svg, .png",
            )
        write_picture(target, self.svg().encode() if suffix == ".svg" else self.png())
        return target

    def _repr_svg_(self) -> str:
        return self.svg()


@contextmanager
def paper(title: str, width: float, height: float) -> Iterator[Figure]:
    """An empty figure, in inches, to draw on inside; afterwards every part has its place.

    The places are found once: finding them again could move them by a hair, and the bytes of a
    picture would depend on what was asked of it before.
    """
    with styled():
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine

        layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
        figure = Figure(figsize=(width, height), layout=layout)
        figure.suptitle(title)
        yield figure
        with _whatever_fonts_hold():
            layout.execute(figure)  # all that a drawing would do for them, and nothing is drawn
        figure.set_layout_engine("none")


@contextmanager
def _whatever_fonts_hold() -> Iterator[None]:
    """Text stays text in SVG, so that a letter missing here is the reader's font's concern."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield
