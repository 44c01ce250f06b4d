"""Labels in front of edges: Graphviz draws edges across the titles of boxes and earlier labels.

The labels of edges and the titles of boxes come last in the picture, each with a white rim, as on
a map. Titles inside coloured boxes stay where they are, and so do the labels of nodes.
"""

from __future__ import annotations

import re

RIM = 'stroke="white" stroke-width="2" stroke-linejoin="round" paint-order="stroke"'

_GROUP = re.compile(r'<g id="[^"]*" class="(?P<kind>node|edge|cluster)">')
_SHAPE = re.compile(r'<(?:path|polygon|ellipse) fill="(?P<fill>[^"]*)"')
_END = "</g>\n</svg>"


def labels_in_front(svg: str) -> str:
    """A picture as Graphviz writes it, a line an element, in another order."""
    kept: list[str] = []
    titles: list[str] = []
    labels: list[str] = []
    kind = fill = ""
    for line in svg.split("\n"):
        group, shape = _GROUP.match(line), _SHAPE.match(line)
        if group:
            kind, fill = group["kind"], ""
        elif shape:
            fill = shape["fill"]
        if not line.startswith("<text "):
            kept.append(line)
        elif kind == "edge":
            labels.append(line)
        elif kind == "cluster" and fill == "none":
            titles.append(line)
        else:
            kept.append(line)
    body, end, rest = "\n".join(kept).rpartition(_END)
    in_front = [*_together("titles", titles), *_together("edge-labels", labels)]
    return body + "\n".join([*in_front, end]) + rest if end else svg


def _together(name: str, texts: list[str]) -> list[str]:
    return [f'<g class="{name}" {RIM}>', *texts, "</g>"] if texts else []
