"""Movement: ops that rearrange and repeat elements without computing on them."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import SupportsIndex, TypeVar

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir import Node, Op, Operand, Sample, apply, movements
from chainc.ir.errors import InputError, MisfitError, ShapeError
from chainc.ir.kernels import Kernels
from chainc.ir.leaves import as_nodes
from chainc.ir.types import (
    Dim,
    Shape,
    Size,
    TensorType,
    broadcast,
    divide,
    float32,
    format_shape,
    named,
    product,
)

__all__ = ["broadcast_to", "expand_dims", "flip", "permute_dims", "reshape", "squeeze"]

T = TypeVar("T")

DimLike = Dim | str


@dataclass(frozen=True)
class Reshape(Op):
    """The same elements in row-major order under another shape."""

    name = "reshape"
    backward_rules = ("{G} in the shape of the operand",)
    shape: Shape

    def infer(self, x: TensorType) -> TensorType:
        if product(x.shape) != product(self.shape):
            raise MisfitError(
                ShapeError,
                f"{format_shape(x.shape)} has {product(x.shape)} elements, "
                f"{format_shape(self.shape)} has {product(self.shape)}",
                "keep the number of elements; -1 stands for the size that makes it fit",
            )
        return x.with_shape(self.shape)

    def kernel(self, k: Kernels[T], result: TensorType, x: T) -> T:
        return k.move(movements.Reshape(result.shape), x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (reshape(g, x.shape),)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        rows: list[tuple[Shape, Shape]] = [((2, 3), (3, 2)), ((2, 3), (6,)), ((), (1, 1)),
                                           ((0, 2), (4, 0))]  # fmt: skip
        return [Sample(cls(new), (TensorType(old, float32),)) for old, new in rows]


@dataclass(frozen=True)
class PermuteDims(Op):
    """Axes in another order: axis i of the result is axis `axes[i]` of the operand."""

    name = "permute_dims"
    backward_rules = ("{G} with its axes moved back",)
    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        if sorted(self.axes) != list(range(x.ndim)):
            raise MisfitError(
                ShapeError,
                f"axes {self.axes} are no order of the axes of {format_shape(x.shape)}",
                f"name each of 0 to {x.ndim - 1} once",
            )
        return x.with_shape(tuple(x.shape[axis] for axis in self.axes))

    def kernel(self, k: Kernels[T], result: TensorType, x: T) -> T:
        return k.move(movements.Permute(result.shape, self.axes), x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        inverse = sorted(range(len(self.axes)), key=self.axes.__getitem__)
        return (permute_dims(g, inverse),)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        rows: list[tuple[Shape, tuple[int, ...]]] = [((2, 3), (1, 0)), ((2, 3, 4), (2, 0, 1)),
                                                     ((1, 0), (1, 0))]  # fmt: skip
        return [Sample(cls(axes), (TensorType(shape, float32),)) for shape, axes in rows]


@dataclass(frozen=True)
class BroadcastTo(Op):
    """The operand repeated along new leading axes and along axes of size 1."""

    name = "broadcast_to"
    backward_rules = ("{G} summed over the repeats",)
    shape: Shape

    def infer(self, x: TensorType) -> TensorType:
        if broadcast(x.shape, self.shape) != self.shape:
            raise MisfitError(
                ShapeError,
                f"{format_shape(x.shape)} does not broadcast to {format_shape(self.shape)}",
                "only axes of size 1 and missing leading axes can be repeated",
            )
        return x.with_shape(self.shape)

    def kernel(self, k: Kernels[T], result: TensorType, x: T) -> T:
        return k.move(movements.Broadcast(result.shape), x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (g,)  # the driver sums over the axes that were repeated

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        rows: list[tuple[Shape, Shape]] = [((3,), (2, 3)), ((2, 1), (2, 3)), ((), (2,)),
                                           ((1,), (0,))]  # fmt: skip
        return [Sample(cls(new), (TensorType(old, float32),)) for old, new in rows]


@dataclass(frozen=True)
class Flip(Op):
    """Elements in reverse order along `axes`."""

    name = "flip"
    backward_rules = ("{G} reversed again",)
    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        require_axes(self.axes, x)
        return x

    def kernel(self, k: Kernels[T], result: TensorType, x: T) -> T:
        return k.move(movements.Flip(result.shape, self.axes), x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (flip(g, self.axes),)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [Sample(cls((0,)), (TensorType((3, 2), float32),)),
                Sample(cls((0, 1)), (TensorType((1, 0), float32),))]  # fmt: skip


def require_axes(axes: Sequence[int], x: TensorType) -> None:
    """An op's axes are different positions from 0 up; functions on nodes see to that."""
    if any(not 0 <= axis < x.ndim for axis in axes) or len(set(axes)) != len(axes):
        raise MisfitError(
            ShapeError,
            f"axes {tuple(axes)} do not fit {x}",
            f"use different axes from 0 to {x.ndim - 1}" if x.ndim else "use no axis",
        )


def normalize_axes(function: str, axis: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """Axes as a sorted tuple of non-negative positions; None means all."""
    wanted = range(ndim) if axis is None else _whole_numbers(function, axis)
    axes = tuple(sorted(a + ndim if a < 0 else a for a in wanted))
    if any(not 0 <= a < ndim for a in axes) or len(set(axes)) != len(axes):
        raise ShapeError(
            f"{function}: axis {axis} does not fit a tensor of {ndim} axes",
            hint=f"use different axes from {-ndim} to {ndim - 1}" if ndim else "leave axis out",
        )
    return axes


def normalize_axis(function: str, axis: int, ndim: int) -> int:
    """One axis as a non-negative position."""
    position = whole(axis)
    if position is None:
        raise ShapeError(
            f"{function}: the axis is {axis!r}, not a whole number",
            hint="give one axis, such as 0, or -1 for the last",
        )
    return normalize_axes(function, position, ndim)[0]


def whole(value: object) -> int | None:
    """A whole number as Python's; None for what is none."""
    if type(value) is int:  # as most are; to look at what one of another class can do takes longer
        return value
    if not isinstance(value, SupportsIndex):
        return None
    try:
        return operator.index(value)
    except TypeError:  # an array of several, or a class
        return None


def as_flag(function: str, name: str, value: object) -> bool:
    """True or False, also as 1 or 0 or as NumPy's."""
    if type(value) is bool:  # as most are
        return value
    converted = whole(int(value) if isinstance(value, np.bool_) else value)
    if converted is not None and converted in (0, 1):
        return bool(converted)
    raise InputError(
        f"{function}: {name} must be True or False, got {value!r}",
        hint=f"give {name}=True, or leave it out",
    )


def _whole_numbers(function: str, axes: int | Sequence[int]) -> tuple[int, ...]:
    listed = tuple(axes) if isinstance(axes, Iterable) else (axes,)
    numbers = tuple(number for number in map(whole, listed) if number is not None)
    if len(numbers) == len(listed):
        return numbers
    raise ShapeError(
        f"{function}: the axes are {axes!r}, not whole numbers",
        hint="give one axis, such as -1, or several, such as (0, 1)",
    )


def as_shape(shape: Sequence[DimLike], *, least: int = 0) -> Shape:
    """A shape from integers, none below `least`, named sizes and names."""
    given: object = shape
    several = isinstance(given, Iterable) and not isinstance(given, (str, Mapping))
    listed = tuple(shape) if several else (None,)
    dims = tuple(dim for dim in map(_as_dim, listed) if dim is not None)
    negative = [dim for dim in dims if isinstance(dim, int) and dim < least]
    if negative:
        raise ShapeError(
            f"{negative[0]} is no size", hint="give a whole number that is not negative, or a name"
        )
    if len(dims) == len(listed):
        return dims
    raise ShapeError(
        f"{shape!r} is no shape",
        hint='give a tuple of sizes, such as (3, 4), ("batch", 64) or ()',
    )


def _as_dim(dim: object) -> Dim | None:
    if isinstance(dim, str):
        return named(dim)
    return dim if isinstance(dim, Size) else whole(dim)


def reshape(x: Operand, shape: Sequence[DimLike]) -> Node:
    """The same elements in row-major order; one size may be -1, found from the others."""
    (node,) = as_nodes(x)
    wanted = list(as_shape(shape, least=-1))
    if wanted.count(-1) > 1:
        raise ShapeError(
            f"reshape: {wanted.count(-1)} sizes of {format_shape(wanted)} are to be found",
            hint="give all sizes but one",
        )
    if -1 in wanted:
        hole = wanted.index(-1)
        rest = product(wanted[:hole] + wanted[hole + 1 :])
        found = divide(node.type.size, rest)
        if found is None:
            raise ShapeError(
                f"reshape: {format_shape(node.shape)} cannot fill {format_shape(wanted)}",
                hint="choose sizes whose product divides the number of elements",
            )
        wanted[hole] = found
    return node if tuple(wanted) == node.shape else apply(Reshape(tuple(wanted)), node)


def permute_dims(x: Operand, axes: Sequence[int]) -> Node:
    """Axes in another order: axis i of the result is axis `axes[i]` of `x`."""
    (node,) = as_nodes(x)
    order = _whole_numbers("permute_dims", axes)
    return apply(PermuteDims(tuple(a + node.ndim if a < 0 else a for a in order)), node)


def broadcast_to(x: Operand, shape: Sequence[DimLike]) -> Node:
    """`x` repeated to `shape` along new leading axes and axes of size 1."""
    (node,) = as_nodes(x)
    wanted = as_shape(shape)
    return node if wanted == node.shape else apply(BroadcastTo(wanted), node)


def expand_dims(x: Operand, axis: int = 0) -> Node:
    """A new axis of size 1 at position `axis` of the result."""
    (node,) = as_nodes(x)
    position = normalize_axis("expand_dims", axis, node.ndim + 1)
    return reshape(node, (*node.shape[:position], 1, *node.shape[position:]))


def squeeze(x: Operand, axis: int | Sequence[int]) -> Node:
    """The axes of size 1 named by `axis` removed."""
    (node,) = as_nodes(x)
    axes = normalize_axes("squeeze", axis, node.ndim)
    if any(node.shape[a] != 1 for a in axes):
        raise ShapeError(
            f"squeeze: axis {axis} of {format_shape(node.shape)} has not size 1",
            hint="squeeze axes of size 1 only",
        )
    return reshape(node, tuple(dim for a, dim in enumerate(node.shape) if a not in axes))


def flip(x: Operand, axis: int | Sequence[int] | None = None) -> Node:
    """Elements in reverse order along `axis`, by default along all."""
    (node,) = as_nodes(x)
    return apply(Flip(normalize_axes("flip", axis, node.ndim)), node)
