"""Circuits: the edges of a picture become wires, each with its value above and gradient below.

A value with several readers leaves on one wire, the trunk, and reaches each reader on a branch:
the trunk's gradient is the sum of what the branches bring back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from chainc.dataclass import dataclass
from chainc.drawing.diagram import Course, Diagram, Edge, Form, Lines, Reads, Vertex
from chainc.drawing.node_roles import Kind
from chainc.formulas import notation
from chainc.ir import Node


def _nothing(_: Reads) -> Lines:
    return ()


@dataclass(frozen=True)
class Wire:
    """The texts at the wire that carries a node's value.

    Attributes:
        above: its value.
        below: its gradient.
        contribution: what some readers, each with the operand position, add to the gradient.
    """

    above: Lines = ()
    below: Lines = ()
    contribution: Callable[[Reads], Lines] = _nothing


def with_wires(picture: Diagram, wires: Mapping[Node, Wire]) -> Diagram:
    """The picture with a wire for every edge that carries one value whose texts are known."""
    groups: dict[tuple[Vertex, Node], list[Edge]] = {}
    edges: list[Edge] = []
    for edge in picture.edges:
        if edge.value in wires and edge.value is not None:
            groups.setdefault((edge.source, edge.value), []).append(edge)
        else:
            edges.append(edge)
    for (_, node), group in groups.items():
        edges += _wired(node, wires[node], group)
    joints = dict.fromkeys(v for edge in edges for v in (edge.source, edge.target))
    added = [vertex for vertex in joints if vertex.form is Form.WIRE]
    return Diagram((*picture.vertices, *added), tuple(edges), picture.note)


def _wired(node: Node, wire: Wire, group: Sequence[Edge]) -> Iterator[Edge]:
    source = group[0].source
    name = f"wire of {source.tooltip}"
    kind = Kind.GRADIENT if not wire.above else Kind.FORWARD
    trunk = Vertex(kind, Form.WIRE, (), name, source.path, wire.above, wire.below)
    yield Edge(source, trunk, _own_course(group), str(node.type))
    for edge in group:
        start = trunk
        below, role = wire.contribution(edge.reads), _role(edge)
        if len(group) > 1 and (below or (role and edge.target.below)):
            start = Vertex(kind, Form.WIRE, (), f"branch of {name}", edge.target.path, below=below)
            yield Edge(trunk, start, edge.course, edge.tooltip)
        yield Edge(start, edge.target, edge.course, edge.tooltip, role)


def _own_course(group: Sequence[Edge]) -> Course:
    """Which way the trunk runs: as the value's own pass does."""
    passes = (Course.FORWARD, Course.BACKWARD, Course.FORWARD_AGAIN)
    runs_back = group[0].source.kind in (Kind.GRADIENT, Kind.FAN_OUT_SUM, Kind.UPDATE)
    otherwise = Course.BACKWARD if runs_back else Course.FORWARD
    return next((edge.course for edge in group if edge.course in passes), otherwise)


def _role(edge: Edge) -> str:
    """Which operand it is, if the reader's label or small print may speak of several."""
    if len(edge.reads) != 1 or edge.target.form is not Form.OP:
        return ""
    (reader, position) = edge.reads[0]
    flowing = [operand for operand in reader.inputs if notation.literal(operand) is None]
    if edge.target.kind is Kind.FAN_OUT_SUM or len(flowing) < 2:
        return ""
    speaks = bool(edge.target.below) or not reader.op.commutative
    return notation.role(reader.op, position) if speaks else ""
