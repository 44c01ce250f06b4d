"""Rules are equations, written as functions of nodes.

    rule = RuleSet()

    @rule.exact
    def neg_neg(x: Node) -> Equation:
        return -(-x), x

Called with holes, a rule gives the pattern to look for; called with the nodes that were found, it
gives what takes their place. A right side that is a function is called then, and not before: it
may look at types and attributes, and returns None where the equation does not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from types import FunctionType
from typing import overload

from chainc.dataclass import dataclass
from chainc.ir import Node, Op, Origin, originating
from chainc.ir.errors import Location
from chainc.rewriting.patterns import Found, holes, orders

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
