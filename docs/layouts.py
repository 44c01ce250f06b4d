"""How a picture that is no graph is put together: boxes, listings, drawings in a row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape

import graphviz

import chainrule as cr
from chainrule.drawing.text_width import MONOSPACE, SANS, fixed_width, text_width

BLUE, ORANGE, GREEN, YELLOW, GREY = "#DCEBF7", "#FCE3CC", "#D5EFE6", "#FFF6C9", "#F0F0F0"


def svg(width: float, height: float, content: Iterable[str]) -> str:
    size = f'width="{width:.0f}pt" height="{height:.0f}pt" viewBox="0 0 {width:.0f} {height:.0f}"'
    paper = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join(
        [f'<svg {size} xmlns="http://www.w3.org/2000/svg">', paper, *content, "</svg>"]
    )


def label(
    x: float, y: float, text: str, *, size: int = 11, fonts: str = SANS, more: str = ""
) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" font-family="{fonts}" font-size="{size}"'
    length = fixed_width(text_width(text, size, fonts)) if text.strip() else ""
    return f'<text {place} xml:space="preserve" {length} {more}>{escape(text)}</text>'


def beside(*drawings: str) -> str:
    """Drawings in a row, each with names of its own inside."""
    left, tallest, parts = 0.0, 0.0, []
    for position, drawing in enumerate(drawings):
        width, height = map(float, re.findall(r'(?:width|height)="(\d+)pt"', drawing)[:2])
        own = re.sub(r'\bid="', f'id="part{position}_', drawing)
        parts.append(own.replace("<svg ", f'<svg x="{left}" y="0" ', 1).replace("pt", "", 2))
        left, tallest = left + width + 24, max(tallest, height)
    return svg(left - 24, tallest, parts)


def listing(lines: Sequence[str], fills: Mapping[int, str] | None = None) -> str:
    """Lines of text as they stand, some on a coloured ground."""
    width = 6.62 * max(len(line) for line in lines) + 24
    content = [
        f'<rect x="4" y="{8 + 15 * row}" width="{width - 8:.0f}" height="15" fill="{fill}"/>'
        for row, fill in (fills or {}).items()
    ]
    content += [label(12, 19 + 15 * row, line, fonts=MONOSPACE) for row, line in enumerate(lines)]
    return svg(width, 15 * len(lines) + 16, content)


Boxes = Mapping[str, tuple[str, str]]  # by name: colour and text
Arrows = Iterable[tuple[str, str, str]]  # from, to, and what is written beside it


def boxes(nodes: Boxes, arrows: Arrows, direction: str = "TB", title: str = "") -> str:
    """Boxes of text, flush left, with arrows between them."""
    grey, font = {"color": "#6B6B6B"}, {"fontname": "Helvetica"}
    ports = {"tailport": "e", "headport": "w"} if direction == "LR" else {}
    heading = {"label": title, "labelloc": "t"}
    drawn = graphviz.Digraph(
        graph_attr={"rankdir": direction, "ranksep": "0.35"} | heading | font,
        node_attr={"shape": "box", "style": "filled,rounded", "fontsize": "11"} | grey | font,
        edge_attr={"fontsize": "10", "arrowsize": "0.7"} | grey | font | ports,
    )
    for name, (fill, text) in nodes.items():
        lines = [graphviz.escape(line.replace("&", "&amp;")) for line in text.splitlines()]
        content = "".join(f"{line}\\l" for line in lines) if len(lines) > 1 else lines[0]
        drawn.node(name, label=content, fillcolor=fill)
    for start, end, text in arrows:
        drawn.edge(start, end, label=f" {text}")
    return cr.Drawing(drawn.source).svg()
