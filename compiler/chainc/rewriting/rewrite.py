"""The driver that applies rules to a graph until none fires."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import field

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, originating, with_inputs
from chainc.ir.errors import VerifyError
from chainc.rewriting.candidates import Candidates, candidates_of
from chainc.rewriting.patterns import inner, match
from chainc.rewriting.rules import Rule
from chainc.rewriting.trace import note, replacing


def rewrite(
    graph: Graph, rules: Iterable[Rule], *, fast_math: bool = False, budget: int | None = None
) -> Graph:
    """Replace left sides by right sides, operands first, until no rule applies.

    An equation that would change a node's type, because operands broadcast or are promoted
    differently, does not apply. New nodes' origins name the rule and the node they stand in for.

    Args:
        graph: any graph.
        rules: tried in this order.
        fast_math: apply fast rules too.
        budget: how many times rules may fire, by default 1,000 and 20 times a node.

    Raises:
        VerifyError: rules go on firing beyond the budget.
    """
    candidates = candidates_of(tuple(rules))
    if not any(map(candidates.at, graph.nodes)):
        return graph
    allowed = budget if budget is not None else 1000 + 20 * len(graph.nodes)
    readers = Counter(operand for node in graph.nodes for operand in node.inputs)
    readers.update(graph.roots)
    rewriting = _Rewriting(candidates, fast_math, allowed, set(graph.nodes), readers)
    for node in graph.nodes:
        rewriting.settle(node)
    return graph.replace(rewriting.settled)


@dataclass
class _Rewriting:
    """One walk over a graph: what became of each node, and which nodes have equal values."""

    candidates: Candidates
    fast_math: bool
    budget: int
    declared: set[Node]  # nodes of the graph: never merged with each other, unlike new ones
    readers: Counter[Node]  # how often each is read in the graph, or what it takes the place of
    settled: dict[Node, Node] = field(default_factory=dict)
    replaced: dict[Node, Node] = field(default_factory=dict)
    twins: dict[Node, Node] = field(default_factory=dict)  # to the first node of equal value
    first: dict[tuple[object, ...], Node] = field(default_factory=dict)
    firings: Counter[str] = field(default_factory=Counter)

    def settle(self, root: Node) -> None:
        """Find what the root becomes, with a stack in place of recursion."""
        stack = [root]
        while stack:
            node = stack[-1]
            if node in self.settled:
                stack.pop()
            elif node in self.replaced:
                self._follow(node, stack)
            elif waiting := [operand for operand in node.inputs if operand not in self.settled]:
                stack.extend(reversed(waiting))
            else:
                self._step(node)

    def _follow(self, node: Node, stack: list[Node]) -> None:
        successor = self.replaced[node]
        if successor not in self.settled:
            stack.append(successor)
            return
        self.settled[node] = self.settled[successor]
        self.readers[self.settled[node]] += self.readers[node]

    def _step(self, node: Node) -> None:
        """Settle a node whose operands are settled, or put its successor in its place."""
        rebuilt = with_inputs(node, tuple([self.settled[operand] for operand in node.inputs]))
        if rebuilt is not node:
            if node in self.declared:
                self.declared.add(rebuilt)
            self.replaced[node] = rebuilt
            return
        key = self._value(node)
        if key in self.first and node not in self.declared:
            self.replaced[node] = self.first[key]
            return
        successor = self._fire(node)
        if successor is not None:
            self.replaced[node] = successor
            return
        self.twins[node] = self.first.setdefault(key, node)
        self.settled[node] = node

    def _value(self, node: Node) -> tuple[object, ...]:
        """Equal for nodes that compute the same: equal ops over equal operands."""
        operands = [id(self.twins[operand]) for operand in node.inputs]
        return (node.op, *(sorted(operands) if node.op.commutative else operands))

    def _same(self, a: Node, b: Node) -> bool:
        return a is b or self.twins[a] is self.twins[b]

    def _fire(self, node: Node) -> Node | None:
        for rule, pattern in self.candidates.at(node):
            found = match(pattern, node, self._same)
            if found is None:
                continue
            kind = rule.kind_at(node)
            if kind == "fast" and not self.fast_math:
                continue
            if rule.alone and any(self.readers[part] > 1 for part in inner(pattern, node)):
                continue
            with originating(replacing(node, rule.name)):
                result = rule.result(found)
            if result is None or result is node or result.type != node.type:
                continue
            self._count(rule)
            note(rule.name, node, result, kind, rule.location)
            return result
        return None

    def _count(self, rule: Rule) -> None:
        self.firings[rule.name] += 1
        if self.firings.total() <= self.budget:
            return
        names = ", ".join(f"{name} ({count} times)" for name, count in self.firings.most_common(3))
        raise VerifyError(
            f"rewriting does not end: after {self.budget} steps these rules still fire: {names}",
            where="-",
            hint="make the right side of one of these rules simpler than its left side",
        )
