"""Indexing by tensors: gathering, scattering, one-hot codes, ranges and positions of extremes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from chainc.dataclass import dataclass
from chainc.ir import Node, Op, Operand, Sample, apply
from chainc.ir.errors import DTypeError, MisfitError, ShapeError
from chainc.ir.kernels import Kernels
from chainc.ir.leaves import as_nodes, constant
from chainc.ir.types import (
    Dim,
    DType,
    Shape,
    TensorType,
    float32,
    format_shape,
    int32,
    int64,
    promote,
)
from chainc.ops.families import indexing
from chainc.ops.logic import as_dtype, less, where
from chainc.ops.movement import (
    DimLike,
    as_shape,
    broadcast_to,
    normalize_axis,
    require_axes,
    reshape,
    whole,
)

__all__ = ["arange", "argmax", "argmin", "one_hot", "pick", "scatter_add", "take"]

T = TypeVar("T")


def require_indices(indices: TensorType) -> None:
    if indices.dtype.kind != "i":
        raise MisfitError(
            DTypeError,
            f"the indices have element type {indices.dtype}, not an integer type",
            'declare them with dtype="int32", or convert them with cr.astype(x, "int32")',
        )


def require_summands(x: TensorType, updates: TensorType) -> None:
    if x.dtype.kind == "b" or promote(x.dtype, updates.dtype) != x.dtype:
        raise MisfitError(
            DTypeError,
            f"updates of element type {updates.dtype} cannot be added to {x.dtype}",
            "give both one number type, such as with cr.astype(updates, x.type.dtype)",
        )


@dataclass(frozen=True)
class Take(Op):
    """The slices of `x` along `axis` that the indices name."""

    name = "take"
    backward_rules = ("{G} added up at the indices", "0")
    roles = ("x", "index")
    axis: int

    def infer(self, x: TensorType, indices: TensorType) -> TensorType:
        require_indices(indices)
        require_axes((self.axis,), x)
        return x.with_shape((*x.shape[: self.axis], *indices.shape, *x.shape[self.axis + 1 :]))

    def kernel(self, k: Kernels[T], result: TensorType, x: T, indices: T) -> T:
        return k.apply(indexing.Gather(self.axis), result, x, indices)

    def vjp(self, g: Node, y: Node, x: Node, indices: Node) -> Sequence[Node | None]:
        zeros = broadcast_to(constant(0, x.type.dtype), x.shape)
        return scatter_add(zeros, indices, g, self.axis), None

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def at(axis: int, shape: Shape, indices: Shape) -> Sample:
            return Sample(cls(axis), (TensorType(shape, float32), TensorType(indices, int32)))

        return [at(0, (3, 2), (4,)), at(1, (2, 3), (2, 2)), at(0, (3,), ()), at(0, (3, 2), (0,))]


@dataclass(frozen=True)
class ScatterAdd(Op):
    """`x` with `updates` added to the slices along `axis` that the indices name."""

    name = "scatter_add"
    backward_rules = ("{G}", "0", "{G} at the indices")
    roles = ("x", "index", "update")
    axis: int

    def infer(self, x: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        require_indices(indices)
        require_summands(x, updates)
        require_axes((self.axis,), x)
        expected = (*x.shape[: self.axis], *indices.shape, *x.shape[self.axis + 1 :])
        if updates.shape != expected:
            raise MisfitError(
                ShapeError,
                f"updates of shape {format_shape(updates.shape)} where the indices ask for "
                f"{format_shape(expected)}",
                "give one slice of updates for each index",
            )
        return x

    def kernel(self, k: Kernels[T], result: TensorType, x: T, indices: T, updates: T) -> T:
        return k.apply(indexing.ScatterAdd(self.axis), result, x, indices, updates)

    def vjp(self, g: Node, y: Node, x: Node, indices: Node, updates: Node) -> Sequence[Node | None]:
        return g, None, take(g, indices, self.axis)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def at(axis: int, *shapes: Shape) -> Sample:
            x, indices, updates = shapes
            types = (TensorType(x, float32), TensorType(indices, int32))
            return Sample(cls(axis), (*types, TensorType(updates, float32)))

        return [at(0, (3, 2), (4,), (4, 2)), at(1, (2, 3), (2,), (2, 2))]


@dataclass(frozen=True)
class OneHot(Op):
    """1 at each index along a new last axis, else 0."""

    name = "one_hot"
    backward_rules = ("0",)
    depth: int
    dtype: DType = float32

    def infer(self, indices: TensorType) -> TensorType:
        require_indices(indices)
        return TensorType((*indices.shape, self.depth), self.dtype)

    def kernel(self, k: Kernels[T], result: TensorType, indices: T) -> T:
        return k.apply(indexing.OneHot(), result, indices)

    def vjp(self, g: Node, y: Node, indices: Node) -> tuple[None]:
        return (None,)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [Sample(cls(3), (TensorType(shape, int32),)) for shape in [(4,), (2, 1), (0,)]]


class Pick(Op):
    """The element of each row that its index names: rows lie along the last axis."""

    name = "pick"
    backward_rules = ("{G} at the indices, else 0", "0")
    roles = ("x", "index")

    def infer(self, x: TensorType, indices: TensorType) -> TensorType:
        require_indices(indices)
        if not x.shape or indices.shape != x.shape[:-1]:
            raise MisfitError(
                ShapeError,
                f"indices {format_shape(indices.shape)} do not fit {format_shape(x.shape)}: there "
                "must be one index for each row",
                f"give indices of shape {format_shape(x.shape[:-1])}",
            )
        if not isinstance(x.shape[-1], int):
            raise MisfitError(
                ShapeError,
                f"the rows have the named size {x.shape[-1]}",
                "give the last axis a known size",
            )
        return x.with_shape(indices.shape)

    def kernel(self, k: Kernels[T], result: TensorType, x: T, indices: T) -> T:
        return k.apply(indexing.Pick(), result, x, indices)

    def vjp(self, g: Node, y: Node, x: Node, indices: Node) -> Sequence[Node | None]:
        depth = x.shape[-1]
        assert isinstance(depth, int)
        here = less(0, one_hot(indices, depth, x.type.dtype))
        return where(here, reshape(g, (*g.shape, 1)), 0), None

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        shapes = [(3, 4), (2, 2, 3), (3,), (0, 2)]
        types = [(TensorType(s, float32), TensorType(s[:-1], int32)) for s in shapes]
        return [Sample(cls(), pair) for pair in types]


@dataclass(frozen=True)
class Arange(Op):
    """0, 1, … n-1."""

    name = "arange"
    stop: Dim
    dtype: DType = int64

    def infer(self) -> TensorType:
        return TensorType((self.stop,), self.dtype)

    def kernel(self, k: Kernels[T], result: TensorType) -> T:
        return k.apply(indexing.Iota(), result)

    def vjp(self, g: Node, y: Node) -> Sequence[Node | None]:
        return ()

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [Sample(cls(4), ()), Sample(cls(0), ())]


@dataclass(frozen=True)
class ArgMax(Op):
    """The first position of the largest element along `axis`; a NaN counts as the largest."""

    name = "argmax"
    backward_rules = ("0",)
    axis: int

    primitive: ClassVar[str] = "maximum"

    def infer(self, x: TensorType) -> TensorType:
        require_axes((self.axis,), x)
        if x.shape[self.axis] == 0:
            raise MisfitError(
                ShapeError,
                f"axis {self.axis} of {x} is empty",
                "choose among at least one element",
            )
        return TensorType((*x.shape[: self.axis], *x.shape[self.axis + 1 :]), int64)

    def kernel(self, k: Kernels[T], result: TensorType, x: T) -> T:
        return k.apply(indexing.IndexOf(self.primitive, self.axis), result, x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[None]:
        return (None,)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        rows: list[tuple[int, Shape]] = [(1, (2, 3)), (0, (3, 2)), (0, (4,)), (1, (0, 2))]
        return [Sample(cls(axis), (TensorType(shape, float32),)) for axis, shape in rows]


class ArgMin(ArgMax):
    """The first position of the smallest element along `axis`; a NaN counts as the smallest."""

    name = "argmin"

    primitive = "minimum"


def take(x: Operand, indices: Operand, axis: int = 0) -> Node:
    """The slices of `x` along `axis` that `indices` name; out of range is an error at run time."""
    node, index = constant(x), constant(indices)
    position = normalize_axis("take", axis, node.ndim)
    return apply(Take(position), node, index)


def scatter_add(x: Operand, indices: Operand, updates: Operand, axis: int = 0) -> Node:
    """`x` with `updates` added at `indices` along `axis`; repeated indices add up."""
    node, index = constant(x), constant(indices)
    position = normalize_axis("scatter_add", axis, node.ndim)
    return apply(ScatterAdd(position), node, index, constant(updates))


def one_hot(indices: Operand, depth: int, dtype: DType | str = float32) -> Node:
    """1 at each index of a new last axis of size `depth`; out of range is an error at run time."""
    if (known := whole(depth)) is None or known < 0:
        raise ShapeError(
            f"one_hot: the depth is {depth!r}, not a number of classes",
            hint="give a whole number that is not negative",
        )
    return apply(OneHot(known, as_dtype(dtype)), constant(indices))


def pick(x: Operand, indices: Operand) -> Node:
    """`x[…, i]` with an index i for each row; out of range is an error at run time.

    Args:
        x: (…, n), n a known size.
        indices: of an integer type, (…).
    """
    return apply(Pick(), constant(x), constant(indices))


def arange(stop: DimLike, dtype: DType | str = int64) -> Node:
    """0, 1, … stop-1; `stop` is an integer or a named size."""
    return apply(Arange(as_shape((stop,))[0], as_dtype(dtype)))


def argmax(x: Operand, axis: int = -1) -> Node:
    """The first position of the largest element along `axis`, as int64."""
    (node,) = as_nodes(x)
    position = normalize_axis("argmax", axis, node.ndim)
    return apply(ArgMax(position), node)


def argmin(x: Operand, axis: int = -1) -> Node:
    """The first position of the smallest element along `axis`, as int64."""
    (node,) = as_nodes(x)
    position = normalize_axis("argmin", axis, node.ndim)
    return apply(ArgMin(position), node)
