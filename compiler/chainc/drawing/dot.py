"""Graphs -> DOT text, which Graphviz lays out.

Forward nodes run one way and gradient nodes run back beside them: the edges between gradient
nodes are handed to Graphviz in reverse, with the arrow at the other end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from itertools import count

from graphviz import Digraph

from chainc.dataclass import dataclass
from chainc.drawing import circuit_dot
from chainc.drawing.circuit_dot import draw_gate, draw_wire, gate_cluster, is_gate
from chainc.drawing.detail import Detail, Folded, check_detail
from chainc.drawing.diagram import Course, Diagram, Edge, Form, Lines, Vertex, diagram
from chainc.drawing.dot_text import headed_list, in_a_row, label_text, least_width, tooltip_text
from chainc.drawing.node_roles import Box, Kind, Path
from chainc.drawing.wires import Wire, with_wires
from chainc.ir import Graph, Node
from chainc.ir.errors import InputError

LARGEST_CIRCUIT = 120  # vertices that are drawn with wires

# Fills and strokes, tints of Okabe and Ito's palette for colour-blind readers (2008).
_BLUE = ("#DCEBF7", "#0072B2")
_ORANGE = ("#FCE3CC", "#D55E00")
_GREEN = ("#D5EFE6", "#00795A")
_YELLOW = ("#FFF6C9", "#8C7300")
_PURPLE = ("#F5E1EC", "#A8487C")
_GREY = ("#F0F0F0", "#6B6B6B")
_WHITE = ("#FFFFFF", "#222222")


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
    Kind.CARRY: _Look("cylinder", _PURPLE),
    Kind.CONSTANT: _Look("plaintext", _WHITE, "", height="0.2"),
    Kind.FORWARD: _Look("box", _BLUE, "filled,rounded"),
    Kind.GRADIENT: _Round("octagon", _ORANGE),
    Kind.FAN_OUT_SUM: _Look("circle", _ORANGE, "filled,bold", "0"),
    Kind.UPDATE: _Look("box", _PURPLE),
    Kind.OUTPUT: _Look("box", _WHITE, "filled,bold"),
}

_FORMS: Mapping[Form, Mapping[str, str]] = {
    Form.OP: {},
    Form.KERNEL: {"penwidth": "2.2"},
    Form.LAYER: {"peripheries": "2"},
    Form.STRETCH: {"peripheries": "3"},
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


def to_dot(
    graph: Graph,
    *,
    title: str | None = None,
    wires: Mapping[Node, Wire] | None = None,
    small_print: Mapping[Node, Lines] | None = None,
    detail: Detail | None = None,
    fold: Folded = (),
    direction: str | None = None,
) -> str:
    """The graph's picture in the DOT language; equal graphs give equal text.

    Args:
        graph: the graph to draw.
        title: a line above the picture.
        wires: the texts of the values that are drawn as wires: value above and gradient below,
            or left and right of a wire in a picture from top to bottom.
        small_print: lines below the signs of ops.
        detail: "layers" closes the innermost layers, "ops" shows every op, "kernels" does so of a
            graph whose ops are fused; by default as few layers are closed as keep the picture
            small, and all of them, with a box of the optimizer's for each, in a training step.
        fold: scopes to close as well, each by its name or path, such as "encoder/layer1".
        direction: "TB" for top to bottom or "LR" for left to right; by default "LR" for a graph
            with wires, else "TB".

    Raises:
        InputError: another direction or detail, a scope that the graph has not, or too many wires.
    """
    _check(detail, direction)
    picture = diagram(graph, detail, fold, small_print, loops=not wires)
    if wires and len(picture.vertices) > LARGEST_CIRCUIT and detail is None:
        picture = diagram(graph, "layers", fold, small_print, loops=False)
    if wires:
        _require_readable(picture)
        picture = with_wires(picture, wires)
    return Printer(picture, direction or ("LR" if wires else "TB"), bool(wires)).dot(title)


def _require_readable(circuit: Diagram) -> None:
    if len(circuit.vertices) > LARGEST_CIRCUIT:
        raise InputError(
            f"a circuit of {len(circuit.vertices):,} nodes with their values cannot be read",
            hint='close layers, such as detail="layers" or fold="encoder", draw a part of the '
            "graph, or leave values= out",
        )


def _check(detail: object, direction: object) -> None:
    if direction is not None and not (
        isinstance(direction, str) and direction in circuit_dot.PORTS
    ):
        raise InputError(
            f"a picture cannot run in the direction {direction!r}",
            hint='use direction="TB" (top to bottom) or direction="LR" (left to right)',
        )
    check_detail(detail)


@dataclass(frozen=True)
class Printer:
    """Writes a diagram in the DOT language."""

    picture: Diagram
    direction: str
    annotated: bool
    names: dict[Vertex, str] = field(default_factory=dict)
    clusters: Iterator[int] = field(default_factory=count)

    def dot(self, title: str | None) -> str:
        for number, vertex in enumerate(self.picture.vertices):
            self.names[vertex] = f"{'wire' if vertex.form is Form.WIRE else 'n'}{number}"
        drawn = self._empty()
        heading = [line for line in (title, self.picture.note) if line]
        if heading:
            drawn.attr("graph", label=label_text(heading), labelloc="t", fontsize="13")
        self._inside(drawn, self.picture.vertices, 0)
        for edge in self.picture.edges:
            self._edge(drawn, edge)
        self.close(drawn)
        return str(drawn.source)

    def close(self, drawn: Digraph) -> None:
        """The legend."""
        kinds = {vertex.kind for vertex in self.picture.vertices}
        if Kind.GRADIENT in kinds:
            draw_legend(drawn, _samples(kinds), self.lowest())

    def lowest(self) -> list[str]:
        """What stands at the end: the outputs, and the seeds from which the gradient runs back."""
        targets = {edge.target for edge in self.picture.edges}
        return [
            self.names[vertex]
            for vertex in self.picture.vertices
            if vertex.kind is Kind.OUTPUT
            or (vertex.kind is Kind.GRADIENT and vertex not in targets)
        ]

    def _empty(self) -> Digraph:
        """Without a vertex; how all of them look."""
        font = {"fontname": "Helvetica"}
        gap = "0.12" if self.annotated else "0.3"
        layout = {"rankdir": self.direction, "newrank": "true", "nodesep": gap, "ranksep": "0.35"}
        clipped = {"compound": "true"} if self.annotated else {}
        edge = {"fontsize": "9", "fontcolor": "#444444", "color": "#333333", "arrowsize": "0.7"}
        return Digraph(
            graph_attr={**layout, **clipped, **font},
            node_attr={"fontsize": "12", "fontcolor": "#111111", **font},
            edge_attr={**edge, **font},
        )

    def _inside(self, drawn: Digraph, vertices: Iterable[Vertex], depth: int) -> None:
        """The vertices, those in a box at `depth` in a cluster of their own."""
        groups: dict[Box | None, list[Vertex]] = {}
        for vertex in vertices:
            box = vertex.path[depth] if depth < len(vertex.path) else None
            groups.setdefault(box, []).append(vertex)
        for box, members in groups.items():
            if box is None:
                for vertex in members:
                    self._vertex(drawn, vertex)
                continue
            with drawn.subgraph(name=f"cluster_{next(self.clusters)}") as cluster:
                self.open_box(cluster, members[0].path[: depth + 1], members)
                self._inside(cluster, members, depth + 1)

    def _vertex(self, drawn: Digraph, vertex: Vertex) -> None:
        name, look = self.names[vertex], _LOOKS[vertex.kind]
        if vertex.form is Form.WIRE:
            colour = _ORANGE[1] if vertex.kind is Kind.GRADIENT else "#333333"
            draw_wire(drawn, vertex, name, self.direction, colour)
        elif is_gate(vertex):
            draw_gate(drawn, vertex, name, look.colours, look.style)
        else:
            drawn.node(name, **self._box(vertex))

    def _box(self, vertex: Vertex) -> Mapping[str, str]:
        look = _LOOKS[vertex.kind]
        whole = vertex.form in (Form.STRETCH, Form.LAYER) and look.shape == "cylinder"
        written = headed_list if vertex.form is Form.KERNEL else label_text
        return {
            "label": written(vertex.lines),
            "tooltip": tooltip_text(vertex.tooltip),
            "shape": "box" if whole else look.shape,
            "style": look.style,
            "fillcolor": look.colours[0],
            "color": look.colours[1],
            "margin": look.margin,
            "height": look.height,
            "width": least_width(vertex.lines),
            **_FORMS[vertex.form],
            **self.emphasis(vertex),
        }

    def open_box(self, cluster: Digraph, path: Path, members: Iterable[Vertex]) -> None:
        """How the box at the end of a path looks."""
        cluster.attr("graph", **_box_look(path, members))

    def emphasis(self, vertex: Vertex) -> Mapping[str, str]:
        """Attributes in place of those that vertices of its kind have."""
        return {}

    def _edge(self, drawn: Digraph, edge: Edge) -> None:
        tail, head = edge.source, edge.target
        attributes = {**_COURSES[edge.course], "tooltip": tooltip_text(edge.tooltip)}
        if edge.label and is_gate(head):
            end = "headlabel" if attributes.get("dir") == "back" else "taillabel"
            attributes |= {end: label_text([edge.label]), **circuit_dot.AT_WIRE}
        elif edge.label:
            attributes["label"] = f" {label_text([edge.label])}"  # the space keeps it off the line
        if attributes.get("dir") == "back":
            tail, head = head, tail
        if edge.target.form is Form.WIRE:
            attributes["dir"] = "none"
        leaving, entering = circuit_dot.PORTS[self.direction]
        attributes |= {"tailport": leaving} if tail.form is Form.WIRE else {}
        attributes |= {"headport": entering} if head.form is Form.WIRE else {}
        attributes |= {"ltail": gate_cluster(self.names[tail])} if is_gate(tail) else {}
        attributes |= {"lhead": gate_cluster(self.names[head])} if is_gate(head) else {}
        drawn.edge(self.names[tail], self.names[head], **attributes)


def lower_end(edge: Edge) -> Vertex:
    """Which vertex Graphviz puts below the other: gradients run up."""
    return edge.source if _COURSES[edge.course].get("dir") == "back" else edge.target


def _box_look(path: Path, members: Iterable[Vertex]) -> Mapping[str, str]:
    updates = all(vertex.kind in (Kind.UPDATE, Kind.STATE) for vertex in members)
    kind = Kind.GRADIENT if path[-1].order else Kind.UPDATE if updates else Kind.FORWARD
    stroke = _LOOKS[kind].colours[1]
    return {
        "label": label_text([path[-1].label]),
        "tooltip": tooltip_text(" / ".join(box.label for box in path)),
        "labeljust": "l",
        "margin": "9",
        "style": "rounded",
        "color": stroke,
        "fontcolor": stroke,
        "fontsize": "11",
    }


# What the legend explains, by the shape of its sample.
_EXPLAINED: Mapping[Kind, str] = {
    Kind.FORWARD: "box",
    Kind.GRADIENT: "octagon",
    Kind.FAN_OUT_SUM: "ellipse",
    Kind.UPDATE: "box",
    Kind.PARAMETER: "cylinder",
    Kind.STATE: "cylinder",
    Kind.CARRY: "cylinder",
}


def _samples(kinds: set[Kind]) -> Iterator[Mapping[str, str]]:
    for kind, shape in _EXPLAINED.items():
        if kind in kinds:
            look = _LOOKS[kind]
            fill, stroke = look.colours
            colours = {"fillcolor": fill, "color": stroke}
            small = {"shape": shape, "style": look.style, "margin": "0.06,0.03"}
            yield {"label": kind.value, **colours, **small}


def draw_legend(drawn: Digraph, samples: Iterable[Mapping[str, str]], above: Iterable[str]) -> None:
    """Small samples in a row at the end, where kinds or changes are told apart."""
    names: list[str] = []
    with drawn.subgraph(name="cluster_legend") as legend:
        legend.attr("graph", label="", style="rounded", color="#BBBBBB", margin="6")
        for sample in samples:
            names.append(f"legend{len(names)}")
            legend.node(names[-1], height="0.22", fontsize="9", **sample)
        in_a_row(legend, names)
    for name in above:
        drawn.edge(name, names[0], style="invis", weight="0")
