"""What a picture of a graph shows: vertices, edges and nested boxes, before any layout.

A vertex stands for one node, for a closed layer, or for a stretch of a huge graph. Scalar
constants are written into the op that uses them, and the chain of additions at one fan-out
becomes one sum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from enum import Enum
from functools import cached_property

from chainc.dataclass import dataclass
from chainc.drawing.detail import Detail, Folded, keys_of
from chainc.drawing.loops import opened
from chainc.drawing.node_roles import (
    Box,
    Drawn,
    Kind,
    LoopScope,
    NodeRoles,
    Path,
    differentiations,
    is_seed,
    parts_of,
)
from chainc.drawing.stretches import Key, Keys, LoopResults, Stretch, is_same
from chainc.formulas import notation
from chainc.ir import Graph, Node
from chainc.ir.leaves import Input, Leaf, Slot
from chainc.ops.formula import is_recomputed

MARKED_TOGETHER = 3  # outputs that one marker names

Lines = tuple[str, ...]
Reads = tuple[tuple[Node, int], ...]  # readers, each with the operand that it reads


class Form(Enum):
    """One op, a kernel fused of several, a closed layer, a stretch of a huge graph, or a wire."""

    OP = "op"
    KERNEL = "kernel"
    LAYER = "layer"
    STRETCH = "stretch"
    WIRE = "wire"


class Course(Enum):
    """Which way an edge runs in the picture."""

    FORWARD = "forward"
    BACKWARD = "backward"  # between nodes of the gradient, which run back to the parameters
    FORWARD_AGAIN = "forward again"  # between nodes of a gradient's gradient
    ACROSS = "across"  # a value of one pass that the next one uses
    TURN = "turn"  # where the forward pass ends and the gradient begins
    UPDATE = "update"  # a new value on its way into its state slot
    RETURN = "return"  # a new value on its way back: to a closed layer, to the next step


@dataclass(frozen=True, eq=False)
class Vertex:
    """Something drawn, inside nested boxes.

    `above` and `below` stand beside it: at a wire the value and the gradient, at an op in small
    print its local derivatives.
    """

    kind: Kind
    form: Form
    lines: tuple[str, ...]
    tooltip: str
    path: Path = ()
    above: Lines = ()
    below: Lines = ()
    nodes: tuple[Node, ...] = ()  # for which it stands


@dataclass(frozen=True)
class Edge:
    """A value on its way from where it is made to where it is read.

    `value` is the node it carries, unless it carries several; `reads` says who reads it, and as
    which operand.
    """

    source: Vertex
    target: Vertex
    course: Course
    tooltip: str
    label: str = ""  # which operand of the target it is, where that matters, and its type
    value: Node | None = None
    reads: Reads = ()


@dataclass(frozen=True)
class Diagram:
    """All that is drawn; `note` says in words which layers are closed and what is folded."""

    vertices: tuple[Vertex, ...]
    edges: tuple[Edge, ...]
    note: str


def diagram(
    graph: Graph,
    detail: Detail | None = None,
    fold: Folded = (),
    small_print: Mapping[Node, Lines] | None = None,
    *,
    loops: bool = True,
) -> Diagram:
    """The picture's contents; the arguments are those of `dot.to_dot`, and whether loops open."""
    found = opened(graph, loops=loops, in_short=detail in (None, "layers"))
    roles = NodeRoles(found.graph, by_layer=True, returns=found.returns, inside=found.inside)
    printed = ((new, (small_print or {}).get(nodes[-1])) for new, nodes in found.shown.items())
    told = {new: lines for new, lines in printed if lines and not isinstance(new.op, Drawn)}
    return _of_given(assemble(roles, *keys_of(roles, detail, fold), told), found.shown)


def _of_given(picture: Diagram, shown: Mapping[Node, Sequence[Node]]) -> Diagram:
    """The picture whose vertices and edges stand for nodes of the graph that was given."""

    def given(edge: Edge) -> Edge:
        value = None if edge.value is None else next(iter(shown.get(edge.value, ())), None)
        reads = tuple((node, i) for reader, i in edge.reads for node in shown.get(reader, ()))
        return replace(
            edge, source=same[edge.source], target=same[edge.target], value=value, reads=reads
        )

    same: dict[Vertex, Vertex] = {}
    for vertex in picture.vertices:
        nodes = tuple(node for each in vertex.nodes for node in shown.get(each, ()))
        same[vertex] = replace(vertex, nodes=nodes)
    return Diagram(tuple(same.values()), tuple(map(given, picture.edges)), picture.note)


def assemble(
    roles: NodeRoles, keys: Keys, note: str, small_print: Mapping[Node, Lines] | None = None
) -> Diagram:
    """The picture in which `keys` says what stands for each node."""
    return _Assembly(roles, keys, small_print or {}).diagram(note)


@dataclass(frozen=True)
class _Assembly:
    """A graph whose nodes are given to vertices: `keys` says to which."""

    roles: NodeRoles
    keys: Keys
    small_print: Mapping[Node, Lines]
    vertices: dict[Key, Vertex] = field(default_factory=dict)

    def diagram(self, note: str) -> Diagram:
        members: dict[Key, list[Node]] = {}
        for node, key in self.keys.items():
            members.setdefault(key, []).append(node)
        for key, nodes in members.items():
            self.vertices[key] = replace(self._vertex(key, nodes), nodes=tuple(nodes))
        results = list(self._results())
        inner = (*self._operands(), *self._bundles(), *self._turns())
        edges = (*inner, *self._updates(), *self._returns(), *results)
        markers = (edge.target for edge in results)
        return Diagram((*self.vertices.values(), *markers), edges, note)

    def _vertex(self, key: Key, members: Sequence[Node]) -> Vertex:
        if isinstance(key, Node):
            return self._node(key)
        kinds = Counter(self.roles.kind(node) for node in members)
        leaves = {
            "input": kinds[Kind.INPUT] + kinds[Kind.HYPERPARAMETER],
            "parameter": kinds[Kind.PARAMETER],
            "state slot": kinds[Kind.STATE],
        }
        counts = {"op": len(members) - sum(leaves.values()), **leaves}
        contents = ", ".join(_count(number, noun) for noun, number in counts.items() if number)
        ops = [node for node in members if not isinstance(node.op, Leaf)] or members
        kind = Kind.GRADIENT if differentiations(ops[0]) else self.roles.kind(ops[0])
        if isinstance(key, Stretch):
            loop = isinstance(key, LoopResults)
            lines = tuple(filter(None, (key.title, key.where, "" if loop else contents)))
            form = Form.OP if loop else Form.STRETCH
            return Vertex(kind, form, lines, " · ".join(lines), key.path)
        tooltip = " / ".join(box.label for box in key)
        scope = key[-1].scope
        told = scope.contents if isinstance(scope, LoopScope) else (contents,)
        return Vertex(kind, Form.LAYER, (key[-1].label, *told), tooltip, key[:-1])

    def _node(self, node: Node) -> Vertex:
        kind, path = self.roles.kind(node), self.roles.paths[node]
        fused = node.op.fused_body is not None
        return Vertex(
            kind,
            Form.KERNEL if fused else Form.OP,
            self._lines(node, kind),
            _tooltip(node),
            path,
            below=self.small_print.get(node, ()),
        )

    def _lines(self, node: Node, kind: Kind) -> tuple[str, ...]:
        if kind is Kind.FAN_OUT_SUM:
            return ("+",)
        if isinstance(node.op, Slot):
            return (_within(self.roles.paths[node], node.op.label),)
        if isinstance(node.op, Input) and node.op.default is not None:
            return (f"{node.op.label} = {node.op.default:g}",)
        if isinstance(node.op, Drawn):
            return node.op.lines
        text = notation.literal(node)
        if text is not None:
            return (f"seed {text}" if is_seed(node) else text,)
        first, *others = notation.lines(node, self.roles.constants(node))
        names = dict.fromkeys(
            Box(part.origin.scopes[-1], differentiations(part)).label
            for part in parts_of(node)
            if part.origin.scopes
        )
        title = f"{first}: {', '.join(names)}" if len(names) > 1 else first
        again = any(is_recomputed(part) for part in parts_of(node))
        return (title, *others, *(["computed again"] if again else []))

    def _operands(self) -> Iterable[Edge]:
        """The edges between vertices that stand for one node each."""
        for node, key in self.keys.items():
            constants = self.roles.constants(node)
            told_apart = notation.distinguished(node, constants)
            for operand, position in notation.flowing(node, constants).items():
                if self._is_bundled(operand, node):
                    continue
                course = self._course(operand, node)
                role = notation.role(node.op, position) if told_apart else ""
                type = "" if self._told_elsewhere(operand, course) else _type(operand)
                source, target = self.vertices[self.keys[operand]], self.vertices[key]
                label, reads = f"{role} {type}".strip(), _reads(operand, node)
                yield Edge(source, target, course, str(operand.type), label, operand, reads)

    def _is_bundled(self, operand: Node, node: Node) -> bool:
        """Does the edge join a closed layer or a stretch, or lie inside one sum?"""
        source, target = self.keys[operand], self.keys[node]
        return is_same(source, target) or not (
            isinstance(source, Node) and isinstance(target, Node)
        )

    def _told_elsewhere(self, operand: Node, course: Course) -> bool:
        """Is the type written on an edge to a reader in the same pass?"""
        users = self.roles.graph.users[operand]
        return course is Course.ACROSS and any(
            self._course(operand, user) is not Course.ACROSS for user in users
        )

    def _bundles(self) -> Iterable[Edge]:
        """One edge for all values between two vertices of which one stands for several nodes."""
        bundles: dict[tuple[Key, Key], list[tuple[Node, Node]]] = {}
        for node, target in self.keys.items():
            for operand in notation.flowing(node, self.roles.constants(node)):
                if self._is_bundled(operand, node):
                    bundles.setdefault((self.keys[operand], target), []).append((operand, node))
        for (source, target), pairs in bundles.items():
            # a layer that is read and updated gets the update's edge alone
            if is_same(source, target) or (target, source) in self._written:
                continue
            operands = list(dict.fromkeys(operand for operand, _ in pairs))
            label = _type(operands[0]) if len(operands) == 1 else f"{len(operands):,} values"
            course, types = self._course(*pairs[0]), ", ".join(str(o.type) for o in operands)
            value = operands[0] if len(operands) == 1 else None
            readers, carried = dict.fromkeys(node for _, node in pairs), set(operands)
            reads = tuple((n, i) for n in readers for i, x in enumerate(n.inputs) if x in carried)
            ends = self.vertices[source], self.vertices[target]
            yield Edge(*ends, course, types, label, value, reads)

    def _course(self, operand: Node, node: Node) -> Course:
        order = self.roles.order[node]
        return Course.ACROSS if self.roles.order[operand] < order else _course(order)

    def _turns(self) -> Iterable[Edge]:
        for node, key in self.keys.items():
            derivative = node.origin.derivative
            if derivative is not None and is_seed(node) and derivative.forward in self.keys:
                source = self.vertices[self.keys[derivative.forward]]
                yield Edge(source, self.vertices[key], Course.TURN, "where the gradient starts")

    @cached_property
    def _written(self) -> Mapping[tuple[Key, Key], Node]:
        """Pairs of the vertex with a new value and the one with its slot, and the last such."""
        updates = self.roles.updates.items()
        return {(self.keys[value], self.keys[slot]): value for slot, value in updates}

    def _updates(self) -> Iterable[Edge]:
        for (value, slot), node in self._written.items():
            if not is_same(value, slot):
                course = Course.UPDATE if isinstance(slot, Node) else Course.RETURN
                carried = node if isinstance(slot, Node) else None
                ends = self.vertices[value], self.vertices[slot]
                yield Edge(*ends, course, "the new value", value=carried)

    def _returns(self) -> Iterable[Edge]:
        for carry, value in self.roles.returns.items():
            source, target = self.keys[value], self.keys[carry]
            if not is_same(source, target):
                ends = self.vertices[source], self.vertices[target]
                yield Edge(*ends, Course.RETURN, "the value for the next step", value=value)

    def _results(self) -> Iterable[Edge]:
        """To each output from its node; to all together from a closed layer or a stretch."""
        graph = self.roles.graph
        found: dict[Key | tuple[Node, int], list[tuple[Node, str]]] = {}
        for position, (node, name) in enumerate(
            zip(graph.outputs, output_names(graph), strict=True)
        ):
            key = self.keys[node]
            own = (node, position) if isinstance(key, Node) else key
            found.setdefault(own, []).append((node, name))
        for results in found.values():
            yield self._result(results)

    def _result(self, results: Sequence[tuple[Node, str]]) -> Edge:
        node = results[0][0]
        source = self.vertices[self.keys[node]]
        path = source.path if differentiations(node) else ()
        text = ", ".join(f"{name}: {node.type}" for node, name in results)
        lines = tuple(_within(path, name) for _, name in results)
        if len(lines) > MARKED_TOGETHER:
            lines = (f"{len(lines):,} outputs", f"{lines[0]} … {lines[-1]}")
        label = _type(node) if len(results) == 1 else f"{len(results):,} values"
        marker = Vertex(Kind.OUTPUT, Form.OP, lines, text, path)
        course, value = _course(self.roles.order[node]), node if len(results) == 1 else None
        return Edge(source, marker, course, str(node.type), label, value)


def output_names(graph: Graph) -> list[str]:
    """What the outputs are called: as given, else from their origins where these differ."""
    own = [_own_name(node) for node in graph.outputs]
    counts = Counter(own)
    found = [
        name if name and counts[name] == 1 else f"output {number}"
        for number, name in enumerate(own, start=1)
    ]
    if own == [""]:
        found = ["output"]
    given = [*graph.names, *[""] * len(own)]
    return [name or other for name, other in zip(given, found, strict=False)]


def _reads(operand: Node, node: Node) -> Reads:
    return tuple((node, i) for i, other in enumerate(node.inputs) if other is operand)


def _course(order: int) -> Course:
    if order % 2:
        return Course.BACKWARD
    return Course.FORWARD_AGAIN if order else Course.FORWARD


def _type(node: Node) -> str:
    return notation.type_text(node.type)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _within(path: Sequence[Box], name: str) -> str:
    """A name without what the boxes around it say already: `model/linear1/weight` → `weight`."""
    sign = "∂ " if name.startswith("∂ ") else ""
    parts = name.removeprefix(sign).split("/")
    for box in path:
        if len(parts) > 1 and parts[0] == box.scope.name:
            parts = parts[1:]
    return sign + "/".join(parts)


def _own_name(node: Node) -> str:
    """`∂ weight` for the derivative with respect to a leaf, `cross_entropy` for what that gave."""
    derivative = node.origin.derivative
    if isinstance(node.op, Input | Slot):
        return node.op.label
    if derivative is None:
        return node.origin.scopes[0].name if node.origin.scopes else ""
    target = derivative.forward
    if derivative.rule != "fan-out sum" and derivative.operand is not None:
        target = target.inputs[derivative.operand]
    return f"∂ {target.op.label}" if isinstance(target.op, Input | Slot) else ""


def _tooltip(node: Node) -> str:
    """`add f32[batch,32] · model/linear1 · digits.py:12 · local derivative of relu`."""
    origin = node.origin
    parts = [f"{node.op.name or node.op.label} {node.type}"]
    if isinstance(node.op, Input | Slot):
        parts.append(node.op.label)
    parts += [origin.scope, origin.location.short if origin.location else ""]
    if origin.derivative is not None:
        parts.append(f"{origin.derivative.rule} of {origin.derivative.forward.op.label}")
    if origin.rewrite is not None:
        parts.append(f"by the rule {origin.rewrite.rule}")
    return " · ".join(filter(None, parts))
