"""Rewriting: rules written as equations, the driver that applies them, and the trace.

    rule = RuleSet()

    @rule.exact
    def neg_neg(x: Node) -> Equation:
        return -(-x), x

Called with holes, a rule gives the pattern to look for; called with the nodes that were found, it
gives what takes their place. A right side that is a function is called then, and not before: it
may look at types and attributes, and returns None where the equation does not apply.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import FunctionType
from typing import overload

from chainc.ir import (
    Graph,
    Node,
    Op,
    Origin,
    Rewrite,
    current_origin,
    describe,
    originating,
    with_inputs,
)
from chainc.ir.errors import Location, VerifyError, calling_location
from chainc.rewriting.patterns import Found, Operands, admits, holes, inner, match, orders

__all__ = [
    "Equation",
    "Fired",
    "Operands",
    "Rule",
    "RuleSet",
    "in_gradient",
    "note",
    "replacing",
    "rewrite",
    "tracing",
]

Equation = tuple[Node, Node | Callable[[], Node | None]]
Statement = Callable[..., Equation]
Arguments = Sequence[object]  # of a rule: a tensor type for a node, else the attribute itself


@dataclass(frozen=True, eq=False)
class Rule:
    """A named equation, used from left to right.

    `kind` is "exact" when the value stays the same for every input, NaN, infinities and signed
    zeros included, or only becomes more accurate; and "fast" when the equation holds for real
    numbers. A fast rule may be exact for the kinds of element type in `exact_for`. An `alone` rule
    applies only where nothing else reads the nodes inside its left side, which go. One with
    `reads` applies only where an operand of the root is such an op. `at` lists arguments to test
    the rule with; a rule of elementwise ops needs none.
    """

    statement: Statement
    kind: str
    exact_for: str = ""
    alone: bool = False
    reads: tuple[type[Op], ...] = (Op,)
    at: Sequence[Arguments] = ()

    @property
    def name(self) -> str:
        return self.statement.__name__

    @property
    def location(self) -> Location:
        """Where it is written."""
        statement = self.statement
        assert isinstance(statement, FunctionType)
        return Location(statement.__code__.co_filename, statement.__code__.co_firstlineno)

    @cached_property
    def patterns(self) -> tuple[Node, ...]:
        """The left side with the operands of commutative ops in every order."""
        with originating(Origin()):  # a pattern comes from no line of the user's
            left, _ = self.statement(**holes(self.statement))
            return tuple(orders(left))

    def result(self, found: Found) -> Node | None:
        """The right side, over what the holes stand for."""
        _, right = self.statement(**found)
        return right() if callable(right) else right

    def kind_at(self, node: Node) -> str:
        """Exact or fast, for the element types of this node and its operands."""
        kinds = {part.type.dtype.kind for part in (node, *node.inputs)}
        return "exact" if self.kind == "exact" or kinds <= set(self.exact_for) else "fast"


class RuleSet:
    """The rules of one pass, in the order in which they are tried."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)

    @overload
    def exact(self, statement: Statement, /) -> Rule: ...
    @overload
    def exact(
        self,
        statement: None = None,
        /,
        *,
        alone: bool = ...,
        reads: tuple[type[Op], ...] = ...,
        at: Sequence[Arguments] = ...,
    ) -> Callable[[Statement], Rule]: ...
    def exact(
        self,
        statement: Statement | None = None,
        /,
        *,
        alone: bool = False,
        reads: tuple[type[Op], ...] = (Op,),
        at: Sequence[Arguments] = (),
    ) -> Rule | Callable[[Statement], Rule]:
        """Add a rule that is exact."""

        def add(statement: Statement) -> Rule:
            return self._add(Rule(statement, "exact", alone=alone, reads=reads, at=at))

        return add if statement is None else add(statement)

    @overload
    def fast(self, statement: Statement, /) -> Rule: ...
    @overload
    def fast(
        self,
        statement: None = None,
        /,
        *,
        exact_for: str = ...,
        alone: bool = ...,
        at: Sequence[Arguments] = ...,
    ) -> Callable[[Statement], Rule]: ...
    def fast(
        self,
        statement: Statement | None = None,
        /,
        *,
        exact_for: str = "",
        alone: bool = False,
        at: Sequence[Arguments] = (),
    ) -> Rule | Callable[[Statement], Rule]:
        """Add a rule that holds for real numbers."""

        def add(statement: Statement) -> Rule:
            return self._add(Rule(statement, "fast", exact_for, alone, at=at))

        return add if statement is None else add(statement)

    def _add(self, rule: Rule) -> Rule:
        self._rules.append(rule)
        return rule


@dataclass(frozen=True)
class Fired:
    """One step of a pass: by which rule, and what took the place of what.

    `location` is where the rule is written, in the compiler.
    """

    rule: str
    kind: str
    replaced: Node
    replacement: Node
    location: Location

    def __str__(self) -> str:
        return f"{self.rule}: {describe(self.replaced)} -> {describe(self.replacement)}"


_TRACE: ContextVar[list[Fired] | None] = ContextVar("trace", default=None)


@contextmanager
def tracing() -> Iterator[list[Fired]]:
    """Collects what fires inside."""
    fired: list[Fired] = []
    token = _TRACE.set(fired)
    try:
        yield fired
    finally:
        _TRACE.reset(token)


def note(
    rule: str,
    replaced: Node,
    replacement: Node,
    kind: str = "exact",
    location: Location | None = None,
) -> None:
    """Tell the trace that one node took the place of another.

    A pass that is no set of rules calls this itself; its rule is then written at the call.
    """
    fired = _TRACE.get()
    if fired is not None:
        place = location or calling_location()
        fired.append(Fired(rule, kind, replaced, replacement, place))


def replacing(node: Node, rule: str) -> Origin:
    """The origin of nodes that take this node's place."""
    origin = node.origin
    return Origin(origin.location, origin.scopes, origin.derivative, Rewrite(rule, node))


def in_gradient() -> bool:
    """Inside a rule's right side: is the replaced node part of a derivative?"""
    return current_origin().derivative is not None


@dataclass
class _Index:
    """The patterns by the classes of their root and of its first operands."""

    rules: tuple[Rule, ...]
    known: dict[tuple[type[Op], ...], tuple[tuple[Rule, Node], ...]] = field(default_factory=dict)

    def candidates(self, node: Node) -> tuple[tuple[Rule, Node], ...]:
        operands = node.inputs[:3]
        key = (type(node.op), *(type(operand.op) for operand in operands))
        if key not in self.known:
            self.known[key] = tuple(
                (rule, pattern)
                for rule in self.rules
                for pattern in rule.patterns
                if admits(pattern, key[0])
                and all(map(admits, pattern.inputs, key[1:]))
                and (not operands or any(issubclass(op, rule.reads) for op in key[1:]))
            )
        return self.known[key]


@lru_cache(maxsize=32)
def _index(rules: tuple[Rule, ...]) -> _Index:
    return _Index(rules)


def rewrite(
    graph: Graph, rules: Iterable[Rule], *, fast_math: bool = False, budget: int | None = None
) -> Graph:
    """Replace left sides by right sides, operands first, until no rule applies.

    A node keeps its type: where an equation would change it, because operands broadcast or are
    promoted differently, it does not apply. Every new node's origin names the rule and the node
    it stands in for. An unchanged graph is returned as it is.

    Args:
        graph: any graph.
        rules: tried in this order.
        fast_math: apply fast rules too.
        budget: how many times rules may fire, by default 1,000 and 20 times a node.

    Raises:
        VerifyError: rules go on firing beyond the budget.
    """
    allowed = budget if budget is not None else 1000 + 20 * len(graph.nodes)
    readers = Counter(operand for node in graph.nodes for operand in node.inputs)
    readers.update(graph.roots)
    rewriting = _Rewriting(_index(tuple(rules)), fast_math, allowed, set(graph.nodes), readers)
    for node in graph.nodes:
        rewriting.settle(node)
    changed = any(rewriting.settled[root] is not root for root in graph.roots)
    return graph.replace(rewriting.settled) if changed else graph


@dataclass
class _Rewriting:
    """One walk over a graph: what became of each node, and which nodes have equal values."""

    index: _Index
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
            else:
                waiting = [operand for operand in node.inputs if operand not in self.settled]
                stack.extend(reversed(waiting))
                if not waiting:
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
        rebuilt = with_inputs(node, tuple(self.settled[operand] for operand in node.inputs))
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
        for rule, pattern in self.index.candidates(node):
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
