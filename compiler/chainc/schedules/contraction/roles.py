"""Which axis of a contraction becomes the rows of its register tiles, the columns, the lanes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainc.ir.types import Dim, DType
from chainc.lowering.kernels import Contraction
from chainc.schedules.contraction.axes import Axis
from chainc.schedules.frame import Frame
from chainc.schedules.layout.access import Access

STRIDED = 100.0  # what it costs to collect the lanes of an operand one by one
STRIDED_RESULT = 4.0  # the same once per sum instead of in each step
SHARED = 1.0  # lanes in both operands: nothing to load once and use for many sums


@dataclass(frozen=True)
class Factor:
    """One of the two operands: its elements, and the letters of its axes."""

    found: Access
    letters: str

    def stride(self, letter: str) -> int:
        """Between neighbours; within a panel where the axis lies in panels."""
        return self.found.strides[self.letters.index(letter)]


@dataclass(frozen=True)
class Roles:
    """The parts that the axes play.

    `row` and `column` are axes of the result, which is computed in tiles of rows × columns.
    The lanes of a vector are neighbours along `vector`: the column, or an axis that is summed
    over if no axis of the result has its elements side by side.
    """

    outer: tuple[Axis, ...]
    inner: tuple[Axis, ...]
    row: Axis | None
    column: Axis | None
    vector: Axis | None
    lanes: int
    dtype: DType  # of the sums

    @property
    def across(self) -> bool:
        """Are lanes summed in the end?"""
        return self.vector is not None and self.vector in self.inner


def roles(frame: Frame, root: Contraction, factors: tuple[Factor, Factor]) -> Roles:
    result = root.letters[2]
    others = frame.accesses(root.out.type.shape)
    axes = _axes(frame, root, factors, others)
    inner = [axes[letter] for letter in axes if letter not in result]
    vector = min(
        (axes[letter] for letter in result),
        key=lambda axis: _penalty(axis, factors, result, others),
        default=None,
    )
    dtype = root.accumulator
    lanes = frame.machine.lanes(dtype)
    if vector is None or _penalty(vector, factors, result, others) >= STRIDED:
        vector = _inner_vector(inner, factors, lanes) or vector
    column = vector
    if vector is None or vector.letter not in result:
        column = _largest([axes[letter] for letter in result if letter not in root.letters[0]])
    row = _row([axes[letter] for letter in result], column, factors)
    outer = tuple(axes[letter] for letter in result if axes[letter] not in (row, column))
    width = vector.lanes or lanes if vector else 1
    return Roles(outer, _ordered(inner, factors, vector), row, column, vector, width, dtype)


def _axes(
    frame: Frame, root: Contraction, factors: Sequence[Factor], others: Sequence[Access]
) -> Mapping[str, Axis]:
    """Every letter's axis; it lies in panels if it does so in anything that is read or written."""
    result = root.letters[2]
    extents: dict[str, Dim] = {}
    lanes: dict[str, int] = {}
    for factor in factors:
        extents.update(zip(factor.letters, factor.found.shape, strict=True))
    named = [(factor.letters, factor.found) for factor in factors]
    for letters, found in [*named, *((result, found) for found in others)]:
        if found.panels is not None:
            if not isinstance(found.shape[found.panels], int):
                raise ValueError("rows of a batch cannot lie in panels")
            lanes[letters[found.panels]] = found.lanes
    return {
        letter: Axis(letter, extent, frame.capacity.dim(extent), lanes.get(letter, 0))
        for letter, extent in extents.items()
    }


def _penalty(axis: Axis, factors: Sequence[Factor], result: str, others: Sequence[Access]) -> float:
    """How unfit an axis is for the lanes of vectors."""
    inside = [factor for factor in factors if axis.letter in factor.letters]
    strided = sum(factor.stride(axis.letter) not in (0, 1) for factor in inside)
    position = result.index(axis.letter)
    results = sum(found.strides[position] not in (0, 1) for found in others)
    both = SHARED if len(inside) == 2 else 0.0
    return STRIDED * strided + STRIDED_RESULT * results + both + STRIDED / 2 / max(axis.most, 1)


def _inner_vector(inner: Sequence[Axis], factors: Sequence[Factor], lanes: int) -> Axis | None:
    """An axis that is summed over and has its elements side by side in both operands."""
    for axis in inner:
        inside = [factor for factor in factors if axis.letter in factor.letters]
        long = not axis.dynamic and axis.most >= lanes
        if long and len(inside) == 2 and all(each.stride(axis.letter) == 1 for each in inside):
            return axis
    return None


def _row(result: Sequence[Axis], column: Axis | None, factors: Sequence[Factor]) -> Axis | None:
    """Best an axis that the operand with the columns lacks: a load there serves all rows."""
    if column is None:
        return _largest(result)
    candidates = [axis for axis in result if axis != column]
    beside = [factor for factor in factors if column.letter in factor.letters]
    apart = [
        axis for axis in candidates if all(axis.letter not in factor.letters for factor in beside)
    ]
    return _largest(apart or candidates)


def _largest(axes: Sequence[Axis]) -> Axis | None:
    return max(axes, key=lambda axis: axis.most, default=None)


def _ordered(
    inner: Sequence[Axis], factors: Sequence[Factor], vector: Axis | None
) -> tuple[Axis, ...]:
    """The axis with the largest steps through memory comes first, lanes come last."""

    def step(axis: Axis) -> int:
        inside = [factor for factor in factors if axis.letter in factor.letters]
        return sum(abs(factor.stride(axis.letter)) for factor in inside)

    return tuple(sorted(inner, key=lambda axis: (axis == vector, -step(axis))))
