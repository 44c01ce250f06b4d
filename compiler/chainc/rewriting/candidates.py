"""Which patterns are worth a look at a node: found by classes of ops alone, and kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from functools import lru_cache

from chainc.dataclass import dataclass
from chainc.ir import Node, Op
from chainc.rewriting.patterns import admits
from chainc.rewriting.rules import Rule

Candidate = tuple[Rule, Node]  # with one of its patterns


@dataclass
class Candidates:
    """The patterns of rules, in their order, by the classes of root and first operands."""

    rules: tuple[Rule, ...]
    by_root: dict[type[Op], tuple[Candidate, ...]] = field(default_factory=dict)
    known: dict[tuple[type[Op], ...], tuple[Candidate, ...]] = field(default_factory=dict)

    def at(self, node: Node) -> tuple[Candidate, ...]:
        """Those that may match here."""
        key = (type(node.op), *[type(operand.op) for operand in node.inputs[:3]])
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = tuple(self._over(*key))
        return found

    def _over(self, root: type[Op], *operands: type[Op]) -> Iterator[Candidate]:
        for rule, pattern in self._rooted(root):
            reads = not operands or any(issubclass(op, rule.reads) for op in operands)
            if reads and all(map(admits, pattern.inputs, operands)):
                yield rule, pattern

    def _rooted(self, root: type[Op]) -> tuple[Candidate, ...]:
        """Few of all: what is asked of operands is then asked of these alone."""
        if root not in self.by_root:
            every = ((rule, pattern) for rule in self.rules for pattern in rule.patterns)
            self.by_root[root] = tuple(each for each in every if admits(each[1], root))
        return self.by_root[root]


@lru_cache(maxsize=32)
def candidates_of(rules: tuple[Rule, ...]) -> Candidates:
    """One for equal rules."""
    return Candidates(rules)
