"""Movements: a tensor seen through another shape or order of its elements; nothing is copied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Self, TypeVar

import numpy as np
import numpy.typing as npt

from chainc.dataclass import dataclass
from chainc.ir.types import Shape, Size, bind_shape, product, static

S = TypeVar("S", bound=np.generic)


@dataclass(frozen=True)
class Movement:
    """One step from a tensor to a view of it. What a movement does not state is refused."""

    shape: Shape  # of the result

    keeps_order: ClassVar[bool] = False  # are the elements still in row-major order, without gaps?

    def of(self, array: npt.NDArray[S]) -> npt.NDArray[S]:
        """The view of an array; all sizes are bound."""
        raise NotImplementedError

    def bind(self, sizes: Mapping[str, int]) -> Self:
        """The same movement with numbers for named sizes."""
        return replace(self, shape=bind_shape(self.shape, sizes))

    def carried(self, axis: int, before: Shape) -> int | None:
        """Where an axis of an operand of shape `before` stands in the result, if it does at all.

        Its first element stands first, and neighbours are neighbours.
        """
        return None

    def source(self, axis: int, before: Shape) -> int | None:
        """The axis of the operand that an axis of the result is, in the same sense."""
        return None

    def keeps_rows_apart(self, before: Shape) -> bool:
        """Is row i of the result made of row i of the operand, whose shape is `before`?"""
        return False


class Reshape(Movement):
    """The same elements in row-major order."""

    keeps_order = True

    def of(self, array: npt.NDArray[S]) -> npt.NDArray[S]:
        return array.reshape(static(self.shape))

    def carried(self, axis: int, before: Shape) -> int | None:
        return _same_axis(axis, before, self.shape)

    def source(self, axis: int, before: Shape) -> int | None:
        return _same_axis(axis, self.shape, before)

    def keeps_rows_apart(self, before: Shape) -> bool:
        return True


def _same_axis(axis: int, old: Shape, new: Shape) -> int | None:
    """The axis of another shape in front of which there are as many elements, and as long."""
    inside = product(old[:axis])
    for position, dim in enumerate(new):
        if dim == old[axis] and product(new[:position]) == inside:
            return position
    return None


@dataclass(frozen=True)
class Permute(Movement):
    """Axis i of the result is axis `axes[i]` of the operand."""

    axes: tuple[int, ...]

    def of(self, array: npt.NDArray[S]) -> npt.NDArray[S]:
        return array.transpose(self.axes)

    def carried(self, axis: int, before: Shape) -> int:
        return self.axes.index(axis)

    def source(self, axis: int, before: Shape) -> int:
        return self.axes[axis]

    def keeps_rows_apart(self, before: Shape) -> bool:
        return True


class Broadcast(Movement):
    """Elements repeated along new leading axes and axes of size 1."""

    def of(self, array: npt.NDArray[S]) -> npt.NDArray[S]:
        return np.broadcast_to(array, static(self.shape))

    def carried(self, axis: int, before: Shape) -> int:
        return axis + len(self.shape) - len(before)

    def source(self, axis: int, before: Shape) -> int:
        return axis - (len(self.shape) - len(before))

    def keeps_rows_apart(self, before: Shape) -> bool:
        return True


@dataclass(frozen=True)
class Slice(Movement):
    """Every `step`-th element from `start` up to `stop` along each axis, steps positive."""

    starts: tuple[int, ...]
    stops: Shape
    steps: tuple[int, ...]

    def of(self, array: npt.NDArray[S]) -> npt.NDArray[S]:
        bounds = zip(self.starts, static(self.stops), self.steps, strict=True)
        return array[tuple(slice(*bound) for bound in bounds)]

    def bind(self, sizes: Mapping[str, int]) -> Self:
        return replace(super().bind(sizes), stops=bind_shape(self.stops, sizes))

    def carried(self, axis: int, before: Shape) -> int | None:
        return axis if self.starts[axis] == 0 and self.steps[axis] == 1 else None

    def source(self, axis: int, before: Shape) -> int | None:
        return self.carried(axis, before)

    def keeps_rows_apart(self, before: Shape) -> bool:
        return True  # only axes of known sizes are cut


@dataclass(frozen=True)
class Flip(Movement):
    """Elements in reverse order along `axes`."""

    axes: tuple[int, ...]

    def of(self, array: npt.NDArray[S]) -> npt.NDArray[S]:
        return np.flip(array, self.axes)

    def carried(self, axis: int, before: Shape) -> int | None:
        return None if axis in self.axes else axis

    def source(self, axis: int, before: Shape) -> int | None:
        return self.carried(axis, before)

    def keeps_rows_apart(self, before: Shape) -> bool:
        return not any(isinstance(before[axis], Size) for axis in self.axes)


@dataclass(frozen=True)
class Window(Movement):
    """Windows along `axes`: positions in the place of each axis, and its taps as a last axis.

    `steps` has for each axis how far apart positions are, and taps.
    """

    axes: tuple[int, ...]
    steps: tuple[tuple[int, int], ...]

    def of(self, array: npt.NDArray[S]) -> npt.NDArray[S]:
        strides = list(array.strides)
        for axis, (between_positions, _) in zip(self.axes, self.steps, strict=True):
            strides[axis] = array.strides[axis] * between_positions
        taps = [
            array.strides[axis] * steps[1]
            for axis, steps in zip(self.axes, self.steps, strict=True)
        ]
        return np.lib.stride_tricks.as_strided(array, static(self.shape), (*strides, *taps))

    def carried(self, axis: int, before: Shape) -> int | None:
        return None if axis in self.axes else axis

    def source(self, axis: int, before: Shape) -> int | None:
        return axis if axis < len(before) and axis not in self.axes else None

    def keeps_rows_apart(self, before: Shape) -> bool:
        return not any(isinstance(before[axis], Size) for axis in self.axes)


@dataclass(frozen=True)
class Diagonal(Movement):
    """The elements at equal positions along two axes of one size; `other`, the later, goes."""

    axis: int
    other: int

    def of(self, array: npt.NDArray[S]) -> npt.NDArray[S]:
        return np.moveaxis(np.diagonal(array, 0, self.axis, self.other), -1, self.axis)

    def carried(self, axis: int, before: Shape) -> int | None:
        if axis in (self.axis, self.other):
            return None
        return axis - (axis > self.other)

    def source(self, axis: int, before: Shape) -> int | None:
        return None if axis == self.axis else axis + (axis >= self.other)

    def keeps_rows_apart(self, before: Shape) -> bool:
        return not isinstance(before[self.axis], Size)
