"""Comparisons, Boolean logic, selection, conversion of element types, and the gradient stop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from chainc.dataclass import dataclass
from chainc.ir import Node, Operand, Sample, apply
from chainc.ir.errors import DTypeError, MisfitError
from chainc.ir.leaves import as_nodes, refuse_truth_value
from chainc.ir.python.operators import operator
from chainc.ir.scalar import Scalar
from chainc.ir.types import (
    BY_NAME,
    DType,
    TensorType,
    bool_,
    float32,
    float64,
    int32,
)
from chainc.ops.elementwise import Binary, Ternary, Unary, infer_elementwise

__all__ = [
    "astype",
    "equal",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "not_equal",
    "stop_gradient",
    "where",
]

T = TypeVar("T")


class Comparison(Binary):
    """A Boolean per position; no derivative flows through it."""

    accepts = "fi"

    def result_dtype(self, operand: DType) -> DType:
        return bool_

    def vjp(self, g: Node, y: Node, a: Node, b: Node) -> tuple[None, None]:
        return None, None


class Less(Comparison):
    """y = a < b."""

    name = "less"
    symbol = "<"

    def scalar(self, s: Scalar[T], a: T, b: T) -> T:
        return s.less(a, b)


class LessEqual(Comparison):
    """y = a ≤ b."""

    name = "less_equal"
    symbol = "≤"

    def scalar(self, s: Scalar[T], a: T, b: T) -> T:
        return s.less_equal(a, b)


class Equal(Comparison):
    """y = a = b."""

    name = "equal"
    symbol = "="
    commutative = True
    accepts = "fib"

    def scalar(self, s: Scalar[T], a: T, b: T) -> T:
        return s.equal(a, b)


class LogicalAnd(Comparison):
    """y = a ∧ b."""

    name = "logical_and"
    symbol = "∧"
    commutative = True
    accepts = "b"

    def scalar(self, s: Scalar[T], a: T, b: T) -> T:
        return s.logical_and(a, b)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [Sample(cls(), (TensorType((2, 3), bool_), TensorType((3,), bool_)))]


class LogicalOr(LogicalAnd):
    """y = a ∨ b."""

    name = "logical_or"
    symbol = "∨"

    def scalar(self, s: Scalar[T], a: T, b: T) -> T:
        return s.logical_or(a, b)


class LogicalNot(Unary):
    """y = ¬x."""

    name = "logical_not"
    symbol = "¬"
    accepts = "b"

    def scalar(self, s: Scalar[T], x: T) -> T:
        return s.logical_not(x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[None]:
        return (None,)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [Sample(cls(), (TensorType((2, 3), bool_),))]


class Where(Ternary):
    """y = a where the condition holds, else b."""

    name = "where"
    roles = ("if", "then", "else")
    accepts = "fib"

    def infer(self, *operands: TensorType) -> TensorType:
        condition, a, b = operands
        if condition.dtype != bool_:
            raise MisfitError(
                DTypeError,
                f"the condition has element type {condition.dtype}, not bool",
                "compare first, such as cr.where(x > 0, a, b)",
            )
        # the condition takes part in broadcasting, not in promotion
        return infer_elementwise(self, (condition.with_dtype(a.dtype), a, b))

    def scalar(self, s: Scalar[T], a: T, b: T, c: T) -> T:
        return s.select(a, b, c)

    def vjp(self, g: Node, y: Node, condition: Node, a: Node, b: Node) -> Sequence[Node | None]:
        return None, where(condition, g, 0), where(condition, 0, g)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        rows = [((2, 3), (2, 3), (2, 3)), ((2, 1), (3,), (1, 3)), ((0,), (0,), (1,))]
        return [
            Sample(
                cls(),
                (TensorType(c, bool_), TensorType(a, float32), TensorType(b, float32)),
            )
            for c, a, b in rows
        ]


@dataclass(frozen=True)
class Cast(Unary):
    """y = x converted to another element type."""

    name = "astype"
    dtype: DType = float32
    accepts = "fib"

    def result_dtype(self, operand: DType) -> DType:
        return self.dtype

    def scalar(self, s: Scalar[T], x: T) -> T:
        return s.cast(x, self.dtype)

    def vjp(self, g: Node, y: Node, x: Node) -> Sequence[Node | None]:
        flows = x.type.dtype.is_float and self.dtype.is_float
        return (astype(g, x.type.dtype) if flows else None,)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        x = TensorType((2, 3), float32)
        return [Sample(cls(float64), (x,)), Sample(cls(int32), (x,))]


class StopGradient(Unary):
    """y = x; to a derivative it is a constant."""

    name = "stop_gradient"
    accepts = "fib"

    def scalar(self, s: Scalar[T], x: T) -> T:
        return x

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[None]:
        return (None,)


less = operator("<")(Less())
less_equal = operator("<=")(LessEqual())
equal = operator("==")(Equal())
logical_and = operator("&")(LogicalAnd())
logical_or = operator("|")(LogicalOr())
logical_not = operator("~")(LogicalNot())
stop_gradient = StopGradient()


@operator("!=")
def not_equal(a: Operand, b: Operand) -> Node:
    """Y = a ≠ b."""
    return logical_not(equal(a, b))


def greater(a: Operand, b: Operand) -> Node:
    """Y = a > b."""
    return less(b, a)


def greater_equal(a: Operand, b: Operand) -> Node:
    """Y = a ≥ b."""
    return less_equal(b, a)


def where(condition: Operand, a: Operand, b: Operand) -> Node:
    """`a` where the condition holds, else `b`."""
    refuse_truth_value("where", condition)
    return apply(Where(), *as_nodes(condition), *as_nodes(a, b))


def as_dtype(dtype: DType | str) -> DType:
    """An element type by name; an unknown name is an error that lists them all."""
    found = dtype if isinstance(dtype, DType) else BY_NAME.get(str(dtype))
    if found is None:
        known = ", ".join(d.name for d in set(BY_NAME.values()))
        raise DTypeError(f"{dtype!r} is no element type", hint=f"use one of {known}")
    return found


def astype(x: Operand, dtype: DType | str) -> Node:
    """`x` converted to `dtype`, on every target alike.

    A floating-point value is cut towards zero for an integer: one that does not fit gives the
    nearest integer that does, NaN gives 0. Of an integer that does not fit the last bits stay.
    """
    target = as_dtype(dtype)
    refuse_truth_value("astype", x)
    (node,) = as_nodes(x)
    return node if node.type.dtype == target else apply(Cast(target), node)
