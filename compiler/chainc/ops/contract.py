"""Contraction: every product of two tensors that sums over shared axes."""

from __future__ import annotations

import builtins
import string
from collections.abc import Sequence
from typing import TypeVar

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, Op, Operand, Sample, apply
from chainc.ir.errors import DTypeError, MisfitError, ShapeError
from chainc.ir.kernels import Kernels
from chainc.ir.leaves import as_nodes
from chainc.ir.python.operators import operator
from chainc.ir.types import Dim, Shape, TensorType, float32, format_shape, promote
from chainc.ops.arithmetic import add
from chainc.ops.formula import infer_body, scalar_input
from chainc.ops.functions import tanh
from chainc.ops.movement import permute_dims, reshape
from chainc.ops.reduce import sum

__all__ = ["einsum", "linear", "matmul", "matrix_transpose", "outer"]

T = TypeVar("T")


@dataclass(frozen=True)
class Contract(Op):
    """A two-operand einsum: `a`, `b` and `result` name the axes by letters.

    Every letter stands in at least two of the three, once in each; a letter that is missing
    from the result is summed over.
    """

    name = "contract"
    roles = "AB"
    a: str
    b: str
    result: str

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        dtype = promote(a.dtype, b.dtype)
        if dtype is None or dtype.is_bool:
            raise MisfitError(
                DTypeError,
                f"cannot multiply element types {a.dtype} and {b.dtype}",
                f"convert one operand with cr.astype(x, {a.dtype.name!r})",
            )
        sizes = self.sizes(a, b)
        return TensorType(tuple(sizes[letter] for letter in self.result), dtype)

    def sizes(self, a: TensorType, b: TensorType) -> dict[str, Dim]:
        """The size of every axis letter; operands that disagree are a misfit."""
        parts = self.letters
        every = "".join(parts)
        if any(len(set(p)) < len(p) for p in parts) or any(every.count(c) < 2 for c in every):
            raise MisfitError(
                ShapeError,
                f"{self.equation} is no contraction",
                "name each axis by a letter that stands in two of the three, once in each",
            )
        for letters, operand in ((self.a, a), (self.b, b)):
            if len(letters) != operand.ndim:
                raise MisfitError(
                    ShapeError,
                    f"{self.equation} needs {len(letters)} axes, got {format_shape(operand.shape)}",
                    "reshape the operand, or write another einsum",
                )
        sizes = dict(zip(self.a, a.shape, strict=True))
        for letter, dim in zip(self.b, b.shape, strict=True):
            if sizes.setdefault(letter, dim) != dim:
                raise MisfitError(
                    ShapeError,
                    f"shapes {format_shape(a.shape)} and {format_shape(b.shape)} do not fit: "
                    f"the shared axis is {sizes[letter]} on the left and {dim} on the right",
                    self._hint(a.shape, b.shape, sizes[letter], dim),
                )
        return sizes

    @staticmethod
    def _hint(a: Shape, b: Shape, left: Dim, right: Dim) -> str:
        if len(b) == 2 and b[-1] == left:
            return "transpose the right operand: a @ b.T"
        if len(a) == 2 and a[0] == right:
            return "transpose the left operand: a.T @ b"
        return f"give both operands the size {left}, or both {right}, on the shared axis"

    @property
    def equation(self) -> str:
        return f"{self.a},{self.b}->{self.result}"

    @property
    def label(self) -> str:
        summed, transposed = set(self.a) - set(self.result), self.as_matrices()
        if transposed is None or not summed:
            return self.equation
        left, right = ("ᵀ" if turned else "" for turned in transposed)
        return f"A{left} B{right}"

    def as_matrices(self) -> tuple[bool, bool] | None:
        """Which factor is transposed where this is a product of matrices or vectors."""
        summed = set(self.a) - set(self.result)
        rest = "".join(axis for axis in self.a + self.b if axis not in summed)
        if max(len(self.a), len(self.b)) > 2 or len(summed) > 1 or rest != self.result:
            return None
        if not summed:  # of two vectors, a column times a row
            return (False, True) if len(self.a) == len(self.b) == 1 else None
        left = len(self.a) == 2 and self.a[0] in summed
        return left, len(self.b) == 2 and self.b[1] in summed

    @property
    def letters(self) -> tuple[str, str, str]:
        return self.a, self.b, self.result

    def kernel(self, k: Kernels[T], result: TensorType, a: T, b: T) -> T:
        return k.contract(result, self.letters, a, b)

    def vjp(self, g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
        return (
            apply(Contract(self.result, self.b, self.a), g, b),
            apply(Contract(self.a, self.result, self.b), a, g),
        )

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def at(equation: str, a: Shape, b: Shape) -> Sample:
            left, right, result = equation.replace("->", ",").split(",")
            types = (TensorType(a, float32), TensorType(b, float32))
            return Sample(cls(left, right, result), types)

        return [
            at("ab,bc->ac", (2, 3), (3, 4)),
            at("ab,cb->ca", (2, 3), (4, 3)),
            at("ab,ab->", (2, 3), (2, 3)),
            at("a,b->ab", (2,), (3,)),
            at("a,ab->b", (3,), (3, 2)),
            at("abc,acd->abd", (2, 3, 4), (2, 4, 5)),
            at("abc,dcb->da", (2, 3, 4), (5, 4, 3)),
            at("abcd,acbe->bade", (2, 3, 2, 1), (2, 2, 3, 2)),
            at("ab,bc->ac", (0, 3), (3, 1)),
            at("ab,bc->ac", (2, 0), (0, 3)),
        ]


@dataclass(frozen=True)
class FusedContract(Op):
    """A contraction with an epilogue: an elementwise body applied to each result element.

    The body's input "0" is the contraction; the others are further operands, made by fusion
    after differentiation.
    """

    name = "fused_contract"
    roles = "AB" + string.ascii_lowercase[2:]
    contract: Contract
    body: Graph

    @property
    def fused_body(self) -> Graph:
        return self.body

    @property
    def fused_contraction(self) -> Contract:
        return self.contract

    def infer(self, a: TensorType, b: TensorType, *extra: TensorType) -> TensorType:
        return infer_body(self.body, (self.contract.infer(a, b), *extra))

    def kernel(self, k: Kernels[T], result: TensorType, *operands: T) -> T:
        return k.fused_contract(result, self.contract.letters, self.body, operands)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        body = Graph((tanh(add(scalar_input(0, float32), scalar_input(1, float32))),))
        types = tuple(TensorType(shape, float32) for shape in ((2, 3), (3, 4), (4,)))
        return [Sample(cls(Contract("ab", "bc", "ac"), body), types)]


def einsum(equation: str, a: Operand, b: Operand) -> Node:
    """A two-operand einsum such as `"bi,io->bo"`; letters may not repeat within an operand.

    Raises:
        ShapeError: the equation is malformed, or does not fit the operands.
    """
    x, y = as_nodes(a, b)
    left, right, result = _parse(equation)
    x, left = _sum_lonely(x, left, right + result)
    y, right = _sum_lonely(y, right, left + result)
    return apply(Contract(left, right, result), x, y)


def _parse(equation: str) -> tuple[str, str, str]:
    if not isinstance(equation, str):
        raise ShapeError(
            f"einsum: the equation is a {type(equation).__name__}, not text",
            hint='give it first, such as cr.einsum("bi,io->bo", a, b)',
        )
    sides = equation.replace(" ", "").split("->")
    operands = sides[0].split(",")
    parts = [*operands, sides[-1]]
    known = set("".join(operands))
    well_formed = (
        len(sides) == 2
        and len(operands) == 2
        and all(len(set(part)) == len(part) for part in parts)
        and all(letter in string.ascii_letters for part in parts for letter in part)
        and set(sides[-1]) <= known
    )
    if not well_formed:
        raise ShapeError(
            f"einsum: {equation!r} is no equation of two operands",
            hint='write both operands and the result, such as "bi,io->bo", each letter once a side',
        )
    return parts[0], parts[1], parts[2]


def _sum_lonely(x: Node, letters: str, others: str) -> tuple[Node, str]:
    """Sum over the axes that only this operand has."""
    if len(letters) != x.ndim:
        return x, letters
    axes = tuple(i for i, letter in enumerate(letters) if letter not in others)
    kept = "".join(letter for letter in letters if letter in others)
    return (sum(x, axis=axes), kept) if axes else (x, letters)


@operator("@")
def matmul(a: Operand, b: Operand) -> Node:
    """The matrix product over the last axis of `a` and the last but one of `b`.

    Leading axes are batches and broadcast; a one-dimensional operand is a vector.
    """
    x, y = as_nodes(a, b)
    if x.ndim == 0 or y.ndim == 0:
        raise ShapeError(
            "matmul: a scalar operand has no axis to sum over",
            hint="multiply by a scalar with a * b",
        )
    letters = string.ascii_uppercase[: builtins.max(x.ndim, y.ndim, 2) - 2]
    batch_x, x = _batch(x, y, letters)
    batch_y, y = _batch(y, x, letters)
    row, column = "i"[: x.ndim - len(batch_x) - 1], "j"[: y.ndim - len(batch_y) - 1]
    batch = "".join(letter for letter in letters if letter in batch_x + batch_y)
    contract = Contract(batch_x + row + "k", batch_y + "k" + column, batch + row + column)
    return apply(contract, x, y)


def _batch(x: Node, other: Node, letters: str) -> tuple[str, Node]:
    """The letters of x's leading axes; those of size 1 that `other` repeats are dropped."""
    own = x.shape[:-2]
    others = other.shape[:-2]
    names = letters[len(letters) - len(own) :]
    facing = ((1,) * len(own) + others)[len(others) :]
    kept = [dim != 1 or opposite == 1 for dim, opposite in zip(own, facing, strict=True)]
    if all(kept):
        return names, x
    shape = [dim for dim, keep in zip(own, kept, strict=True) if keep]
    remaining = "".join(name for name, keep in zip(names, kept, strict=True) if keep)
    return remaining, reshape(x, (*shape, *x.shape[-2:]))


def linear(x: Operand, weight: Operand, bias: Operand) -> Node:
    """X W + b, the weight as (in, out)."""
    return add(matmul(x, weight), bias)


def outer(a: Operand, b: Operand) -> Node:
    """The outer product of two vectors."""
    return einsum("i,j->ij", a, b)


@operator(".T")
def matrix_transpose(x: Operand) -> Node:
    """The last two axes exchanged."""
    (node,) = as_nodes(x)
    if node.ndim < 2:
        raise ShapeError(
            f"matrix_transpose: {format_shape(node.shape)} has fewer than two axes",
            hint="make a matrix first with cr.expand_dims or cr.reshape",
        )
    return permute_dims(node, (*range(node.ndim - 2), node.ndim - 1, node.ndim - 2))
