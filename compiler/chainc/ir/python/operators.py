"""Python's operators on nodes, bound to the functions that the op files define.

The table keeps the direction of imports: nodes come first, ops later; an op file says
`@operator("+")` beside the function that the operator stands for.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, NoReturn, Self, TypeVar

import numpy as np

from chainc.ir.errors import GraphError

if TYPE_CHECKING:
    from chainc.ir.node import Node, Operand

F = TypeVar("F", bound=Callable[..., "Node"])

OPERATORS: dict[str, Callable[..., Node]] = {}


def operator(symbol: str) -> Callable[[F], F]:
    """Bind a function, or an op, to an operator symbol."""

    def bind(function: F) -> F:
        # an op's call as it is now: that which users see later looks at their arguments, too
        is_op = not isinstance(function, FunctionType)
        OPERATORS[symbol] = MethodType(type(function).__call__, function) if is_op else function
        return function

    return bind


if TYPE_CHECKING:

    class Equality:
        """To a type checker `==` gives a bool, as that of every object has to."""

        def __eq__(self, other: object) -> bool:
            return self is other

        def __hash__(self) -> int:
            return id(self)
else:

    class Equality:
        """`==` and `!=` element by element, as the Array API standard says; hashed by identity.

        What holds no numbers, such as None or a text, is never equal to a node.
        """

        __slots__ = ()

        __hash__ = object.__hash__

        def __eq__(self, other: object) -> Node:
            return OPERATORS["=="](self, other) if _has_numbers(other) else NotImplemented

        def __ne__(self, other: object) -> Node:
            return OPERATORS["!="](self, other) if _has_numbers(other) else NotImplemented


def _has_numbers(other: object) -> bool:
    return isinstance(other, Equality | bool | int | float | np.generic | np.ndarray | list)


class Operators(Equality):
    """What a node answers to `+`, `@`, `<`, `[...]` and their reflections."""

    __slots__ = ()

    def __add__(self, other: Operand) -> Node:
        return OPERATORS["+"](self, other)

    def __radd__(self, other: Operand) -> Node:
        return OPERATORS["+"](other, self)

    def __sub__(self, other: Operand) -> Node:
        return OPERATORS["-"](self, other)

    def __rsub__(self, other: Operand) -> Node:
        return OPERATORS["-"](other, self)

    def __mul__(self, other: Operand) -> Node:
        return OPERATORS["*"](self, other)

    def __rmul__(self, other: Operand) -> Node:
        return OPERATORS["*"](other, self)

    def __truediv__(self, other: Operand) -> Node:
        return OPERATORS["/"](self, other)

    def __rtruediv__(self, other: Operand) -> Node:
        return OPERATORS["/"](other, self)

    def __floordiv__(self, other: Operand) -> Node:
        return OPERATORS["//"](self, other)

    def __rfloordiv__(self, other: Operand) -> Node:
        return OPERATORS["//"](other, self)

    def __mod__(self, other: Operand) -> Node:
        return OPERATORS["%"](self, other)

    def __rmod__(self, other: Operand) -> Node:
        return OPERATORS["%"](other, self)

    def __pow__(self, other: Operand) -> Node:
        return OPERATORS["**"](self, other)

    def __rpow__(self, other: Operand) -> Node:
        return OPERATORS["**"](other, self)

    def __matmul__(self, other: Operand) -> Node:
        return OPERATORS["@"](self, other)

    def __rmatmul__(self, other: Operand) -> Node:
        return OPERATORS["@"](other, self)

    def __pos__(self) -> Self:
        return self

    def __neg__(self) -> Node:
        return OPERATORS["neg"](self)

    def __abs__(self) -> Node:
        return OPERATORS["abs"](self)

    def __lt__(self, other: Operand) -> Node:
        return OPERATORS["<"](self, other)

    def __le__(self, other: Operand) -> Node:
        return OPERATORS["<="](self, other)

    def __gt__(self, other: Operand) -> Node:
        return OPERATORS["<"](other, self)

    def __ge__(self, other: Operand) -> Node:
        return OPERATORS["<="](other, self)

    def __and__(self, other: Operand) -> Node:
        return OPERATORS["&"](self, other)

    def __or__(self, other: Operand) -> Node:
        return OPERATORS["|"](self, other)

    def __rand__(self, other: Operand) -> Node:
        return OPERATORS["&"](other, self)

    def __ror__(self, other: Operand) -> Node:
        return OPERATORS["|"](other, self)

    def __invert__(self) -> Node:
        return OPERATORS["~"](self)

    def __getitem__(self, key: object) -> Node:
        return OPERATORS["[]"](self, key)

    @property
    def T(self) -> Node:
        """The matrix transpose: the last two axes exchanged."""
        return OPERATORS[".T"](self)

    def __bool__(self) -> bool:
        raise GraphError(
            "a node has no truth value: its numbers exist only when the graph runs",
            hint="choose inside the graph with cr.where(condition, a, b); whether two nodes are "
            "one and the same says a is b",
        )

    def __iter__(self) -> NoReturn:
        raise GraphError(
            "a node cannot be unpacked or looped over",
            hint="take its parts by index, such as node[0], or reduce it with cr.sum(node)",
        )
