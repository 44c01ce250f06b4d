"""Wires with their numbers, and ops with small print, in the DOT language.

Graphviz labels have one colour and size each, so a value and a gradient are titles of clusters
without an outline around the wire, and an op's small print is the title of a cluster that looks
like the op.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphviz import Digraph

from chainc.drawing.diagram import Form, Lines, Vertex
from chainc.drawing.dot_text import in_a_row, label_text, tooltip_text

VALUE, GRADIENT = "#1B6E30", "#B3261E"
NUMBERS, SMALL_PRINT = 11, 9  # sizes of text in points
THIN = "0.001"  # inches, to which Graphviz adds the width of the outline
BRANCH = 0.2  # inches, of a wire without texts

# Where edges leave and enter a wire.
PORTS: Mapping[str, tuple[str, str]] = {"LR": ("e", "w"), "TB": ("s", "n")}

# A label above the end of a wire: which operand of a gate it is.
AT_WIRE: Mapping[str, str] = {
    "labelfontsize": "9",
    "labelfontcolor": "#444444",
    "labeldistance": "0.9",
    "labelangle": "50",
}


def is_gate(vertex: Vertex) -> bool:
    """Is it an op with its local derivatives in small print?"""
    return vertex.form is not Form.WIRE and bool(vertex.below)


def gate_cluster(name: str) -> str:
    """What edges to and from a gate are clipped at."""
    return f"cluster_{name}"


def draw_gate(
    drawn: Digraph, vertex: Vertex, name: str, colours: tuple[str, str], style: str
) -> None:
    """The op's sign as a node, in a cluster with the small print as its title."""
    told = tooltip_text(vertex.tooltip)
    fill, stroke = colours
    title = {"label": label_text(vertex.below), "labelloc": "b", "labeljust": "c"}
    look = {"style": style, "fillcolor": fill, "color": stroke, "margin": "3", "tooltip": told}
    font = {"fontsize": str(SMALL_PRINT), "fontcolor": "#333333"}
    width = f"{max(_length(vertex.below, SMALL_PRINT), 0.4):.2f}"
    bare = {"shape": "plaintext", "margin": "0.02,0", "height": "0.2", "width": width}
    with drawn.subgraph(name=gate_cluster(name)) as cluster:
        cluster.attr("graph", **title, **look, **font)
        cluster.node(name, label=label_text(vertex.lines), tooltip=told, **bare)


def draw_wire(drawn: Digraph, vertex: Vertex, name: str, direction: str, colour: str) -> None:
    """A thin bar, as long as the texts beside it."""
    told = {"label": "", "tooltip": tooltip_text(vertex.tooltip)}
    look = {"shape": "box", "style": "filled", "color": colour, "fillcolor": colour}
    bar = {**told, **look, "fixedsize": "true", **_sides(vertex, direction)}
    beside = _above_and_below if direction == "LR" else _left_and_right
    beside(drawn, vertex, name, bar)


def _sides(vertex: Vertex, direction: str) -> Mapping[str, str]:
    if direction == "LR":
        texts = (*vertex.above, *vertex.below)
        length = max(_length(texts, NUMBERS), 0.35) if texts else BRANCH
        return {"width": f"{length:.2f}", "height": THIN}
    rows = max(len(vertex.above), len(vertex.below), 2)
    return {"width": THIN, "height": f"{1.2 * rows * NUMBERS / 72:.2f}"}


def _length(lines: Iterable[str], size: int) -> float:
    """Of the longest line in inches, about."""
    return (0.56 * max(map(len, lines)) + 0.5) * size / 72


def _above_and_below(drawn: Digraph, vertex: Vertex, name: str, bar: Mapping[str, str]) -> None:
    """The value and the gradient as titles of two clusters around the wire."""
    with drawn.subgraph(name=f"cluster_{name}t") as outer:
        outer.attr("graph", **_title(vertex, vertex.above, VALUE, "t"))
        with outer.subgraph(name=f"cluster_{name}b") as inner:
            inner.attr("graph", **_title(vertex, vertex.below, GRADIENT, "b"))
            inner.node(name, **bar)


def _title(vertex: Vertex, lines: Lines, colour: str, side: str) -> Mapping[str, str]:
    look = {"fontcolor": colour, "fontsize": str(NUMBERS), "peripheries": "0", "margin": "1"}
    title = {"label": label_text(lines), "labelloc": side, "labeljust": "c"}
    return {**title, "tooltip": tooltip_text(vertex.tooltip), **look}


def _left_and_right(drawn: Digraph, vertex: Vertex, name: str, bar: Mapping[str, str]) -> None:
    """The value and the gradient as neighbours, where edges come from above and leave below."""
    row = [name]
    size = {"margin": "0.04,0", "width": "0", "height": "0.2", "fontsize": str(NUMBERS)}
    plain = {"shape": "plaintext", "tooltip": tooltip_text(vertex.tooltip), **size}
    with drawn.subgraph(name=f"cluster_{name}") as cluster:
        cluster.attr("graph", label="", peripheries="0", margin="0")
        cluster.node(name, **bar)
        if vertex.above:
            row.insert(0, f"{name}t")
            cluster.node(row[0], label=label_text(vertex.above), fontcolor=VALUE, **plain)
        if vertex.below:
            row.append(f"{name}b")
            cluster.node(row[-1], label=label_text(vertex.below), fontcolor=GRADIENT, **plain)
        in_a_row(cluster, row, weight="100")
