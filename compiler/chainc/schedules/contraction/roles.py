"""Which axis of a contraction becomes the rows of its register tiles, the columns, the lanes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.ir.types import Dim, DType
from chainc.lowering.kernels import Contraction
from chainc.schedules.contraction.axes import Axis
from chainc.schedules.contraction.factor import Factor
from chainc.schedules.contraction.levels import Level, ordered, shares_elements
from chainc.schedules.frame import Frame
from chainc.schedules.layout.access import Access
from chainc.schedules.layout.images import filled
from chainc.schedules.layout.lanes import vector_letter

MORE = 1.5  # times as many lanes used are worth it to add them up in the end
STRIDED = 100.0  # what it costs to collect the lanes of an operand one by one
EVERY_OTHER = 0.03  # of it, where these are two loads and a shuffle
STRIDED_RESULT = 4.0  # the same once per sum instead of in each step, at least
STRIDED_SUM = 250.0  # the same for a sum of one product
ENOUGH_ROWS = 6  # for tiles that keep a processor busy
SHARED = 1.0  # lanes in both operands: nothing to load once and use for many sums


@dataclass(frozen=True)
class Roles:
    """The parts that the axes play.

    `row` and `column` are axes of the result, which is computed in tiles of rows × columns.
    The lanes of a vector are neighbours along `vector`: the column, or an axis that is summed
    over if no axis of the result has its elements side by side. `levels` are the loops over the
    inner axes.
    """

    outer: tuple[Axis, ...]
    inner: tuple[Axis, ...]
    levels: tuple[Level, ...]
    row: Axis | None
    column: Axis | None
    vector: Axis | None
    lanes: int
    dtype: DType  # of the sums
    joined: tuple[str, ...] = ()  # letters whose positions are counted by a neighbour's axis

    @property
    def across(self) -> bool:
        """Are lanes summed in the end?"""
        return self.vector is not None and self.vector in self.inner


def roles(frame: Frame, root: Contraction, factors: tuple[Factor, Factor]) -> Roles:
    result = root.letters[2]
    others = frame.accesses(root.out.type.shape)
    found = _axes(frame, root, factors, others)
    axes = joined(found, factors, result, others)
    inner = [axes[letter] for letter in axes if letter not in result]
    kept = [axes[letter] for letter in result if letter in axes]
    depth = math.prod(axis.most for axis in inner)
    collected = max(STRIDED_RESULT, STRIDED_SUM / max(depth, 1))

    masks = frame.machine.masks

    def penalty(axis: Axis) -> float:
        return _penalty(axis, factors, result, others, collected, masks)

    vector = min(kept, key=penalty, default=None)
    dtype = root.accumulator
    lanes = frame.machine.lanes(dtype)
    summed = _inner_vector(inner, factors, lanes, masks)
    across = vector_letter(frame.kernel, root, frame.machine) not in result
    across = across or vector is None or vector.most == 1 or penalty(vector) >= STRIDED
    if across or _holds_more(summed, vector, lanes, masks):
        vector = summed or vector
    column = vector
    if vector is None or vector.letter not in result:
        column = _largest([axis for axis in kept if axis.letter not in root.letters[0]])
    row = _row(kept, column, inner, factors)
    outer = tuple(axis for axis in kept if axis not in (row, column))
    width = vector.lanes or lanes if vector else 1
    levels = ordered(inner, factors, row)
    inner = _ordered(inner, factors, vector)
    gone = tuple(letter for letter in found if letter not in axes)
    return Roles(outer, tuple(inner), levels, row, column, vector, width, dtype, gone)


def _holds_more(summed: Axis | None, vector: Axis | None, lanes: int, masks: bool) -> bool:
    """Would so few lanes be used that those of an axis that is summed over are worth adding up?"""
    if not masks or summed is None or vector is None or vector.dynamic or vector.lanes:
        return False
    return filled(summed.most, lanes) >= MORE * filled(vector.most, lanes)


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


def joined(
    axes: Mapping[str, Axis],
    factors: Sequence[Factor],
    result: str,
    others: Sequence[Access],
) -> Mapping[str, Axis]:
    """The axes, those that lie side by side in all that is read and written as one.

    The inner one of two goes on through all positions of both: rows and columns of an image.
    """
    places = [(factor.letters, factor.found) for factor in factors]
    places += [(result, found) for found in others]
    found = dict(axes)
    for letter in reversed(list(axes)):
        while (outer := _beside(letter, found, places)) is not None:
            gone, axis = found.pop(outer), found[letter]
            most = gone.most * axis.most
            found[letter] = replace(axis, extent=most, most=most)
    return found


def _beside(
    letter: str, axes: Mapping[str, Axis], places: Sequence[tuple[str, Access]]
) -> str | None:
    """The letter whose neighbours are as far apart as all of an axis is long, everywhere."""
    if letter not in axes or not _is_plain(axes[letter]):
        return None
    for outer, axis in axes.items():
        if outer == letter or not _is_plain(axis):
            continue
        inside = [(outer in letters, letter in letters) for letters, _ in places]
        if any(one != other for one, other in inside):
            continue
        strides = [
            (found.strides[letters.index(outer)], found.strides[letters.index(letter)])
            for letters, found in places
            if letter in letters
        ]
        if all(far == near * axes[letter].most for far, near in strides):
            return outer
    return None


def _is_plain(axis: Axis) -> bool:
    return not axis.dynamic and not axis.lanes and axis.most > 1


def _penalty(
    axis: Axis,
    factors: Sequence[Factor],
    result: str,
    others: Sequence[Access],
    collected: float,
    masks: bool,
) -> float:
    """How unfit an axis is for the lanes of vectors."""
    inside = [factor for factor in factors if axis.letter in factor.letters]
    steps = [factor.stride(axis.letter) for factor in inside]
    strided: float = sum(step not in (0, 1) for step in steps)
    if masks and {*steps} <= {0, 1, 2}:
        strided *= EVERY_OTHER
    position = result.index(axis.letter)
    results = sum(found.strides[position] not in (0, 1) for found in others)
    both = SHARED if len(inside) == 2 else 0.0
    return STRIDED * strided + collected * results + both + STRIDED / 2 / max(axis.most, 1)


def _inner_vector(
    inner: Sequence[Axis], factors: Sequence[Factor], lanes: int, masks: bool
) -> Axis | None:
    """An axis that is summed over and has its elements side by side in both operands."""
    for axis in inner:
        inside = [factor for factor in factors if axis.letter in factor.letters]
        long = not axis.dynamic and axis.most >= (lanes // 2 if masks else lanes)
        if long and len(inside) == 2 and all(each.stride(axis.letter) == 1 for each in inside):
            return axis
    return None


def _row(
    result: Sequence[Axis], column: Axis | None, inner: Sequence[Axis], factors: Sequence[Factor]
) -> Axis | None:
    """Best an axis that the operand with the columns lacks: a load there serves all rows.

    Of those that fill a tile, the one whose elements lie closest together, unless they are those
    of the innermost loop.
    """
    if column is None:
        return _largest(result)
    candidates = [axis for axis in result if axis != column]
    beside = [factor for factor in factors if column.letter in factor.letters]
    apart = [
        axis for axis in candidates if all(axis.letter not in factor.letters for factor in beside)
    ]
    levels = ordered(inner, factors, None)
    long = [level for level in levels if level.most >= ENOUGH_ROWS] or levels

    def fitness(axis: Axis) -> tuple[int, bool, int]:
        shares = any(shares_elements(level, axis, factors) for level in long[-1:])
        return min(axis.most, ENOUGH_ROWS), not shares, -_step(axis, factors)

    return max(apart or candidates, key=fitness, default=None)


def _largest(axes: Sequence[Axis]) -> Axis | None:
    return max(axes, key=lambda axis: axis.most, default=None)


def _ordered(inner: Sequence[Axis], factors: Sequence[Factor], vector: Axis | None) -> list[Axis]:
    """The axis with the largest steps through memory comes first, lanes come last."""
    return sorted(inner, key=lambda axis: (axis == vector, -_step(axis, factors)))


def _step(axis: Axis, factors: Sequence[Factor]) -> int:
    """Elements between neighbours, in all operands together."""
    inside = [factor for factor in factors if axis.letter in factor.letters]
    return sum(abs(factor.stride(axis.letter)) for factor in inside)
