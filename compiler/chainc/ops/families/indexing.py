"""Families of kernels for positions and indices."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir.kernels import Family, Table
from chainc.ir.types import (
    Array,
    Dim,
    Shape,
    TensorType,
    has_named_size,
    int32,
    named_axes,
    static,
    uint8,
)


@dataclass(frozen=True)
class IndexOf(Family):
    """The first position of the maximum or minimum along `axis`; a NaN counts as either."""

    primitive: str
    axis: int

    takes_panels = True

    def evaluate(self, result: TensorType, x: Array) -> Array:
        find = {"maximum": np.argmax, "minimum": np.argmin}[self.primitive]
        return np.asarray(find(x, axis=self.axis))

    def operations(self, result: Shape, operands: Sequence[Shape]) -> int:
        return math.prod(static(operands[0]))

    def keeps_rows_apart(self, result: Shape, operands: Sequence[Shape]) -> bool:
        return self.axis not in named_axes(operands[0])


@dataclass(frozen=True)
class Gather(Family):
    """Slices of operand 0 along `axis` at the indices in operand 1."""

    axis: int

    def evaluate(self, result: TensorType, x: Array, indices: Array) -> Array:
        return np.take(x, indices.astype(np.intp), self.axis)

    def operations(self, result: Shape, operands: Sequence[Shape]) -> int:
        return 0

    def keeps_rows_apart(self, result: Shape, operands: Sequence[Shape]) -> bool:
        return not has_named_size(operands[0])

    def leads(self, result: Shape) -> bool:
        return True

    def index(self, result: Shape, operands: Sequence[Shape]) -> tuple[int, Dim]:
        return 1, operands[0][self.axis]


@dataclass(frozen=True)
class ScatterAdd(Family):
    """Operand 0 with operand 2 added at the indices in operand 1, in order of position."""

    axis: int

    updates = True

    def evaluate(self, result: TensorType, x: Array, indices: Array, updates: Array) -> Array:
        total, rank = x.copy(), indices.ndim
        slices = np.moveaxis(updates, range(self.axis, self.axis + rank), range(rank))
        np.add.at(np.moveaxis(total, self.axis, 0), indices.astype(np.intp), slices)
        return total

    def operations(self, result: Shape, operands: Sequence[Shape]) -> int:
        return math.prod(static(operands[2]))

    def keeps_rows_apart(self, result: Shape, operands: Sequence[Shape]) -> bool:
        return not has_named_size(result)

    def index(self, result: Shape, operands: Sequence[Shape]) -> tuple[int, Dim]:
        return 1, operands[0][self.axis]


class OneHot(Family):
    """1 where the last axis' position is the index in operand 0; else 0."""

    takes_panels = True

    def evaluate(self, result: TensorType, indices: Array) -> Array:
        return np.equal(indices[..., None], np.arange(static(result.shape)[-1]))

    def operations(self, result: Shape, operands: Sequence[Shape]) -> int:
        return 0

    def keeps_rows_apart(self, result: Shape, operands: Sequence[Shape]) -> bool:
        return True

    def leads(self, result: Shape) -> bool:
        return True

    def index(self, result: Shape, operands: Sequence[Shape]) -> tuple[int, Dim]:
        return 0, result[-1]

    def tables(self, result: TensorType, operands: Sequence[TensorType]) -> Sequence[Table]:
        counted = int32 if operands[0].dtype == uint8 else operands[0].dtype
        positions = TensorType(result.shape[-1:], counted)
        return (Table("classes", Iota(), positions),)


class Pick(Family):
    """The element of each row of operand 0, along the last axis, at the index in operand 1."""

    takes_panels = True
    one_by_one = True

    def evaluate(self, result: TensorType, x: Array, indices: Array) -> Array:
        return np.take_along_axis(x, indices.astype(np.intp)[..., None], -1)[..., 0]

    def operations(self, result: Shape, operands: Sequence[Shape]) -> int:
        return 0

    def keeps_rows_apart(self, result: Shape, operands: Sequence[Shape]) -> bool:
        return len(operands[0]) > 1

    def leads(self, result: Shape) -> bool:
        return True

    def index(self, result: Shape, operands: Sequence[Shape]) -> tuple[int, Dim]:
        return 1, operands[0][-1]


class Iota(Family):
    """0, 1, … along the only axis."""

    def evaluate(self, result: TensorType) -> Array:
        return np.arange(static(result.shape)[0])

    def operations(self, result: Shape, operands: Sequence[Shape]) -> int:
        return 0

    def keeps_rows_apart(self, result: Shape, operands: Sequence[Shape]) -> bool:
        return not has_named_size(result)
