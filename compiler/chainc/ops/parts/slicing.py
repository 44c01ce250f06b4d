"""Cutting and joining: slices, padding, concatenation, and indexing with `[...]`."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from types import EllipsisType
from typing import TypeVar

from chainc.dataclass import dataclass
from chainc.ir import Node, Op, Operand, Sample, apply, describe, movements
from chainc.ir.errors import DTypeError, MisfitError, ShapeError
from chainc.ir.kernels import Kernels
from chainc.ir.leaves import as_nodes
from chainc.ir.python.operators import operator
from chainc.ir.types import Dim, Shape, TensorType, coefficient_of, float32, format_shape, static
from chainc.ops.movement import expand_dims, flip, normalize_axis, require_axes, reshape, whole

__all__ = ["concat", "pad", "stack"]

T = TypeVar("T")


@dataclass(frozen=True)
class Slice(Op):
    """Every `step`-th element from `start` up to `stop`, on every axis."""

    name = "slice"
    backward_rules = ("{G} at the elements taken, 0 elsewhere",)
    starts: tuple[int, ...]
    stops: Shape
    steps: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        dims: list[Dim] = []
        for dim, start, stop, step in zip(
            x.shape, self.starts, self.stops, self.steps, strict=True
        ):
            if (start, stop, step) == (0, dim, 1):
                dims.append(dim)
                continue
            known = isinstance(dim, int) and isinstance(stop, int) and 0 <= start <= stop <= dim
            if not known or step < 1:
                raise MisfitError(
                    ShapeError,
                    f"{start}:{stop}:{step} is no part of an axis of size {dim}",
                    "cut an axis of a known size, within its bounds",
                )
            dims.append(len(range(start, coefficient_of(stop), step)))
        return x.with_shape(dims)

    def kernel(self, k: Kernels[T], result: TensorType, x: T) -> T:
        return k.move(movements.Slice(result.shape, self.starts, self.stops, self.steps), x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        high: list[int] = []
        for dim, start, count, step in zip(x.shape, self.starts, y.shape, self.steps, strict=True):
            if isinstance(dim, int) and isinstance(count, int):
                high.append(
                    dim - start - (builtins.max(count - 1, 0) * step + builtins.min(count, 1))
                )
            else:
                high.append(0)
        interior = tuple(step - 1 for step in self.steps)
        return (apply(Pad(self.starts, tuple(high), interior), g),)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        x = TensorType((5, 3), float32)
        return [
            Sample(cls((1, 0), (4, 3), (1, 1)), (x,)),
            Sample(cls((0, 1), (5, 3), (2, 1)), (x,)),
            Sample(cls((2, 0), (2, 3), (1, 1)), (x,)),
        ]


@dataclass(frozen=True)
class Pad(Op):
    """`value` before, after and between the elements of each axis."""

    name = "pad"
    backward_rules = ("{G} without the padding",)
    low: tuple[int, ...]
    high: tuple[int, ...]
    interior: tuple[int, ...]
    value: float = 0.0

    def infer(self, x: TensorType) -> TensorType:
        dims: list[Dim] = []
        for dim, low, high, interior in zip(
            x.shape, self.low, self.high, self.interior, strict=True
        ):
            if builtins.min(low, high, interior) < 0:
                raise MisfitError(
                    ShapeError,
                    f"cannot pad with {low}, {high} and {interior} elements",
                    "give counts that are not negative; cut with a slice",
                )
            if not isinstance(dim, int):
                if low or high or interior:
                    raise MisfitError(
                        ShapeError,
                        f"cannot pad the named size {dim}",
                        "pad an axis of a known size",
                    )
                dims.append(dim)
                continue
            dims.append(dim + builtins.max(dim - 1, 0) * interior + low + high)
        return x.with_shape(dims)

    def kernel(self, k: Kernels[T], result: TensorType, x: T) -> T:
        return k.pad(result, self.low, self.interior, self.value, x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        stops = tuple(
            low + builtins.max(dim - 1, 0) * (interior + 1) + builtins.min(dim, 1)
            if isinstance(dim, int)
            else dim
            for dim, low, interior in zip(x.shape, self.low, self.interior, strict=True)
        )
        steps = tuple(interior + 1 for interior in self.interior)
        return (apply(Slice(self.low, stops, steps), g),)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        x = TensorType((2, 3), float32)
        return [
            Sample(cls((1, 0), (0, 2), (0, 0)), (x,)),
            Sample(cls((0, 1), (0, 0), (1, 2), 3.0), (x,)),
            Sample(cls((1, 1), (1, 1), (0, 0)), (TensorType((0, 1), float32),)),
        ]


@dataclass(frozen=True)
class Concat(Op):
    """Operands one after another along `axis`."""

    name = "concat"
    backward_rules = ("the part of {G} that comes from this operand",)
    axis: int

    def infer(self, *parts: TensorType) -> TensorType:
        first = parts[0]
        require_axes((self.axis,), first)
        for part in parts[1:]:
            if part.dtype != first.dtype:
                raise MisfitError(
                    DTypeError,
                    f"element types {first.dtype} and {part.dtype} do not mix",
                    f"convert one operand with cr.astype(x, {first.dtype.name!r})",
                )
            if self._others(part.shape) != self._others(first.shape):
                raise MisfitError(
                    ShapeError,
                    f"shapes {format_shape(first.shape)} and {format_shape(part.shape)} differ "
                    f"beside axis {self.axis}",
                    f"give the operands equal sizes on every axis but {self.axis}",
                )
        return first.with_shape(self._joined(parts))

    def _others(self, shape: Shape) -> Shape:
        return (*shape[: self.axis], *shape[self.axis + 1 :])

    def _joined(self, parts: Sequence[TensorType]) -> Shape:
        total = 0
        for part in parts:
            dim = part.shape[self.axis]
            if not isinstance(dim, int):
                raise MisfitError(
                    ShapeError,
                    f"cannot concatenate along the named size {dim}",
                    "concatenate along an axis of a known size",
                )
            total += dim
        return (*parts[0].shape[: self.axis], total, *parts[0].shape[self.axis + 1 :])

    def kernel(self, k: Kernels[T], result: TensorType, *parts: T) -> T:
        return k.concat(result, self.axis, parts)

    def vjp(self, g: Node, y: Node, *parts: Node) -> tuple[Node, ...]:
        cotangents: list[Node] = []
        start = 0
        for part in parts:
            stop = start + static(part.shape[self.axis : self.axis + 1])[0]
            cotangents.append(_cut(g, self.axis, start, stop))
            start = stop
        return tuple(cotangents)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def at(axis: int, *shapes: Shape) -> Sample:
            return Sample(cls(axis), tuple(TensorType(shape, float32) for shape in shapes))

        return [at(0, (2, 3), (1, 3)), at(1, (2, 1), (2, 0), (2, 3)), at(0, (2,))]


def _cut(x: Node, axis: int, start: int, stop: int) -> Node:
    starts = tuple(start if i == axis else 0 for i in range(x.ndim))
    stops = tuple(stop if i == axis else dim for i, dim in enumerate(x.shape))
    return apply(Slice(starts, stops, (1,) * x.ndim), x)


def pad(x: Operand, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Node:
    """`value` before and after the elements; one (before, after) pair an axis."""
    (node,) = as_nodes(x)
    if not _are_widths(widths, node.ndim):
        raise ShapeError(
            f"pad: widths {widths!r} do not fit {format_shape(node.shape)}",
            hint=f"give {node.ndim} pairs of counts that are not negative",
        )
    low, high = tuple(pair[0] for pair in widths), tuple(pair[1] for pair in widths)
    return apply(Pad(low, high, (0,) * node.ndim, value), node)


def _are_widths(widths: object, ndim: int) -> bool:
    if not isinstance(widths, Sequence) or len(widths) != ndim:
        return False
    pairs = all(isinstance(pair, Sequence) and len(pair) == 2 for pair in widths)
    counts = [whole(width) for pair in widths for width in pair] if pairs else [None]
    return all(count is not None and count >= 0 for count in counts)


def concat(parts: Sequence[Operand], axis: int = 0) -> Node:
    """Tensors one after another along `axis`."""
    nodes = _parts("concat", parts)
    position = normalize_axis("concat", axis, nodes[0].ndim)
    return apply(Concat(position), *nodes)


def stack(parts: Sequence[Operand], axis: int = 0) -> Node:
    """Tensors of one shape joined along a new axis."""
    nodes = _parts("stack", parts)
    first = nodes[0]
    other = next((node for node in nodes if node.shape != first.shape), first)
    if other is not first:
        raise ShapeError(
            f"stack: shapes {format_shape(first.shape)} and {format_shape(other.shape)} differ",
            where=f"{describe(first)}\n         {describe(other)}",
            hint="give tensors of one shape, or join them along an axis with cr.concat",
        )
    position = normalize_axis("stack", axis, first.ndim + 1)
    return concat([expand_dims(node, position) for node in nodes], position)


def _parts(function: str, parts: Sequence[Operand]) -> tuple[Node, ...]:
    given: object = parts
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ShapeError(
            f"{function}: the tensors are a {type(parts).__name__}, not a list",
            hint=f"put them in a list, such as cr.{function}([a, b])",
        )
    if not parts:
        raise ShapeError(f"{function}: no tensors given", hint="give at least one tensor")
    return as_nodes(*parts)


Key = int | slice | EllipsisType | None


@operator("[]")
def getitem(x: Node, key: Key | tuple[Key, ...]) -> Node:
    """Basic indexing: integers, slices with steps, `...` and None."""
    keys = _expand_ellipsis(x, key if isinstance(key, tuple) else (key,))
    starts, stops, steps, flipped, shape = [], [], [], [], []
    axis = 0
    for part in keys:
        if part is None:
            shape.append(1)
            continue
        start, stop, step = _bounds(x, axis, part)
        starts.append(start)
        stops.append(stop)
        steps.append(builtins.abs(step))
        if step < 0:
            flipped.append(axis)
        if not isinstance(part, int):
            shape.append(-1)
        axis += 1
    cut = apply(Slice(tuple(starts), tuple(stops), tuple(steps)), x)
    cut = cut if cut.shape != x.shape else x
    turned = flip(cut, flipped) if flipped else cut
    kept = iter(dim for dim, part in zip(cut.shape, _axes_of(keys), strict=True) if part)
    return reshape(turned, [next(kept) if dim == -1 else dim for dim in shape])


def _axes_of(keys: Sequence[Key]) -> list[bool]:
    """For each axis of the operand: does it stay?"""
    return [not isinstance(key, int) for key in keys if key is not None]


def _expand_ellipsis(x: Node, keys: tuple[Key, ...]) -> tuple[Key, ...]:
    for key in keys:
        basic = key is None or key is Ellipsis or isinstance(key, (int, slice))
        if not basic or isinstance(key, bool):
            raise ShapeError(
                f"cannot index with {type(key).__name__}",
                hint="index with integers and slices; pick elements by a tensor with cr.take",
            )
    used = builtins.sum(1 for key in keys if key is not None and key is not Ellipsis)
    if keys.count(Ellipsis) > 1:
        raise ShapeError(
            f"more than one ... in an index of {x.type}", hint="keep one of them, write : for axes"
        )
    if used > x.ndim:
        raise ShapeError(
            f"{used} indices for a tensor of {x.ndim} axes, {x.type}",
            hint=f"give at most {x.ndim}",
        )
    position = keys.index(Ellipsis) if Ellipsis in keys else len(keys)
    fill = (slice(None),) * (x.ndim - used)
    return (*keys[:position], *fill, *keys[position + 1 :])


def _bounds(x: Node, axis: int, key: Key) -> tuple[int, Dim, int]:
    """Start, stop and step along one axis; a negative step is returned with its mirrored range."""
    dim = x.shape[axis]
    if not isinstance(dim, int):
        if isinstance(key, slice) and key in (slice(None), slice(None, None, -1)):
            return 0, dim, key.step or 1
        raise ShapeError(
            f"cannot cut axis {axis} of {x.type}: the named size {dim} is not known yet",
            hint="take elements by index with cr.take, or declare the input with a known size",
        )
    if isinstance(key, int):
        if not -dim <= key < dim:
            raise ShapeError(
                f"index {key} is out of range for axis {axis} of {x.type}",
                hint=f"use an index from {-dim} to {dim - 1}",
            )
        start = key % dim
        return start, start + 1, 1
    assert isinstance(key, slice)
    chosen = _chosen(key, dim)
    if len(chosen) == 0:
        return 0, 0, 1
    low, high = builtins.min(chosen[0], chosen[-1]), builtins.max(chosen[0], chosen[-1])
    return low, high + 1, chosen.step


def _chosen(key: slice, dim: int) -> range:
    try:
        return range(*key.indices(dim))
    except (TypeError, ValueError) as error:
        raise ShapeError(
            f"{key} cuts nothing: {error}", hint="use integers, and a step that is not 0"
        ) from error
