"""What a pass did to a graph: the nodes that vanished, appeared, merged or fused, by which rules.

Nodes of the graph before are followed into the graph after: a node stays where it is itself there,
or computes the same from what its operands became; where a rule fired, its right side takes over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from enum import Enum

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node
from chainc.rewriting.trace import Fired


class Mark(Enum):
    """What became of a node, or where it comes from."""

    UNCHANGED = "unchanged"
    VANISHED = "vanishes"
    APPEARED = "appears"
    MERGED = "merged"  # computed several times before, once after
    FUSED = "fused"  # into a kernel, or the kernel itself


@dataclass(frozen=True)
class Rewriting:
    """A node of the graph before, the one of the graph after that has its place, and the rules."""

    replaced: Node
    replacement: Node
    rules: tuple[Fired, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the rules, each once."""
        return tuple(dict.fromkeys(fired.rule for fired in self.rules))


@dataclass(frozen=True)
class Change:
    """Two graphs of the same meaning, and how one became the other.

    Attributes:
        before: the marks of the nodes of the first graph.
        after: the marks of the nodes of the second.
        pairs: nodes of the first graph that stay, with what they are in the second.
        rewritings: what took the place of what by rules.
    """

    graphs: tuple[Graph, Graph]
    before: Mapping[Node, Mark]
    after: Mapping[Node, Mark]
    pairs: Mapping[Node, Node]
    rewritings: tuple[Rewriting, ...]


def change(before: Graph, after: Graph, fired: Sequence[Fired] = ()) -> Change:
    """How a pass made one graph of another.

    Args:
        before: the graph that the pass got.
        after: the graph that it left.
        fired: the rules that fired in between.
    """
    following = _Following(before, after, fired)
    for node in before.nodes:
        following.follow(node)
    return following.change()


Identity = tuple[object, int]  # an op and an origin, which survive new operands


def _identity(node: Node) -> Identity:
    return node.op, id(node.origin)


def _meaning(node: Node, operands: Sequence[Node]) -> tuple[object, ...]:
    """Equal for equal ops over the same operands."""
    numbers = list(map(id, operands))
    return node.op, node.type, *(sorted(numbers) if node.op.commutative else numbers)


@dataclass
class _Following:
    """One walk over the graph before, operands before users."""

    before: Graph
    after: Graph
    fired: Sequence[Fired]
    same: dict[Node, Node] = field(default_factory=dict)  # equal values, before to after
    replaced: dict[Node, Rewriting] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.present = set(self.after.nodes)
        self.by_meaning = {_meaning(node, node.inputs): node for node in self.after.nodes}
        self.by_identity = {_identity(node): node for node in self.after.nodes}
        self.firings: dict[Identity, list[Fired]] = {}
        for one in self.fired:
            self.firings.setdefault(_identity(one.replaced), []).append(one)

    def follow(self, node: Node) -> None:
        """Find what the node is in the graph after, if it is anything."""
        found = node if node in self.present else self._equal(node)
        if found is not None:
            self.same[node] = found
            return
        rewriting = self._rewritten(node)
        if rewriting is not None:
            self.replaced[node] = rewriting

    def _equal(self, node: Node) -> Node | None:
        operands = [self._image(operand) for operand in node.inputs]
        known = [operand for operand in operands if operand is not None]
        if len(known) < len(operands):
            return None
        return self.by_meaning.get(_meaning(node, known))

    def _image(self, node: Node) -> Node | None:
        if node in self.same:
            return self.same[node]
        return self.replaced[node].replacement if node in self.replaced else None

    def _rewritten(self, node: Node) -> Rewriting | None:
        """Along the rules that fired, one after the other at the same place."""
        rules: list[Fired] = []
        current = node
        while len(rules) <= len(self.fired):
            firings = self.firings.get(_identity(current), [])
            if not firings:
                return None
            rules.append(firings[0] if len(firings) == 1 else firings.pop(0))
            current = rules[-1].replacement
            found = self._landed(current)
            if found is not None:
                return Rewriting(node, found, tuple(rules))
        return None

    def _landed(self, node: Node) -> Node | None:
        """A right side as the graph after has it: itself, its value, or it over new operands."""
        if node in self.present:
            return node
        return self.same.get(node, self.by_identity.get(_identity(node)))

    def change(self) -> Change:
        before = dict.fromkeys(self.before.nodes, Mark.VANISHED)
        after = dict.fromkeys(self.after.nodes, Mark.APPEARED)
        first, often = self._first_of_equals(), Counter(self.same.values())
        for node, image in self.same.items():
            before[node] = after[image] = Mark.MERGED if often[image] > 1 else Mark.UNCHANGED
        for kernel in (node for node in self.after.nodes if after[node] is Mark.APPEARED):
            if kernel.op.fused_body is not None:
                after[kernel] = Mark.FUSED
        for root, rewriting in self.replaced.items():
            if after[rewriting.replacement] is Mark.FUSED:
                self._mark_fused(root, before)
        pairs = {node: image for node, image in self.same.items() if first[image] is node}
        graphs = self.before, self.after
        rewritings = (*self.replaced.values(), *self._mergers(before))
        return Change(graphs, before, after, pairs, rewritings)

    def _mergers(self, marks: Mapping[Node, Mark]) -> Iterator[Rewriting]:
        """Nodes that gave way to another one which computes the same."""
        for node, image in self.same.items():
            rules = [one for one in self.firings.get(_identity(node), []) if one.replaced is node]
            if marks[node] is Mark.MERGED and rules:
                yield Rewriting(node, image, tuple(rules))

    def _first_of_equals(self) -> dict[Node, Node]:
        """Which of the nodes with one image it is, to the reader: the one with its origin."""
        first: dict[Node, Node] = {}
        for node, image in self.same.items():
            if image not in first or _identity(node) == _identity(image):
                first[image] = node
        return first

    def _mark_fused(self, root: Node, marks: dict[Node, Mark]) -> None:
        """The root of a kernel, and the nodes that vanish into it."""
        stack = [root]
        while stack:
            node = stack.pop()
            if marks[node] is Mark.VANISHED:
                marks[node] = Mark.FUSED
                stack.extend(x for x in node.inputs if x not in self.replaced)
