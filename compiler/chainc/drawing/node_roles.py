"""Where each node of a graph stands in its picture.

What it is, which pass it belongs to, and the boxes around it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import Enum
from functools import cached_property

from chainc.dataclass import dataclass
from chainc.formulas import notation
from chainc.ir import Graph, Node, Op, Scope
from chainc.ir.leaves import Input, Leaf, Slot
from chainc.ops.formula import fused_parts

DEEPEST = 10  # scopes nested deeper share the box of this depth
CROWDED = 2  # readers beyond which a hyperparameter is named in their labels, without edges


class Kind(Enum):
    """What a vertex is, which decides its colour and shape."""

    INPUT = "input"
    HYPERPARAMETER = "hyperparameter"
    PARAMETER = "parameter"
    STATE = "state"
    CARRY = "carry"
    CONSTANT = "constant"
    FORWARD = "forward"
    GRADIENT = "gradient"
    FAN_OUT_SUM = "fan-out sum"
    UPDATE = "update"
    OUTPUT = "output"


@dataclass(frozen=True, eq=False)
class LoopScope(Scope):
    """The steps of a loop: in words, and what a closed box says of them."""

    title: str
    contents: tuple[str, ...]


@dataclass(frozen=True)
class Drawn(Op):
    """What only pictures have: a vertex that says what it is, such as the carry of a loop."""

    lines: tuple[str, ...]
    is_carry: bool = False

    @property
    def label(self) -> str:
        return self.lines[0]


@dataclass(frozen=True)
class Box:
    """A scope, or the part of the gradient that belongs to it: order 1 for ∂, 2 for ∂²."""

    scope: Scope
    order: int

    @property
    def label(self) -> str:
        power = str(self.order).translate(_SUPERSCRIPTS) if self.order > 1 else ""
        name = self.scope.title if isinstance(self.scope, LoopScope) else self.scope.name
        return f"∂{power} {name}" if self.order else name


_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

Path = tuple[Box, ...]


@dataclass(frozen=True)
class NodeRoles:
    """What every node of a graph is, whichever boxes are open.

    Attributes:
        graph: whose nodes they are.
        by_layer: give the optimizer's box one inside for each layer that it changes.
        returns: the carries of loops, with their values for the next step, in the graph's updates.
        inside: the boxes around a loop, of all that it computes.
    """

    graph: Graph
    by_layer: bool = False
    returns: Mapping[Node, Node] = field(default_factory=dict)
    inside: Mapping[Node, Path] = field(default_factory=dict)

    @cached_property
    def updates(self) -> Mapping[Node, Node]:
        """The new values of the graph's own states."""
        updates = self.graph.updates.items()
        return {slot: value for slot, value in updates if slot not in self.returns}

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
        values = set(self.updates.values())
        outputs = {*self.graph.outputs, *self.returns.values()}
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
    def heights(self) -> Mapping[Node, int]:
        """Of each node, how many steps lead to it from the farthest leaf."""
        heights: dict[Node, int] = {}
        for node in self.graph.nodes:
            heights[node] = 1 + max((heights[operand] for operand in node.inputs), default=-1)
        return heights

    @cached_property
    def paths(self) -> Mapping[Node, Path]:
        """The boxes around each node; a parameter stands beside what reads it."""
        paths: dict[Node, Path] = {}
        for node in reversed(self.graph.nodes):
            if isinstance(node.op, Leaf):
                paths[node] = () if isinstance(node.op, Input) else self._beside(node, paths)
                continue
            paths[node] = self._in_optimizer.get(node) or self._path(node)
        return paths

    def _path(self, node: Node) -> Path:
        around = self.inside.get(node, ())
        known = {box.scope for box in around}
        own = (box for box in _path(node) if box.scope not in known)
        return (*around, *own)[:DEEPEST]

    @property
    def optimizer_boxes(self) -> frozenset[Path]:
        """One for each layer that the optimizer changes."""
        return frozenset(self._in_optimizer.values())

    @cached_property
    def _in_optimizer(self) -> Mapping[Node, Path]:
        """The optimizer's boxes around what is computed to change a single layer."""
        boxes: dict[tuple[Box, str], Box] = {}
        paths: dict[Node, Path] = {}
        optimizers = {box for value in self.updates.values() for box in _path(value)[:1]}
        for node in self.for_updates if self.by_layer else ():
            path, layers = _path(node), self._changed[node]
            if path and path[0] in optimizers and len(layers) == 1:
                (layer,) = layers
                box = boxes.setdefault((path[0], layer), Box(Scope(layer), path[0].order))
                paths[node] = (path[0], box)
        return paths

    @cached_property
    def _changed(self) -> Mapping[Node, frozenset[str]]:
        """The layers whose parameters, or what is kept beside them, a node helps to change."""
        owners = {slot: self._owner(slot) for slot in self.updates}
        changed: dict[Node, frozenset[str]] = {}
        for slot, value in self.updates.items():
            changed[value] = changed.get(value, frozenset()) | owners[slot]
        for node in reversed(self.graph.nodes):
            users = (changed.get(user, frozenset()) for user in self.graph.users[node])
            changed[node] = changed.get(node, frozenset()).union(*users)
        return changed

    def _owner(self, slot: Node) -> frozenset[str]:
        """The layer of a parameter, `model/linear1`; also of what bears its name at its end."""
        for parameter in self._parameters:
            if f"/{slot.op.label}".endswith(f"/{parameter}"):
                return frozenset([parameter.rpartition("/")[0] or parameter])
        return frozenset()

    @cached_property
    def _parameters(self) -> Sequence[str]:
        """The labels of what is updated and trained, the longest first."""
        slots = [slot.op for slot in self.updates if isinstance(slot.op, Slot)]
        return sorted((op.label for op in slots if op.trainable), key=len, reverse=True)

    def _beside(self, leaf: Node, paths: Mapping[Node, Path]) -> Path:
        users = self.graph.users[leaf]
        least = min((self.order[user] for user in users), default=0)
        shared = common([paths[user] for user in users if self.order[user] == least])
        return before_loops(shared)

    def kind(self, node: Node) -> Kind:
        if isinstance(node.op, Input):
            return Kind.INPUT if node.op.default is None else Kind.HYPERPARAMETER
        if isinstance(node.op, Slot):
            return Kind.PARAMETER if node.op.trainable else Kind.STATE
        if isinstance(node.op, Drawn) and node.op.is_carry:
            return Kind.CARRY
        if differentiations(node):
            return Kind.FAN_OUT_SUM if notation.is_fan_out_sum(node) else Kind.GRADIENT
        if isinstance(node.op, Leaf):
            return Kind.CONSTANT
        return Kind.UPDATE if node in self.for_updates else Kind.FORWARD


def before_loops(path: Path) -> Path:
    """The boxes around the outermost loop; all where there is none."""
    loops = [place for place, box in enumerate(path) if isinstance(box.scope, LoopScope)]
    return path[: loops[0]] if loops else path


def parts_of(node: Node) -> Sequence[Node]:
    """The ops that a kernel fuses, its contraction first; of another node itself."""
    return fused_parts(node) or (node,)


def _path(node: Node) -> Path:
    """The boxes of a node; of a kernel those of its contraction, or the innermost ones it has."""
    parts = parts_of(node)
    contracts = node.op.fused_contraction is not None
    part = parts[0] if contracts else max(parts, key=lambda part: len(part.origin.scopes))
    order = differentiations(part)
    return tuple(Box(scope, order) for scope in part.origin.scopes[:DEEPEST])


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


def common(paths: Sequence[Path]) -> Path:
    """The boxes that all paths begin with."""
    if not paths:
        return ()
    length = 0
    while all(len(path) > length and path[length] == paths[0][length] for path in paths):
        length += 1
    return paths[0][:length]
