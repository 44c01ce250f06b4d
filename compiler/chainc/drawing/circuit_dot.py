"""Wires with their numbers, and ops with small print, in the DOT language.

Graphviz labels have one colour and size each, so a value and a gradient are titles of clusters
without an outline around the wire, and an op's small print is the title of a cluster that looks
like the op.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from chainc.drawing.diagram import Form, Vertex
from chainc.drawing.dot_text import label_text, statement, tooltip_text

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


def gate(vertex: Vertex, name: str, colours: tuple[str, str], style: str) -> Iterator[str]:
    """The op's sign as a node, in a cluster with the small print as its title."""
    told = tooltip_text(vertex.tooltip)
    fill, stroke = colours
    title = {"label": label_text(vertex.below), "labelloc": "b", "labeljust": "c"}
    look = {"style": style, "fillcolor": fill, "color": stroke, "margin": "3", "tooltip": told}
    font = {"fontsize": str(SMALL_PRINT), "fontcolor": "#333333"}
    yield f"subgraph {gate_cluster(name)} {{"
    yield statement("graph", **title, **look, **font)
    width = f"{max(_length(vertex.below, SMALL_PRINT), 0.4):.2f}"
    bare = {"shape": "plaintext", "margin": "0.02,0", "height": "0.2", "width": width}
    yield f"{statement(name, label=label_text(vertex.lines), tooltip=told, **bare)} }}"


def wire(vertex: Vertex, name: str, direction: str, colour: str) -> Iterator[str]:
    """A thin bar, as long as the texts beside it."""
    told = {"label": "", "tooltip": tooltip_text(vertex.tooltip)}
    look = {"shape": "box", "style": "filled", "color": colour, "fillcolor": colour}
    sides = {"fixedsize": "true", **_sides(vertex, direction)}
    bar = statement(name, **told, **look, **sides)
    return _above_and_below(vertex, name, bar) if direction == "LR" else _beside(vertex, name, bar)


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


def _above_and_below(vertex: Vertex, name: str, bar: str) -> Iterator[str]:
    """The value and the gradient as titles of two clusters around the wire."""
    told = tooltip_text(vertex.tooltip)
    for lines, colour, place in ((vertex.above, VALUE, "t"), (vertex.below, GRADIENT, "b")):
        yield f"subgraph cluster_{name}{place} {{"
        look = {"fontcolor": colour, "fontsize": str(NUMBERS), "peripheries": "0", "margin": "1"}
        title = {"label": label_text(lines), "labelloc": place, "labeljust": "c", "tooltip": told}
        yield statement("graph", **title, **look)
    yield f"{bar} }} }}"


def _beside(vertex: Vertex, name: str, bar: str) -> Iterator[str]:
    """The value and the gradient as neighbours, where edges come from above and leave below."""
    row = [name]
    yield f"subgraph cluster_{name} {{"
    yield statement("graph", label="", peripheries="0", margin="0")
    yield bar
    size = {"margin": "0.04,0", "width": "0", "height": "0.2", "fontsize": str(NUMBERS)}
    plain = {"shape": "plaintext", "tooltip": tooltip_text(vertex.tooltip), **size}
    if vertex.above:
        row.insert(0, f"{name}t")
        yield statement(row[0], label=label_text(vertex.above), fontcolor=VALUE, **plain)
    if vertex.below:
        row.append(f"{name}b")
        yield statement(row[-1], label=label_text(vertex.below), fontcolor=GRADIENT, **plain)
    yield f"{{ rank=same {statement(' -> '.join(row), style='invis', weight='100')} }} }}"
