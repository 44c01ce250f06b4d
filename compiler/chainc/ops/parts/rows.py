"""Along one axis: running sums, elements at indices, order; and the triangles of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from chainc.dataclass import dataclass
from chainc.ir import Node, Op, Operand, Sample, apply, movements
from chainc.ir.errors import DTypeError, MisfitError, ShapeError
from chainc.ir.kernels import Kernels
from chainc.ir.leaves import as_nodes, constant, refuse_truth_value
from chainc.ir.types import Shape, TensorType, broadcast, float32, format_shape, int32, int64
from chainc.ops.families import rows
from chainc.ops.index import arange, require_indices, require_summands
from chainc.ops.logic import astype, less_equal, where
from chainc.ops.movement import (
    as_flag,
    broadcast_to,
    expand_dims,
    flip,
    normalize_axis,
    permute_dims,
    whole,
)
from chainc.ops.parts.slicing import getitem

__all__ = ["argsort", "cumsum", "sort", "take_along_axis", "top_k", "tril", "triu"]

FEW = 4  # for each level of a sort, so many passes over a row take as long

T = TypeVar("T")


def _require_rows(x: TensorType) -> None:
    if not x.shape:
        raise MisfitError(ShapeError, f"{x} has no axis", "give a tensor that has one")


class CumulativeSum(Op):
    """y[…, i] = Σ x[…, j] over j ≤ i."""

    name = "cumsum"
    backward_rules = ("Σ of {G} over the elements that come after, and its own",)

    def infer(self, x: TensorType) -> TensorType:
        _require_rows(x)
        if x.dtype.is_bool:
            raise MisfitError(
                DTypeError,
                "cannot add Booleans",
                'count them with cr.cumsum(cr.astype(x, "int32"))',
            )
        return x

    def kernel(self, k: Kernels[T], result: TensorType, x: T) -> T:
        return k.apply(rows.RunningSum(), result, x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (flip(apply(CumulativeSum(), flip(g, -1)), -1),)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [Sample(cls(), (TensorType(s, float32),)) for s in [(2, 3), (4,), (0, 2), (2, 0)]]


class TakeAlong(Op):
    """y[…, i] = x[…, indices[…, i]]."""

    name = "take_along"
    backward_rules = ("{G} added up at the indices", "0")
    roles = ("x", "index")

    def infer(self, x: TensorType, indices: TensorType) -> TensorType:
        require_indices(indices)
        _require_rows(x)
        if indices.shape[:-1] != x.shape[:-1] or indices.ndim != x.ndim:
            raise MisfitError(
                ShapeError,
                f"indices {format_shape(indices.shape)} do not fit {format_shape(x.shape)}: they "
                "may differ in the last axis only",
                "give some indices for each row",
            )
        return x.with_shape(indices.shape)

    def kernel(self, k: Kernels[T], result: TensorType, x: T, indices: T) -> T:
        return k.apply(rows.PickAlong(), result, x, indices)

    def vjp(self, g: Node, y: Node, x: Node, indices: Node) -> Sequence[Node | None]:
        zeros = broadcast_to(constant(0, x.type.dtype), x.shape)
        return apply(AddAlong(), zeros, indices, g), None

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        pairs: list[tuple[Shape, Shape]] = [
            ((2, 3), (2, 4)), ((3,), (2,)), ((2, 1, 3), (2, 1, 1)), ((0, 2), (0, 3)),
            ((2, 3), (2, 0)),
        ]  # fmt: skip
        return [Sample(cls(), (TensorType(x, float32), TensorType(i, int32))) for x, i in pairs]


class AddAlong(Op):
    """`x` with updates[…, i] added at x[…, indices[…, i]]."""

    name = "add_along"
    backward_rules = ("{G}", "0", "{G} at the indices")
    roles = ("x", "index", "update")

    def infer(self, x: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        require_summands(x, updates)
        expected = TakeAlong().infer(x, indices)
        if updates.shape != expected.shape:
            raise MisfitError(
                ShapeError,
                f"updates of shape {format_shape(updates.shape)} for indices of "
                f"{format_shape(indices.shape)}",
                "give one update for each index",
            )
        return x

    def kernel(self, k: Kernels[T], result: TensorType, x: T, indices: T, updates: T) -> T:
        return k.apply(rows.AddAlong(), result, x, indices, updates)

    def vjp(self, g: Node, y: Node, x: Node, indices: Node, updates: Node) -> Sequence[Node | None]:
        return g, None, apply(TakeAlong(), g, indices)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        pairs: list[tuple[Shape, Shape]] = [((2, 3), (2, 4)), ((3,), (2,))]
        return [
            Sample(cls(), (TensorType(x, float32), TensorType(i, int32), TensorType(i, float32)))
            for x, i in pairs
        ]


@dataclass(frozen=True)
class ArgSort(Op):
    """The positions of each row's elements in order; equal ones stay in theirs."""

    name = "argsort"
    backward_rules = ("0",)
    descending: bool = False

    def infer(self, x: TensorType) -> TensorType:
        _require_rows(x)
        return x.with_dtype(int64)

    def kernel(self, k: Kernels[T], result: TensorType, x: T) -> T:
        outer, last = result.shape[:-1], result.shape[-1]
        both = k.apply(rows.Order(self.descending), result.with_shape((*outer, 2, last)), x)
        first, none = (*outer, 1, last), (0,) * (result.ndim + 1)
        cut = movements.Slice(first, none, first, (1,) * (result.ndim + 1))
        return k.move(movements.Reshape(result.shape), k.move(cut, both))

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[None]:
        return (None,)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        types = [TensorType(shape, float32) for shape in [(2, 5), (4,), (2, 1), (0, 2), (2, 0)]]
        return [Sample(cls(down), (type,)) for type in types for down in (False, True)]


@dataclass(frozen=True)
class TopK(Op):
    """The positions of each row's `count` largest elements, largest first; equal ones in order."""

    name = "top_k"
    backward_rules = ("0",)
    count: int

    def infer(self, x: TensorType) -> TensorType:
        _require_rows(x)
        size = x.shape[-1]
        if not isinstance(size, int) or not 0 < self.count <= size:
            raise MisfitError(
                ShapeError,
                f"{self.count} of the elements in each row of {x}",
                "choose from 1 to a known size of the last axis",
            )
        return TensorType((*x.shape[:-1], self.count), int64)

    def kernel(self, k: Kernels[T], result: TensorType, x: T) -> T:
        return k.apply(rows.Largest(self.count), result, x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[None]:
        return (None,)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        cases: list[tuple[int, Shape]] = [(2, (2, 5)), (4, (4,)), (1, (2, 1)), (1, (0, 2))]
        return [Sample(cls(count), (TensorType(shape, float32),)) for count, shape in cases]


def cumsum(x: Operand, axis: int = -1) -> Node:
    """Σ of the elements up to each one along `axis`; of integers as int64, as `sum` does."""
    refuse_truth_value("cumsum", x)
    (node,) = as_nodes(x)
    position = normalize_axis("cumsum", axis, node.ndim)
    counting = astype(node, int64) if node.type.dtype.kind == "i" else node
    return _from_last(apply(CumulativeSum(), _to_last(counting, position)), position)


def take_along_axis(x: Operand, indices: Operand, axis: int = -1) -> Node:
    """`x[…, i, …]` along `axis` for each of `indices`; out of range is an error at run time.

    Along the other axes, both broadcast.
    """
    node, index = constant(x), constant(indices)
    position = normalize_axis("take_along_axis", axis, node.ndim)
    if index.ndim != node.ndim:
        raise ShapeError(
            f"take_along_axis: indices of shape {format_shape(index.shape)} for "
            f"{format_shape(node.shape)}",
            hint="give both the same number of axes; cr.take gathers whole slices",
        )
    rows, chosen = _to_last(node, position), _to_last(index, position)
    outer = broadcast(rows.shape[:-1], chosen.shape[:-1])
    if outer is not None:
        rows = _over(rows, outer)
        chosen = _over(chosen, outer)
    return _from_last(apply(TakeAlong(), rows, chosen), position)


def argsort(x: Operand, axis: int = -1, descending: bool = False) -> Node:
    """The positions of the elements along `axis` in order, as int64; equal ones stay in theirs.

    A NaN counts as the largest.
    """
    refuse_truth_value("argsort", x)
    (node,) = as_nodes(x)
    position = normalize_axis("argsort", axis, node.ndim)
    order = ArgSort(as_flag("argsort", "descending", descending))
    return _from_last(apply(order, _to_last(node, position)), position)


def sort(x: Operand, axis: int = -1, descending: bool = False) -> Node:
    """The elements along `axis` in order; a NaN counts as the largest."""
    refuse_truth_value("sort", x)
    (node,) = as_nodes(x)
    position = normalize_axis("sort", axis, node.ndim)
    down = as_flag("sort", "descending", descending)
    return take_along_axis(node, argsort(node, position, down), position)


def top_k(x: Operand, k: int, axis: int = -1) -> tuple[Node, Node]:
    """The k largest elements along `axis`, largest first, and their positions as int64.

    Equal ones come in their order. A NaN counts as the largest.

    Raises:
        ShapeError: there are not so many, or the size of the axis has a name.
    """
    (node,) = as_nodes(x)
    position = normalize_axis("top_k", axis, node.ndim)
    count, size = whole(k), node.shape[position]
    if count is None or not isinstance(size, int) or not 0 < count <= size:
        raise ShapeError(
            f"top_k: {k!r} of the elements along axis {axis} of {format_shape(node.shape)}",
            hint="choose a whole number of them, from 1 to a known size of the axis",
        )
    chosen = _from_last(_largest(_to_last(node, position), count, size), position)
    return take_along_axis(node, chosen, position), chosen


def _largest(rows: Node, count: int, size: int) -> Node:
    """Few are looked for one after another, which takes less than to put all in order."""
    if count <= FEW * size.bit_length():
        return apply(TopK(count), rows)
    return getitem(apply(ArgSort(descending=True), rows), (..., slice(count)))


def tril(x: Operand, k: int = 0) -> Node:
    """The lower triangle of the matrices in the last two axes; else 0.

    Args:
        x: of at least two axes.
        k: the last diagonal that is kept: 0 is the main one, 1 the one above it.
    """
    rows, columns, node = _positions("tril", x, k)
    return where(less_equal(columns, rows), node, constant(0, node.dtype))


def triu(x: Operand, k: int = 0) -> Node:
    """The upper triangle of the matrices in the last two axes; else 0.

    Args:
        x: of at least two axes.
        k: the first diagonal that is kept: 0 is the main one, 1 the one above it.
    """
    rows, columns, node = _positions("triu", x, k)
    return where(less_equal(rows, columns), node, constant(0, node.dtype))


def _positions(function: str, x: Operand, k: int) -> tuple[Node, Node, Node]:
    """Those of rows, moved by k, and of columns, and the matrices."""
    refuse_truth_value(function, x)
    (node,) = as_nodes(x)
    if node.ndim < 2:
        raise ShapeError(
            f"{function}: {format_shape(node.shape)} is no matrix",
            hint="give a tensor of at least two axes",
        )
    moved = whole(k)
    if moved is None:
        raise ShapeError(
            f"{function}: the diagonal is {k!r}, not a whole number",
            hint="give 0 for the main diagonal, or 1 for the one above it",
        )
    rows, columns = (arange(dim) for dim in node.shape[-2:])
    return expand_dims(rows, 1) + moved, columns, node


def _over(node: Node, outer: Shape) -> Node:
    """Rows over these axes."""
    shape = (*outer, node.shape[-1])
    return node if node.shape == shape else broadcast_to(node, shape)


def _to_last(node: Node, axis: int) -> Node:
    """With an axis behind all others."""
    if axis == node.ndim - 1:
        return node
    return permute_dims(node, (*(each for each in range(node.ndim) if each != axis), axis))


def _from_last(node: Node, axis: int) -> Node:
    """The reverse."""
    last = node.ndim - 1
    if axis == last:
        return node
    return permute_dims(node, (*range(axis), last, *range(axis, last)))
