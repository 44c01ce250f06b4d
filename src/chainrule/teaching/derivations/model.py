"""The user's model as a list of equations, each quantity by a name of the field."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from itertools import count

from chainc.dataclass import dataclass
from chainc.formulas import blackboard, notation
from chainc.formulas.blackboard import Written
from chainc.formulas.local_derivative import local_derivative
from chainc.ir import Graph, Node
from chainc.ir.leaves import Leaf, Slot
from chainc.ops.contract import Contract
from chainc.ops.elementwise import Elementwise
from chainc.ops.movement import BroadcastTo, Reshape
from chainrule.teaching.derivations.formulas import write_op
from chainrule.teaching.derivations.known_losses import LossBox, loss_boxes
from chainrule.teaching.derivations.windows import Convolution, is_slid, windows_of

LETTERS = {"weight": "W", "bias": "b", "scale": "γ", "shift": "β"}
SHORT_NAME = re.compile(r"[^\W\d_]\d*")  # a scope of such a name names its result


@dataclass(frozen=True)
class Model:
    """The equations of a loss.

    Attributes:
        graph: all that the loss is computed from.
        names: of the nodes that have equations, and of the leaves.
        heads: for a node without an equation of its own, the node in whose equation it stands.
        boxes: known losses by their last node.
    """

    graph: Graph
    names: Mapping[Node, Written]
    heads: Mapping[Node, Node]
    boxes: Mapping[Node, LossBox]

    @property
    def equations(self) -> list[Node]:
        """The nodes that have equations, operands first."""
        return [n for n in self.graph.nodes if n in self.names and not isinstance(n.op, Leaf)]

    @property
    def leaves(self) -> list[Node]:
        return [n for n in self.graph.nodes if n in self.names and isinstance(n.op, Leaf)]

    def write(self, node: Node) -> Written:
        """The node's name, or its formula where it has none."""
        if node in self.names:
            return self.names[node]
        filled = isinstance(node.op, BroadcastTo)
        literal = notation.literal(node.inputs[0] if filled else node)
        if literal is not None:
            return blackboard.literal(literal)
        return self.right_side(node)

    def right_side(self, node: Node) -> Written:
        if node in self.boxes:
            box = self.boxes[node]
            return box.write(self.write(box.prediction), self.write(box.target))
        if self.slides(node):
            image, kernel = self.slid(node)
            return Convolution.of(node).forward(image, kernel)
        place = notation.indexing(node)
        if place is not None:
            whole = node.inputs[0].inputs[0] if isinstance(node.op, Reshape) else node.inputs[0]
            return blackboard.indexed(self.write(whole), place)
        return write_op(node, [self.write(operand) for operand in node.inputs])

    def slides(self, node: Node) -> bool:
        """Is it a contraction that is written as sums over a window?"""
        return any(self.is_slid(operand) for operand in node.inputs)

    def is_slid(self, node: Node) -> bool:
        """Is it the window of such a contraction?"""
        reader = self.heads.get(node)
        return reader is not None and is_slid(node, reader)

    def slid(self, node: Node) -> tuple[Written, Written]:
        """Its image, of which it reads windows, and its kernel."""
        place = windows_of(node)
        (image,) = node.inputs[place].inputs
        return self.write(image), self.write(node.inputs[1 - place])

    def head(self, node: Node) -> Node:
        """The node whose equation says how this one is computed."""
        while node in self.heads:
            node = self.heads[node]
        return node


def model_of(
    loss: Node, flowing: Mapping[Node, object], wanted: Sequence[Node], names: Mapping[Node, str]
) -> Model:
    """Choose what is an equation, and what each quantity is called.

    Args:
        loss: the last node.
        flowing: nodes through which a derivative flows.
        wanted: the nodes whose derivative is asked for.
        names: the user's own names.
    """
    graph = Graph((loss,))
    kept = {loss, *wanted, *names}
    boxes = {box.root: box for box in loss_boxes(graph, flowing, kept)}
    kept.update(entry for box in boxes.values() for entry in (box.prediction, box.target))
    heads = {node: box.root for box in boxes.values() for node in box.inside - {box.root}}
    for node in reversed(graph.nodes):
        users = graph.users[node]
        if node in heads or node in kept or len(users) != 1 or isinstance(node.op, Leaf):
            continue
        if _is_inside(node, users[0], flowing):
            heads[node] = users[0]
    chosen = _Naming(graph, heads, dict(names)).names()
    return Model(graph, chosen, heads, boxes)


def _is_inside(node: Node, user: Node, flowing: Mapping[Node, object]) -> bool:
    """Products in a sum (x W + b), the terms of one neuron, windows, and small side calculations.

    Windows stand in the convolution that reads them, as sums over their taps.
    """
    if is_slid(node, user) or notation.indexing(user) is not None:
        return True
    if node not in flowing:
        return notation.indexing(node) is not None or all(
            notation.literal(operand) is not None for operand in node.inputs
        )
    place = next(place for place, operand in enumerate(user.inputs) if operand is node)
    if user.shape != node.shape or not _passes_unchanged(user, place):
        return False
    together = bool(node.origin.scopes) and node.origin.scopes == user.origin.scopes
    return isinstance(node.op, Contract) or (together and isinstance(node.op, Elementwise))


def _passes_unchanged(node: Node, position: int) -> bool:
    return isinstance(node.op, Elementwise) and local_derivative(node, position).text == "1"


@dataclass(frozen=True)
class _Naming:
    graph: Graph
    heads: Mapping[Node, Node]
    given: dict[Node, str]
    taken: set[str] = field(default_factory=set)

    def names(self) -> dict[Node, Written]:
        chosen = dict(self.given)
        self.taken.update(chosen.values())
        leaves = [n for n in self.graph.nodes if isinstance(n.op, Leaf)]
        for node, name in self._leaf_names([n for n in leaves if notation.literal(n) is None]):
            free = next(name + "'" * k for k in count() if name + "'" * k not in self.taken)
            chosen.setdefault(node, free)
            self.taken.add(chosen[node])
        others = [n for n in self.graph.nodes if not isinstance(n.op, Leaf)]
        z, h = self._numbered("z"), self._numbered("h")
        for node in others:
            if node not in chosen and node not in self.heads:
                chosen[node] = self._name(node, chosen, z, h)
                self.taken.add(chosen[node])
        return {node: blackboard.name_of(name) for node, name in chosen.items()}

    def _numbered(self, letter: str) -> Callable[[], str]:
        names = (f"{letter}{number}" for number in count(1))
        return lambda: next(name for name in names if name not in self.taken)

    def _name(
        self, node: Node, chosen: Mapping[Node, str], z: Callable[[], str], h: Callable[[], str]
    ) -> str:
        if node is self.graph.outputs[0]:
            return next(name for name in ("L", "loss", "L0") if name not in self.taken)
        scope = node.origin.scopes[-1] if node.origin.scopes else None
        if scope is not None and SHORT_NAME.fullmatch(scope.name) and scope.name not in self.taken:
            users = self.graph.users[node]
            if all(scope not in user.origin.scopes for user in users):
                return scope.name
        before = chosen.get(node.inputs[0], "") if node.inputs else ""
        activates = isinstance(node.op, Elementwise) and len(node.inputs) == 1
        return h() if activates and node.ndim and before.startswith("z") else z()

    def _leaf_names(self, leaves: Sequence[Node]) -> Iterator[tuple[Node, str]]:
        """The last part of each name, numbered layer by layer where several share it."""
        letters = {node: _letter(node) for node in leaves}
        often = Counter(letters.values())
        shared = dict.fromkeys(node for node in leaves if often[letters[node]] > 1)
        layers = list(dict.fromkeys(_layer(node) for node in shared))
        constants = count(1)
        for node in leaves:
            if not letters[node]:
                yield node, f"C{next(constants)}"
            elif node in shared:
                yield node, f"{letters[node]}{layers.index(_layer(node)) + 1}"
            else:
                yield node, letters[node]


def _letter(node: Node) -> str:
    if node.op.name == "constant":
        return ""
    last = node.op.label.rpartition("/")[2]
    return LETTERS.get(last, last) if isinstance(node.op, Slot) else last


def _layer(node: Node) -> str:
    return node.op.label.rpartition("/")[0]
