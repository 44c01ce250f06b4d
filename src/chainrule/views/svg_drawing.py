"""Pictures that are written as SVG text, without a layout program."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from chainc.dataclass import dataclass
from chainrule.declare.calls import answers_calls
from chainrule.drawing.rendering import save_svg
from chainrule.drawing.text_width import SANS, fixed_width, text_width

LETTER = 6.2  # width of a letter of size 11

# What XML 1.0 cannot hold: control characters and lone surrogates.
_NOT_PRINTABLE = re.compile("[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@answers_calls
@dataclass(frozen=True)
class SvgDrawing:
    """A picture as a value; a notebook shows it."""

    text: str

    def svg(self) -> str:
        """The picture as one `<svg>` element without scripts, links and images."""
        return self.text

    def save(self, path: str | Path) -> Path:
        """Write the picture to a file that ends in `.svg`.

        Raises:
            RenderingError: another suffix, or a folder that cannot be written.
        """
        return save_svg(self.text, path)

    def _repr_svg_(self) -> str:
        return self.text


def document(width: float, height: float, parts: Iterable[str]) -> SvgDrawing:
    """A picture of that size on white."""
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    font = f'font-family="{SANS}" font-size="11"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>'
    paper = f'<polygon points="0,0 {width},0 {width},{height} 0,{height}" fill="white"/>'
    return SvgDrawing("\n".join([head, paper, *parts, "</svg>\n"]))


def polyline(points: Sequence[tuple[float, float]], colour: str) -> str:
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{text}" stroke="{colour}" fill="none"/>'


def text_at(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 11, turn: str = ""
) -> str:
    more = f' transform="{turn}"' if turn else ""
    more += f" {fixed_width(text_width(text, size))}" if text.strip() else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
    return f"<text {place}{more}>{escaped(text)}</text>"


def fitting(label: str, width: float) -> str:
    """The label, its end cut off if it must be; empty if there is no room."""
    letters = int((width - 6) / LETTER)
    if len(label) <= letters:
        return label
    return label[: letters - 1] + "…" if letters >= 4 else ""


def escaped(text: str) -> str:
    return escape(_NOT_PRINTABLE.sub("\ufffd", text))
