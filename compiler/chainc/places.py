"""Where each node of a graph stands in its picture.

What it is, which pass it belongs to, the boxes around it, which of them are closed, and what is
left out of a huge graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from chainc import notation
from chainc.ir import Graph, Node, Scope
from chainc.ops.state import Input, Leaf, State

SMALL = 150  # vertices up to which a graph is drawn as it is
LARGEST = 500  # vertices beyond which even a graph asked for in full is cut
SHOWN_OF_CUT = 20  # vertices kept at either end of a graph that is cut
DEEPEST = 10  # scopes nested deeper share the box of this depth
CROWDED = 2  # readers beyond which a hyperparameter is named in their labels, without edges

Collapse = bool | int | None


class Kind(Enum):
    """What a vertex is, which decides its colour and shape."""

    INPUT = "input"
    HYPERPARAMETER = "hyperparameter"
    PARAMETER = "parameter"
    STATE = "state"
    CONSTANT = "constant"
    FORWARD = "forward"
    GRADIENT = "gradient"
    FAN_OUT_SUM = "fan-out sum"
    UPDATE = "update"
    OUTPUT = "output"
    OMITTED = "omitted"


@dataclass(frozen=True)
class Box:
    """A scope, or the part of the gradient that belongs to it: order 1 for ∂, 2 for ∂²."""

    scope: Scope
    order: int

    @property
    def label(self) -> str:
        power = str(self.order).translate(_SUPERSCRIPTS) if self.order > 1 else ""
        return f"∂{power} {self.scope.name}" if self.order else self.scope.name


_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

Path = tuple[Box, ...]
Key = Node | Path | str  # what a vertex stands for: a node, a closed box, or all that is left out
OMITTED = "omitted"


@dataclass(frozen=True)
class Places:
    """What every node of a graph is, whichever boxes are open."""

    graph: Graph

    @cached_property
    def absorbed(self) -> Mapping[Node, Node | None]:
        """Nodes without a vertex: constants (None), and inner additions of one fan-out sum."""
        roots = set(self.graph.roots)
        absorbed: dict[Node, Node | None] = {}
        for node in reversed(self.graph.nodes):
            users = self.graph.users[node]
            if node in roots or not users:
                continue
            if notation.literal(node) is not None and not is_seed(node):
                absorbed[node] = None
            elif len(users) == 1 and _same_sum(node, users[0]):
                absorbed[node] = absorbed.get(users[0], users[0])
        return absorbed

    def constants(self, node: Node) -> dict[int, str]:
        """Texts of the operands that stand in the node's own label, by their positions."""
        texts: dict[int, str] = {}
        for position, operand in enumerate(node.inputs):
            text = notation.literal(operand) if operand in self.absorbed else None
            if self.is_named_by_readers(operand):
                text = operand.op.label
            if text is not None:
                texts[position] = text
        return texts

    def is_named_by_readers(self, node: Node) -> bool:
        """A hyperparameter with so many readers that its edges would hide the others."""
        if not isinstance(node.op, Input) or node.op.default is None:
            return False
        return node.ndim == 0 and len(self.graph.users[node]) > CROWDED

    @cached_property
    def for_updates(self) -> frozenset[Node]:
        """The declared nodes that are computed for nothing but new values of state."""
        values, outputs = set(self.graph.updates.values()), set(self.graph.outputs)
        found: set[Node] = set()
        for node in reversed(self.graph.nodes):
            if node in outputs or differentiations(node) or isinstance(node.op, Leaf):
                continue
            users = self.graph.users[node]
            if all(user in found for user in users) and (users or node in values):
                found.add(node)
        return frozenset(found)

    @cached_property
    def order(self) -> Mapping[Node, int]:
        """0 for what runs forward, odd for what runs back, even again for a second gradient."""
        order: dict[Node, int] = {}
        for node in self.graph.nodes:
            own = max(differentiations(node), int(node in self.for_updates))
            order[node] = max([own, *(order[operand] for operand in node.inputs)])
        return order

    @cached_property
    def paths(self) -> Mapping[Node, Path]:
        """The boxes around each node; a parameter stands beside what reads it."""
        paths: dict[Node, Path] = {}
        for node in reversed(self.graph.nodes):
            if isinstance(node.op, Leaf):
                paths[node] = () if isinstance(node.op, Input) else self._beside(node, paths)
                continue
            order = differentiations(node)
            paths[node] = tuple(Box(scope, order) for scope in node.origin.scopes[:DEEPEST])
        return paths

    def _beside(self, leaf: Node, paths: Mapping[Node, Path]) -> Path:
        users = self.graph.users[leaf]
        least = min((self.order[user] for user in users), default=0)
        return _common([paths[user] for user in users if self.order[user] == least])

    def kind(self, node: Node) -> Kind:
        if isinstance(node.op, Input):
            return Kind.INPUT if node.op.default is None else Kind.HYPERPARAMETER
        if isinstance(node.op, State):
            return Kind.PARAMETER if node.op.trainable else Kind.STATE
        if differentiations(node):
            return Kind.FAN_OUT_SUM if notation.is_fan_out_sum(node) else Kind.GRADIENT
        if isinstance(node.op, Leaf):
            return Kind.CONSTANT
        return Kind.UPDATE if node in self.for_updates else Kind.FORWARD


def differentiations(node: Node) -> int:
    """How often one has to differentiate to get this node: 0 for a declared one."""
    count = 0
    while node.origin.derivative is not None:
        node = node.origin.derivative.forward
        count += 1
    return count


def is_seed(node: Node) -> bool:
    return node.origin.derivative is not None and node.origin.derivative.rule == "seed"


def _same_sum(inner: Node, outer: Node) -> bool:
    if not notation.is_fan_out_sum(inner) or not notation.is_fan_out_sum(outer):
        return False
    first, second = inner.origin.derivative, outer.origin.derivative
    return first is not None and second is not None and first.forward is second.forward


def _common(paths: Sequence[Path]) -> Path:
    """The boxes that all paths begin with."""
    if not paths:
        return ()
    length = 0
    while all(len(path) > length and path[length] == paths[0][length] for path in paths):
        length += 1
    return paths[0][:length]


def keys_of(places: Places, collapse: Collapse) -> tuple[Mapping[Node, Key], str]:
    """The vertex that stands for each node, and in words what is closed or left out."""
    keys, closed = _collapsed(places, collapse)
    order = list(dict.fromkeys(keys.values()))
    if len(order) <= (SMALL if collapse is None else LARGEST):
        return keys, closed
    roots = [keys[root] for root in places.graph.roots]
    kept = {*order[:SHOWN_OF_CUT], *order[-SHOWN_OF_CUT:], *roots[:SHOWN_OF_CUT]}
    cut = {node: key if key in kept else OMITTED for node, key in keys.items()}
    omitted = f"{sum(key == OMITTED for key in cut.values()):,} nodes left out"
    return cut, f"{closed} · {omitted}" if closed else omitted


def _collapsed(places: Places, collapse: Collapse) -> tuple[dict[Node, Key], str]:
    if collapse is None:
        return _first_that_is_small(places)
    if collapse is False:
        return _keys(places, set()), ""
    if collapse is True:
        return _keys(places, _innermost(places)), "layers closed"
    return _at_depth(places, collapse)


def _first_that_is_small(places: Places) -> tuple[dict[Node, Key], str]:
    keys, note = _keys(places, set()), ""
    deepest = max((len(path) for path in places.paths.values()), default=0)
    for depth in range(deepest, 0, -1):
        if len(set(keys.values())) <= SMALL:
            break
        keys, note = _at_depth(places, depth)
    return keys, note


def _at_depth(places: Places, depth: int) -> tuple[dict[Node, Key], str]:
    outer = {path[:depth] for path in places.paths.values() if len(path) >= depth}
    note = f"layers closed at depth {depth}" if outer else ""
    return _keys(places, outer | _innermost(places)), note


def _innermost(places: Places) -> set[Path]:
    paths = set(places.paths.values()) - {()}
    return paths - {path[:length] for path in paths for length in range(len(path))}


def _keys(places: Places, closed: set[Path]) -> dict[Node, Key]:
    keys: dict[Node, Key] = {}
    for node in places.graph.nodes:
        drawn = places.absorbed.get(node, node)
        if drawn is not None:
            path = places.paths[drawn]
            prefixes = (path[:length] for length in range(1, len(path) + 1))
            keys[node] = next((prefix for prefix in prefixes if prefix in closed), drawn)
    return keys
