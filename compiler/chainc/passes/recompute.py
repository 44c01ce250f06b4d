"""What the backward pass reads is computed again instead of being kept, where that is worth it.

    y = relu(h);  …  d_h = d_y * (y > 0)   →   y = relu(h);  …  d_h = d_y * (relu(h) > 0)

A minimum cut through the forward pass decides which values are kept: those before it are needed no
more, and those behind it are computed again from the ones it cuts. To keep costs bytes, to compute
again costs operations. Random ops count, so that a mask that is drawn again is the same.

Needs: no pass behind it that merges equal nodes. Leaves: nodes whose origin says `recompute`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from functools import cached_property
from itertools import accumulate, product
from typing import TYPE_CHECKING

from chainc.dataclass import dataclass
from chainc.interpreters.counting import work_of
from chainc.ir import Graph, Node, with_inputs
from chainc.ir.leaves import Constant, SizeOf
from chainc.ir.types import bind, coefficient_of
from chainc.ops.contract import Contract
from chainc.ops.formula import RECOMPUTE
from chainc.rewriting.trace import note, replacing

if TYPE_CHECKING:
    import networkx

SMALLEST = 64  # bytes: the arena has no smaller places
AT_ONCE = 16  # operations of a contraction take as long as one that waits for memory

PRICES = (1, 8, 64, 1024)  # operations for a byte
PARTS = (1, 2, 4, 8)  # of the forward pass
LEEWAYS = (0.0, 0.375)  # of a part: neither is always better


@dataclass(frozen=True)
class Terms:
    """What is given for memory.

    Attributes:
        price: how many operations a byte is worth.
        parts: of the forward pass; what one hands to a later one is kept, so that no more than one
            part is computed again at a time.
        leeway: by how much of a part it may end earlier or later, where less is handed on.
    """

    price: int
    parts: int
    leeway: float = 0.0


@dataclass(frozen=True, eq=False)
class ForwardPass:
    """The values that a derivative may read, with what they cost, for given sizes."""

    graph: Graph
    sizes: Mapping[str, int]

    @cached_property
    def nodes(self) -> Set[Node]:
        """All that no derivative leads to."""
        found: set[Node] = set()
        for node in self.graph.nodes:
            if node.origin.derivative is None and found.issuperset(node.inputs):
                found.add(node)
        return found

    @cached_property
    def kept_anyway(self) -> Set[Node]:
        """What is there all the time, and what is too small to count."""
        fixed: set[Node] = set()
        for node in self.graph.nodes:
            leaf = isinstance(node.op, Constant | SizeOf)
            if leaf or (node.inputs and fixed.issuperset(node.inputs)):
                fixed.add(node)
        small = {node for node in self.nodes if self.nbytes(node) <= SMALLEST}
        leaves = {node for node in self.nodes if not node.inputs}
        return fixed | small | leaves | set(self.graph.roots)

    @cached_property
    def needed(self) -> tuple[Node, ...]:
        """What the backward pass reads, and what that is made of, but for what is kept anyway."""
        found: set[Node] = set()
        for node in reversed(self.graph.nodes):
            if node not in self.nodes or node in self.kept_anyway:
                continue
            if self.is_read_backward(node) or not found.isdisjoint(self.graph.users[node]):
                found.add(node)
        return tuple(node for node in self.graph.nodes if node in found)

    def is_read_backward(self, node: Node) -> bool:
        return not self.nodes >= set(self.graph.users[node])

    def is_view(self, node: Node) -> bool:
        """Such as a window: it takes no memory of its own."""
        return work_of(node, self.sizes).operations is None

    def nbytes(self, node: Node) -> int:
        return coefficient_of(bind(node.type.nbytes, self.sizes))

    @cached_property
    def operations(self) -> Mapping[Node, int]:
        """What it costs to compute each again: passes over memory, and arithmetic."""
        return {node: self._operations(node) for node in self.needed}

    def _operations(self, node: Node) -> int:
        operations = work_of(node, self.sizes).operations
        if operations is None:
            return 0
        at_once = AT_ONCE if isinstance(node.op, Contract) else 1
        return operations // at_once + coefficient_of(bind(node.type.size, self.sizes))

    def cost(self, chosen: Set[Node]) -> int:
        """To compute all of them again."""
        return sum(self.operations[node] for node in chosen)

    def chosen(self, terms: Terms) -> frozenset[Node]:
        """What is computed again, for the least of bytes and operations together."""
        import networkx

        _, behind = networkx.minimum_cut(self._network(terms), "kept", "read")[1]
        numbered = enumerate(self.graph.nodes)
        candidates = {node for number, node in numbered if (number, "computed") in behind}
        again: set[Node] = set()
        for node in self.needed:
            if node in candidates and not (self.is_view(node) and again.isdisjoint(node.inputs)):
                again.add(node)  # a view of what is kept takes no memory
        return frozenset(again)

    def _network(self, terms: Terms) -> networkx.DiGraph[object]:
        """Of two vertices for each value: between them lies the price of keeping it."""
        import networkx

        declared = self.graph.to_networkx()
        number = {node: position for position, node in enumerate(self.graph.nodes)}
        needed = {number[node] for node in self.needed}
        held = self._handed_on(terms)
        network: networkx.DiGraph[object] = networkx.DiGraph()
        network.add_nodes_from(["kept", "read"])
        for node in self.needed:
            at = number[node]
            computed, value = (at, "computed"), (at, "value")
            network.add_edge(computed, value, capacity=terms.price * self.nbytes(node))
            if node in held:
                network.add_edge("kept", computed)  # without a capacity: never cut
            else:
                network.add_edge("kept", computed, capacity=self.operations[node])
            for operand in needed.intersection(declared.predecessors(at)):
                network.add_edge((operand, "value"), computed)
            if self.is_read_backward(node):
                network.add_edge(value, "read")
        return network

    def _handed_on(self, terms: Terms) -> Set[Node]:
        """What is read in a later part of the forward pass than it is computed in."""
        values = [node for node in self.needed if not self.is_view(node)]
        sizes, last = list(map(self.nbytes, values)), self._last_readers(values)
        before = [0, *accumulate(sizes)]
        handed_on = [
            sum(size for at, size in enumerate(sizes[:end]) if last[at] >= end)
            for end in range(len(before))
        ]
        ends = _ends(before, handed_on, terms)
        spans = enumerate(zip(values, last, strict=True))
        return {node for at, (node, end) in spans if any(at < part <= end for part in ends)}

    def _last_readers(self, values: Sequence[Node]) -> Sequence[int]:
        """Of each value the place of the last one that reads it, also through views."""
        place = {node: at for at, node in enumerate(values)}
        last: dict[Node, int] = {}
        for node in reversed(self.needed):
            readers = [user for user in self.graph.users[node] if user in last]
            found = [place.get(reader, last[reader]) for reader in readers]
            last[node] = max(found, default=place.get(node, -1))
        return [last[node] for node in values]

    def choices(self) -> list[frozenset[int]]:
        """Nothing, and then more and more that is computed again, by places in the graph."""
        found = {frozenset[Node]()}
        for each in product(PRICES, PARTS, LEEWAYS):
            found.add(self.chosen(Terms(*each)))
        place = {node: position for position, node in enumerate(self.graph.nodes)}
        return [frozenset(map(place.__getitem__, some)) for some in sorted(found, key=self.cost)]


def _ends(before: Sequence[int], handed_on: Sequence[int], terms: Terms) -> set[int]:
    """Where parts end, by the bytes before a place and those that are handed on there."""
    part = before[-1] / terms.parts
    found: set[int] = set()
    for number in range(1, terms.parts):
        away = [abs(size - part * number) for size in before]
        most = max(part * terms.leeway, min(away))
        near = [at for at, distance in enumerate(away) if distance <= most]
        found.add(min(near, key=lambda at: (handed_on[at], away[at])))
    return found


def recomputing(places: Set[int]) -> Callable[[Graph], Graph]:
    """The pass that computes the nodes at these places of a graph again."""

    def recompute(graph: Graph) -> Graph:
        chosen = {node for place, node in enumerate(graph.nodes) if place in places}
        return _computed_again(graph, chosen)

    return recompute


def _computed_again(graph: Graph, chosen: Set[Node]) -> Graph:
    """Backward nodes over copies of the chosen ones, which are forward nodes all."""
    forward = ForwardPass(graph, {}).nodes
    again: dict[Node, Node] = {}
    mapping: dict[Node, Node] = {}
    for node in graph.nodes:
        if node in forward:
            mapping[node] = node
            if node in chosen:
                inputs = tuple(again.get(operand, operand) for operand in node.inputs)
                again[node] = Node(node.op, inputs, node.type, replacing(node, RECOMPUTE))
                note(RECOMPUTE, node, again[node])
            continue
        inputs = tuple(again.get(operand, mapping[operand]) for operand in node.inputs)
        mapping[node] = with_inputs(node, inputs)
    return graph.replace(mapping)
