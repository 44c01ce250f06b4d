"""Families of kernels for rows: what is done along the last axis, one row after another."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir.kernels import Family
from chainc.ir.types import Array, Dim, Shape, TensorType, static


class OfRows(Family):
    """Row i of the result is made of row i of the operands."""

    def keeps_rows_apart(self, result: Shape, operands: Sequence[Shape]) -> bool:
        return len(operands[0]) > 1


class RunningSum(OfRows):
    """Element i is the sum of the elements 0 … i of its row, added in this order."""

    def evaluate(self, result: TensorType, x: Array) -> Array:
        return np.asarray(np.cumsum(x, -1, x.dtype))

    def operations(self, result: Shape, operands: Sequence[Shape]) -> int:
        return math.prod(static(result))


@dataclass(frozen=True)
class Order(OfRows):
    """(…, 2, n): first the positions of each row's elements in order, then room to find them.

    Equal elements stay in their order. A NaN counts as the largest.
    """

    descending: bool

    def evaluate(self, result: TensorType, x: Array) -> Array:
        found = order_of(x, descending=self.descending)
        return np.stack([found, found], -2)

    def operations(self, result: Shape, operands: Sequence[Shape]) -> int:
        shape = static(operands[0])
        return math.prod(shape) * max(shape[-1] - 1, 0).bit_length()


@dataclass(frozen=True)
class Largest(OfRows):
    """The positions of the `count` largest elements of each row, in descending order.

    Equal elements stay in their order. A NaN counts as the largest.
    """

    count: int

    def evaluate(self, result: TensorType, x: Array) -> Array:
        return order_of(x, descending=True)[..., : self.count]

    def operations(self, result: Shape, operands: Sequence[Shape]) -> int:
        return self.count * math.prod(static(operands[0]))


class PickAlong(OfRows):
    """The elements of each row of operand 0 at the indices in the same row of operand 1."""

    def evaluate(self, result: TensorType, x: Array, indices: Array) -> Array:
        return np.take_along_axis(x, indices.astype(np.intp), -1)

    def operations(self, result: Shape, operands: Sequence[Shape]) -> int:
        return 0

    def index(self, result: Shape, operands: Sequence[Shape]) -> tuple[int, Dim]:
        return 1, operands[0][-1]


class AddAlong(OfRows):
    """Operand 0 with operand 2 added at the indices in operand 1, in order of position."""

    updates = True

    def evaluate(self, result: TensorType, x: Array, indices: Array, updates: Array) -> Array:
        total = x.copy()
        add_along(total, indices, updates)
        return total

    def operations(self, result: Shape, operands: Sequence[Shape]) -> int:
        return math.prod(static(operands[2]))

    def index(self, result: Shape, operands: Sequence[Shape]) -> tuple[int, Dim]:
        return 1, operands[0][-1]


def order_of(x: Array, *, descending: bool) -> Array:
    """The positions of the elements of each row in order, equal ones in theirs."""
    if not descending:
        return np.asarray(np.argsort(x, -1, kind="stable"))
    # of the row turned around, the last of equal ones is the first
    turned = np.argsort(x[..., ::-1], -1, kind="stable")
    return np.asarray(x.shape[-1] - 1 - turned[..., ::-1])


def add_along(total: Array, indices: Array, updates: Array) -> None:
    """Add the updates to the elements of their rows that the indices name."""
    where = np.indices(indices.shape, sparse=True)[:-1]
    np.add.at(total, (*where, indices.astype(np.intp)), updates)
