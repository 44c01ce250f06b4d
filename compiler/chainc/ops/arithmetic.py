"""Arithmetic: what Python's operators on nodes stand for."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np

from chainc.ir import Later, Node, Operand
from chainc.ir.leaves import Constant, constant
from chainc.ir.python.operators import operator
from chainc.ir.scalar import Scalar
from chainc.ops.elementwise import Binary, Unary
from chainc.ops.functions import log, sign
from chainc.ops.logic import equal, less, logical_and, where

__all__ = [
    "abs",
    "add",
    "divide",
    "floor_divide",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "pow",
    "reciprocal",
    "remainder",
    "square",
    "subtract",
]

T = TypeVar("T")


class Add(Binary):
    """y = a + b."""

    name = "add"
    symbol = "+"
    commutative = True
    accepts = "fi"

    def scalar(self, s: Scalar[T], a: T, b: T) -> T:
        return s.add(a, b)

    def vjp(self, g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
        return g, g


class Subtract(Binary):
    """y = a - b."""

    name = "subtract"
    symbol = "−"
    accepts = "fi"

    def scalar(self, s: Scalar[T], a: T, b: T) -> T:
        return s.subtract(a, b)

    def vjp(self, g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
        return g, -g


class Multiply(Binary):
    """y = a b."""

    name = "multiply"
    symbol = "×"
    commutative = True
    accepts = "fi"

    def scalar(self, s: Scalar[T], a: T, b: T) -> T:
        return s.multiply(a, b)

    def vjp(self, g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
        return g * b, g * a


class Divide(Binary):
    """y = a / b."""

    name = "divide"
    symbol = "/"
    domain = (0.5, 2.5)

    def scalar(self, s: Scalar[T], a: T, b: T) -> T:
        return s.divide(a, b)

    def vjp(self, g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
        return g / b, -(g * y) / b


class FloorDivide(Binary):
    """y = ⌊a / b⌋; its derivative is zero wherever it exists."""

    name = "floor_divide"
    symbol = "//"
    accepts = "fi"
    domain = (0.5, 2.5)

    def scalar(self, s: Scalar[T], a: T, b: T) -> T:
        return s.floor_divide(a, b)

    def vjp(self, g: Node, y: Node, a: Node, b: Node) -> tuple[None, None]:
        return None, None


class Remainder(Binary):
    """y = a - b ⌊a / b⌋, with the sign of b."""

    name = "remainder"
    symbol = "mod"
    accepts = "fi"
    domain = (0.5, 2.5)

    def scalar(self, s: Scalar[T], a: T, b: T) -> T:
        return s.remainder(a, b)

    def vjp(self, g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
        return g, -(g * floor_divide(a, b))


class Power(Binary):
    """y = a^b."""

    name = "power"
    symbol = "^"
    accepts = "fi"
    domain = (0.5, 2.5)

    def scalar(self, s: Scalar[T], a: T, b: T) -> T:
        return s.power(a, b)

    def vjp(self, g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Later]:
        # d(a^0)/da is 0 also where a^(-1) is not finite, and d(0^b)/db is 0 though ln 0 is not
        return g * b * _power_below(a, b), lambda: g * y * log(where(equal(a, 0), 1, a))


def _power_below(a: Node, b: Node) -> Node:
    """a^(b-1), plain where b is a number."""
    if not isinstance(b.op, Constant):
        return _base(a, b) ** (b - 1)
    exponent = constant(b.op.value.array - 1)
    return a if b.ndim == 0 and b.op.value.array == 2 else _base(a, b) ** exponent


def _base(a: Node, b: Node) -> Node:
    """`a`, but 1 where b is 0 and 1 / a is not finite: b a^(b-1) is then 0 all the same."""
    if isinstance(b.op, Constant) and np.all(b.op.value.array):
        return a
    finite = less(abs(1 / a), math.inf)
    return where(logical_and(equal(b, 0), ~finite), 1, a)


class Maximum(Binary):
    """y = max(a, b), NaN where either is; where they are equal the derivative goes to b."""

    name = "maximum"
    symbol = "max"
    commutative = True
    accepts = "fi"

    def scalar(self, s: Scalar[T], a: T, b: T) -> T:
        return s.maximum(a, b)

    def vjp(self, g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
        return where(b < a, g, 0), where(a <= b, g, 0)


class Minimum(Binary):
    """y = min(a, b), NaN where either is; where they are equal the derivative goes to b."""

    name = "minimum"
    symbol = "min"
    commutative = True
    accepts = "fi"

    def scalar(self, s: Scalar[T], a: T, b: T) -> T:
        return s.minimum(a, b)

    def vjp(self, g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
        return where(a < b, g, 0), where(b <= a, g, 0)


class Negative(Unary):
    """y = -x."""

    name = "negative"
    symbol = "−"
    accepts = "fi"

    def scalar(self, s: Scalar[T], x: T) -> T:
        return s.negative(x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (-g,)


class Absolute(Unary):
    """y = |x|; the derivative at 0 is taken as 0."""

    name = "abs"
    accepts = "fi"

    def scalar(self, s: Scalar[T], x: T) -> T:
        return s.absolute(x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (g * sign(x),)


add = operator("+")(Add())
subtract = operator("-")(Subtract())
multiply = operator("*")(Multiply())
divide = operator("/")(Divide())
floor_divide = operator("//")(FloorDivide())
remainder = operator("%")(Remainder())
pow = operator("**")(Power())
negative = operator("neg")(Negative())
abs = operator("abs")(Absolute())
maximum = Maximum()
minimum = Minimum()


def square(x: Operand) -> Node:
    """Y = x x."""
    return multiply(x, x)


def reciprocal(x: Operand) -> Node:
    """Y = 1 / x."""
    return divide(1, x)
