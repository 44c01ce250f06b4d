"""The elementwise family: one result element per position of the broadcast operands.

Each op states its scalar meaning once; every backend, the formula in a picture and a missing
derivative follow from it by interpretation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from chainc.ir import Node, Op, Operand, Sample, apply
from chainc.ir.errors import DTypeError, GraphError, MisfitError, ShapeError
from chainc.ir.kernels import Kernels
from chainc.ir.leaves import as_nodes, refuse_truth_value
from chainc.ir.scalar import Scalar
from chainc.ir.types import DType, Shape, TensorType, broadcast, float32, format_shape, promote

T = TypeVar("T")

KINDS = {"f": "floating-point", "i": "integer", "b": "boolean"}


class Elementwise(Op):
    """One result element per position of the broadcast operands."""

    accepts: ClassVar[str] = "f"  # kinds of element type
    domain: ClassVar[tuple[float, float]] = (-2.0, 2.0)  # where tests draw operands

    def interpret(self, s: Scalar[T], operands: Sequence[T]) -> T:
        """The scalar meaning, in any vocabulary."""
        raise NotImplementedError

    def kernel(self, k: Kernels[T], result: TensorType, *operands: T) -> T:
        return k.map(result, self, operands)

    def arity(self) -> int:
        raise NotImplementedError

    def result_dtype(self, operand: DType) -> DType:
        return operand

    def infer(self, *operands: TensorType) -> TensorType:
        return infer_elementwise(self, operands)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        op = cls()
        shapes: list[list[Shape]] = [[(2, 3)] * 3, [(3,), (2, 3), (1, 1)], [(1,)] * 3, [(0, 2)] * 3]
        return [
            Sample(op, tuple(TensorType(shape, float32) for shape in row[: op.arity()]), cls.domain)
            for row in shapes
        ]


def infer_elementwise(op: Elementwise, operands: Sequence[TensorType]) -> TensorType:
    """Broadcast shapes and promoted element type, or a misfit that says how to mend it."""
    if len(operands) != op.arity():
        raise MisfitError(
            GraphError,
            f"takes {op.arity()} operands, got {len(operands)}",
            f"give {op.arity()} operands",
        )
    first = operands[0]
    dtype = first.dtype
    if dtype.kind in op.accepts and operands.count(first) == len(operands):  # most are so
        found = op.result_dtype(dtype)
        return first if found is dtype else first.with_dtype(found)
    for operand in operands[1:]:
        promoted = promote(dtype, operand.dtype)
        if promoted is None:
            raise MisfitError(
                DTypeError,
                f"element types {dtype} and {operand.dtype} do not mix",
                f"convert one operand with cr.astype(x, {operand.dtype.name!r})",
            )
        dtype = promoted
    if dtype.kind not in op.accepts:
        kinds = " or ".join(KINDS[kind] for kind in op.accepts)
        target = "bool" if op.accepts == "b" else "float32"
        raise MisfitError(
            DTypeError,
            f"needs {kinds} operands, got {dtype}",
            f"convert the operand with cr.astype(x, {target!r})",
        )
    shape = broadcast(*(operand.shape for operand in operands))
    if shape is None:
        shapes = " and ".join(format_shape(operand.shape) for operand in operands)
        raise MisfitError(
            ShapeError,
            f"shapes {shapes} do not broadcast",
            "give the operands equal sizes on every axis, or size 1 where one is to be repeated "
            "(cr.expand_dims, cr.reshape)",
        )
    return TensorType(shape, op.result_dtype(dtype))


class Unary(Elementwise):
    """y = f(x)."""

    def scalar(self, s: Scalar[T], x: T) -> T:
        raise NotImplementedError

    def interpret(self, s: Scalar[T], operands: Sequence[T]) -> T:
        return self.scalar(s, operands[0])

    def arity(self) -> int:
        return 1

    def __call__(self, x: Operand) -> Node:
        refuse_truth_value(self.name, x)
        return apply(self, *as_nodes(x))


class Binary(Elementwise):
    """y = f(a, b)."""

    def scalar(self, s: Scalar[T], a: T, b: T) -> T:
        raise NotImplementedError

    def interpret(self, s: Scalar[T], operands: Sequence[T]) -> T:
        return self.scalar(s, operands[0], operands[1])

    def arity(self) -> int:
        return 2

    def __call__(self, a: Operand, b: Operand) -> Node:
        return apply(self, *as_nodes(a, b))


class Ternary(Elementwise):
    """y = f(a, b, c)."""

    def scalar(self, s: Scalar[T], a: T, b: T, c: T) -> T:
        raise NotImplementedError

    def interpret(self, s: Scalar[T], operands: Sequence[T]) -> T:
        return self.scalar(s, operands[0], operands[1], operands[2])

    def arity(self) -> int:
        return 3

    def __call__(self, a: Operand, b: Operand, c: Operand) -> Node:
        return apply(self, *as_nodes(a, b, c))
