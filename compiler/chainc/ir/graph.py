"""Pure graphs of nodes, and the walks over them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from functools import cached_property
from itertools import filterfalse
from operator import is_
from typing import TYPE_CHECKING

from chainc.dataclass import dataclass
from chainc.ir.node import Node

if TYPE_CHECKING:
    import networkx


def topological(roots: Iterable[Node]) -> tuple[Node, ...]:
    """Every node the roots depend on, operands before users; no recursion."""
    begun: set[Node] = set()
    order: dict[Node, None] = {}
    stack = list(roots)[::-1]
    while stack:
        node = stack[-1]
        if node in begun or begun.issuperset(node.inputs):
            order[stack.pop()] = None  # all its operands have their places
        else:
            stack.extend(filterfalse(begun.__contains__, node.inputs[::-1]))
        begun.add(node)
    return tuple(order)


@dataclass(frozen=True, eq=False)
class Graph:
    """A pure graph: outputs, and updates that bind a new value to a state slot.

    All updates read the values from before the step.
    """

    outputs: tuple[Node, ...]
    updates: Mapping[Node, Node] = field(default_factory=dict)
    names: tuple[str, ...] = ()  # of the outputs, where they have any

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Every node, operands before users."""
        return topological(self.roots)

    @property
    def roots(self) -> tuple[Node, ...]:
        return (*self.outputs, *self.updates.keys(), *self.updates.values())

    @cached_property
    def users(self) -> Mapping[Node, tuple[Node, ...]]:
        """Who reads each node, once per operand position."""
        users: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for operand in node.inputs:
                users[operand].append(node)
        return {node: tuple(readers) for node, readers in users.items()}

    def leaves(self, kind: str) -> tuple[Node, ...]:
        """The operand-free nodes of one op name: "input", "state" or "constant"."""
        return self._leaves.get(kind, ())

    @cached_property
    def _leaves(self) -> Mapping[str, tuple[Node, ...]]:
        """Asked for at every call of a compiled function, so gathered once."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            if not node.inputs:
                found.setdefault(node.op.name, []).append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}

    def replace(self, mapping: Mapping[Node, Node]) -> Graph:
        """The same outputs and updates with other nodes in their place; itself where none is."""
        if all(mapping[node] is node for node in self.roots):
            return self
        outputs = tuple(mapping[node] for node in self.outputs)
        updates = {mapping[slot]: mapping[value] for slot, value in self.updates.items()}
        return Graph(outputs, updates, self.names)

    def to_networkx(self) -> networkx.MultiDiGraph[int]:
        """The graph in the form that the algorithms of networkx read.

        Vertices are the positions in `nodes`, by which the text of the graph numbers them too,
        each with the `op`, `type` and `scope` of its node. An edge runs from an operand to its
        reader; its `operand` says at which position it is read.
        """
        import networkx

        result: networkx.MultiDiGraph[int] = networkx.MultiDiGraph()
        number = {node: position for position, node in enumerate(self.nodes)}
        for node, position in number.items():
            result.add_node(position, op=node.op.name, type=str(node.type), scope=node.origin.scope)
            for place, operand in enumerate(node.inputs):
                result.add_edge(number[operand], position, operand=place)
        return result


Transform = Callable[[Node, tuple[Node, ...]], Node]


def with_inputs(node: Node, inputs: tuple[Node, ...]) -> Node:
    """The node over other operands; itself where nothing changed."""
    before = node.inputs
    if len(inputs) == len(before) and all(map(is_, inputs, before)):
        return node
    if [each.type for each in inputs] == [each.type for each in before]:  # most are the same ones
        return Node(node.op, inputs, node.type, node.origin)
    return Node(node.op, inputs, node.op.infer(*(each.type for each in inputs)), node.origin)


def rebuild(graph: Graph, transform: Transform = with_inputs, *, merge: bool = False) -> Graph:
    """Rebuild bottom-up through `transform(node, new operands)`.

    With `merge`, equal ops over the same operands become one node (hash-consing).
    """
    mapping: dict[Node, Node] = {}
    seen: dict[tuple[object, ...], Node] = {}
    for node in graph.nodes:
        new = transform(node, tuple(mapping[operand] for operand in node.inputs))
        if merge:
            new = seen.setdefault((new.op, *map(id, new.inputs), new.type), new)
        mapping[node] = new
    return graph.replace(mapping)


def substitute(graph: Graph, known: Mapping[Node, Node]) -> Graph:
    """The graph with other nodes in the place of some: y = f(w), known {w: v}   →   y = f(v)."""
    return rebuild(graph, lambda node, at: known[node] if node in known else with_inputs(node, at))
