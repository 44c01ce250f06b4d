"""Graphs -> DOT text, which Graphviz lays out.

Forward nodes run one way and gradient nodes run back beside them: the edges between gradient
nodes are handed to Graphviz in reverse, with the arrow at the other end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from unicodedata import east_asian_width

from chainc.diagram import Course, Diagram, Edge, Form, Vertex, diagram
from chainc.errors import InputError
from chainc.ir import Graph, Node
from chainc.places import Box, Collapse, Kind, Path

LONGEST_LINE = 60  # characters
LONGEST_TOOLTIP = 240

# Fills and strokes, tints of Okabe and Ito's palette for colour-blind readers (2008).
_BLUE = ("#DCEBF7", "#0072B2")
_ORANGE = ("#FCE3CC", "#D55E00")
_GREEN = ("#D5EFE6", "#00795A")
_YELLOW = ("#FFF6C9", "#8C7300")
_PURPLE = ("#F5E1EC", "#A8487C")
_GREY = ("#F0F0F0", "#6B6B6B")
_WHITE = ("#FFFFFF", "#222222")
_VALUE, _GRADIENT = "#1B6E30", "#B3261E"


@dataclass(frozen=True)
class _Look:
    shape: str
    colours: tuple[str, str]
    style: str = "filled"
    margin: str = "0.12,0.05"
    height: str = "0.32"


@dataclass(frozen=True)
class _Round(_Look):
    """Shapes that Graphviz widens around their text by itself, the less the higher they are."""

    margin: str = "0.02,0.02"
    height: str = "0.38"


_LOOKS: Mapping[Kind, _Look] = {
    Kind.INPUT: _Round("ellipse", _GREEN),
    Kind.HYPERPARAMETER: _Round("ellipse", _GREEN, "filled,dashed"),
    Kind.PARAMETER: _Look("cylinder", _YELLOW),
    Kind.STATE: _Look("cylinder", _GREY),
    Kind.CONSTANT: _Look("plaintext", _WHITE, "", height="0.2"),
    Kind.FORWARD: _Look("box", _BLUE, "filled,rounded"),
    Kind.GRADIENT: _Round("octagon", _ORANGE),
    Kind.FAN_OUT_SUM: _Look("circle", _ORANGE, "filled,bold", "0"),
    Kind.UPDATE: _Look("box", _PURPLE),
    Kind.OUTPUT: _Look("box", _WHITE, "filled,bold"),
    Kind.OMITTED: _Look("box", _GREY, "filled,dashed"),
}

_FORMS: Mapping[Form, Mapping[str, str]] = {
    Form.OP: {},
    Form.KERNEL: {"penwidth": "2.2"},
    Form.LAYER: {"peripheries": "2"},
}

_COURSES: Mapping[Course, Mapping[str, str]] = {
    Course.FORWARD: {"weight": "3"},
    Course.BACKWARD: {"dir": "back", "color": _ORANGE[1], "weight": "3"},
    Course.FORWARD_AGAIN: {"color": _ORANGE[1], "weight": "3"},
    Course.ACROSS: {"color": "#9A9A9A", "penwidth": "0.8"},
    Course.TURN: {"color": "#9A9A9A", "style": "dotted", "arrowhead": "none", "weight": "3"},
    Course.UPDATE: {"dir": "back", "color": _PURPLE[1], "style": "dashed", "weight": "0"},
    Course.RETURN: {"color": _PURPLE[1], "style": "dashed", "constraint": "false"},
}

# Where edges leave and enter, so that they miss the values and gradients on the other sides.
_PORTS: Mapping[str, Mapping[str, str]] = {
    "LR": {"tailport": "e", "headport": "w"},
    "TB": {"tailport": "s", "headport": "n"},
}


def to_dot(
    graph: Graph,
    *,
    title: str | None = None,
    values: Mapping[Node, str] | None = None,
    gradients: Mapping[Node, str] | None = None,
    collapse: Collapse = None,
    direction: str | None = None,
) -> str:
    """The graph's picture in the DOT language; equal graphs give equal text.

    Args:
        graph: the graph to draw.
        title: a line above the picture.
        values: texts to print above nodes, or to their left in a picture from top to bottom.
        gradients: texts to print below nodes, or to their right.
        collapse: which layers are closed boxes: False for none, True for the innermost ones, a
            number for all at that depth; by default as few as keep the picture small.
        direction: "TB" for top to bottom or "LR" for left to right; by default "LR" for a graph
            with values or gradients, else "TB".

    Raises:
        InputError: another direction, or a depth below 1.
    """
    _check(collapse, direction)
    annotated = bool(values or gradients)
    picture = diagram(graph, collapse, values, gradients)
    printer = _Printer(picture, direction or ("LR" if annotated else "TB"), annotated)
    return "\n".join(printer.lines(title)) + "\n"


def _check(collapse: Collapse, direction: str | None) -> None:
    if direction is not None and direction not in _PORTS:
        raise InputError(
            f"a picture cannot run in the direction {direction!r}",
            hint='use direction="TB" (top to bottom) or direction="LR" (left to right)',
        )
    depth: object = collapse
    if isinstance(depth, bool) or depth is None:
        return
    if not isinstance(depth, int) or depth < 1:
        raise InputError(
            f"layers cannot be closed at depth {depth!r}",
            hint="use collapse=1 for the outermost layers, or collapse=False to close none",
        )


@dataclass(frozen=True)
class _Printer:
    picture: Diagram
    direction: str
    annotated: bool
    names: dict[Vertex, str] = field(default_factory=dict)
    clusters: Iterator[int] = field(default_factory=count)

    def lines(self, title: str | None) -> Iterator[str]:
        self.names.update((v, f"n{number}") for number, v in enumerate(self.picture.vertices))
        yield "digraph {"
        yield from self._defaults()
        heading = [line for line in (title, self.picture.note) if line]
        if heading:
            yield _statement("graph", label=_text(heading), labelloc="t", fontsize="13")
        yield from self._inside(self.picture.vertices, 0)
        for edge in self.picture.edges:
            yield self._edge(edge)
        yield from _legend({vertex.kind for vertex in self.picture.vertices}, self._lowest())
        yield "}"

    def _lowest(self) -> list[str]:
        """What stands at the end: the outputs, and the seeds from which the gradient runs back."""
        targets = {edge.target for edge in self.picture.edges}
        return [
            self.names[vertex]
            for vertex in self.picture.vertices
            if vertex.kind is Kind.OUTPUT
            or (vertex.kind is Kind.GRADIENT and vertex not in targets)
        ]

    def _defaults(self) -> Iterator[str]:
        font = {"fontname": "Helvetica"}
        gap = "0.12" if self.annotated else "0.3"
        layout = {"rankdir": self.direction, "newrank": "true", "nodesep": gap, "ranksep": "0.35"}
        yield _statement("graph", **layout, **font)
        yield _statement("node", fontsize="12", fontcolor="#111111", **font)
        edge = {"fontsize": "9", "fontcolor": "#444444", "color": "#333333", "arrowsize": "0.7"}
        yield _statement("edge", **edge, **font)

    def _inside(self, vertices: Iterable[Vertex], depth: int) -> Iterator[str]:
        """The statements of the vertices, those in a box at `depth` wrapped in a cluster."""
        groups: dict[Box | None, list[Vertex]] = {}
        for vertex in vertices:
            box = vertex.path[depth] if depth < len(vertex.path) else None
            groups.setdefault(box, []).append(vertex)
        for box, members in groups.items():
            if box is None:
                for vertex in members:
                    yield from self._vertex(vertex)
                continue
            yield f"subgraph cluster_{next(self.clusters)} {{"
            yield _cluster(members[0].path[: depth + 1], members)
            yield from self._inside(members, depth + 1)
            yield "}"

    def _vertex(self, vertex: Vertex) -> Iterator[str]:
        name, look = self.names[vertex], _LOOKS[vertex.kind]
        statement = _statement(
            name,
            label=_list(vertex.lines) if vertex.form is Form.KERNEL else _text(vertex.lines),
            tooltip=_tooltip(vertex.tooltip),
            shape=look.shape,
            style=look.style,
            fillcolor=look.colours[0],
            color=look.colours[1],
            margin=look.margin,
            height=look.height,
            width=_width(vertex.lines),
            **_FORMS[vertex.form],
        )
        if vertex.value is None and vertex.gradient is None:
            yield statement
        elif self.direction == "LR":
            yield from _above_and_below(vertex, name, statement)
        else:
            yield from _left_and_right(vertex, name, statement)

    def _edge(self, edge: Edge) -> str:
        source, target = self.names[edge.source], self.names[edge.target]
        attributes = {**_COURSES[edge.course], "tooltip": _tooltip(edge.tooltip)}
        if edge.label:
            attributes["label"] = f" {_text([edge.label])}"  # the space keeps it off the line
        if self.annotated:
            attributes |= _PORTS[self.direction]
        if attributes.get("dir") == "back":
            source, target = target, source
        return _statement(f"{source} -> {target}", **attributes)


def _cluster(path: Path, members: Iterable[Vertex]) -> str:
    updates = all(vertex.kind in (Kind.UPDATE, Kind.STATE) for vertex in members)
    kind = Kind.GRADIENT if path[-1].order else Kind.UPDATE if updates else Kind.FORWARD
    stroke = _LOOKS[kind].colours[1]
    look = {"style": "rounded", "color": stroke, "fontcolor": stroke, "fontsize": "11"}
    name, tooltip = _text([path[-1].label]), _tooltip(" / ".join(box.label for box in path))
    return _statement("graph", label=name, tooltip=tooltip, labeljust="l", margin="9", **look)


def _above_and_below(vertex: Vertex, name: str, statement: str) -> Iterator[str]:
    """The value and the gradient as titles of two boxes without an outline."""
    for text, colour, place in ((vertex.value, _VALUE, "t"), (vertex.gradient, _GRADIENT, "b")):
        yield f"subgraph cluster_{name}{place} {{"
        look = {"fontcolor": colour, "fontsize": "11", "peripheries": "0", "margin": "1"}
        yield _statement("graph", label=_text([text or ""]), labelloc=place, labeljust="c", **look)
    yield f"{statement} }} }}"


def _left_and_right(vertex: Vertex, name: str, statement: str) -> Iterator[str]:
    """The value and the gradient as neighbours, where edges come from above and leave below."""
    row = [name]
    yield f"subgraph cluster_{name} {{"
    yield _statement("graph", label="", peripheries="0", margin="0")
    yield statement
    plain = {"shape": "plaintext", "margin": "0", "width": "0", "height": "0.2", "fontsize": "11"}
    if vertex.value is not None:
        row.insert(0, f"{name}_value")
        yield _statement(row[0], label=_text([vertex.value]), fontcolor=_VALUE, **plain)
    if vertex.gradient is not None:
        row.append(f"{name}_gradient")
        yield _statement(row[-1], label=_text([vertex.gradient]), fontcolor=_GRADIENT, **plain)
    yield f"{{ rank=same {_statement(' -> '.join(row), style='invis', weight='100')} }} }}"


# What the legend explains, by the shape of its sample.
_EXPLAINED: Mapping[Kind, str] = {
    Kind.FORWARD: "box",
    Kind.GRADIENT: "octagon",
    Kind.FAN_OUT_SUM: "ellipse",
    Kind.UPDATE: "box",
    Kind.PARAMETER: "cylinder",
    Kind.STATE: "cylinder",
}


def _legend(kinds: set[Kind], above: Iterable[str]) -> Iterator[str]:
    """Small samples in a row at the end, where forward and gradient nodes are told apart."""
    if Kind.GRADIENT not in kinds:
        return
    yield "subgraph cluster_legend {"
    yield _statement("graph", label="", style="rounded", color="#BBBBBB", margin="6")
    small = {"margin": "0.06,0.03", "height": "0.22", "fontsize": "9"}
    names: list[str] = []
    for kind, shape in _EXPLAINED.items():
        if kind in kinds:
            names.append(f"legend{len(names)}")
            fill, stroke = _LOOKS[kind].colours
            look = {"shape": shape, "style": _LOOKS[kind].style, "fillcolor": fill, "color": stroke}
            yield _statement(names[-1], label=kind.value, **look, **small)
    yield f"{{ rank=same; {'; '.join(names)} }}"
    yield _statement(" -> ".join(names), style="invis")
    yield "}"
    for name in above:
        yield _statement(f"{name} -> {names[0]}", style="invis", weight="0")


def _statement(subject: str, **attributes: str) -> str:
    if not attributes:
        return subject
    pairs = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    return f"{subject} [{pairs}]"


def _text(lines: Iterable[str]) -> str:
    return "\\n".join(_escaped(line, LONGEST_LINE) for line in lines)


def _tooltip(text: str) -> str:
    """As `_text`; Graphviz takes the escapes out of a tooltip twice."""
    return _escaped(text, LONGEST_TOOLTIP).replace("\\\\", "\\\\\\\\")


def _list(lines: Sequence[str]) -> str:
    """A heading in the middle, the entries below it flush left."""
    return _text(lines[:1]) + "\\n" + "".join(f"{_text([line])}\\l" for line in lines[1:])


def _width(lines: Iterable[str]) -> str:
    """The least width in inches; Graphviz takes Chinese and its like for narrower than they are."""
    widest = max(sum(east_asian_width(sign) in "WF" for sign in line) for line in lines)
    return f"{max(0.4, 0.1 + 0.18 * widest):.2g}"


_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def _escaped(text: str, longest: int) -> str:
    """Plain text inside a DOT string: nothing in it is an escape, an entity or markup."""
    plain = _UNPRINTABLE.sub(" ", text)
    cut = plain if len(plain) <= longest else f"{plain[: longest - 1]}…"
    return cut.replace("\\", "\\\\").replace("&", "&amp;").replace('"', '\\"')
