"""Reductions over axes, and the statistics composed of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import ClassVar, TypeVar

from chainc.dataclass import dataclass
from chainc.ir import Node, Op, Operand, Sample, apply
from chainc.ir.errors import DTypeError, InputError, MisfitError, ShapeError
from chainc.ir.kernels import Kernels
from chainc.ir.leaves import as_nodes, refuse_truth_value, size
from chainc.ir.types import Shape, TensorType, float32, int64, product
from chainc.ops.arithmetic import abs, divide, square, subtract
from chainc.ops.functions import exp, log, sqrt
from chainc.ops.logic import astype, equal, less, stop_gradient, where
from chainc.ops.movement import as_flag, broadcast_to, normalize_axes, require_axes, reshape

__all__ = ["logsumexp", "max", "mean", "min", "prod", "std", "sum", "var"]

T = TypeVar("T")

Axis = int | Sequence[int] | None


@dataclass(frozen=True)
class Reduce(Op):
    """Folds the elements along `axes`; with `keepdims` these axes stay, with size 1."""

    axes: tuple[int, ...]
    keepdims: bool = False

    primitive: ClassVar[str]  # the scalar primitive that folds two elements
    needs_elements: ClassVar[bool] = False  # no neutral element: an empty axis is an error

    def infer(self, x: TensorType) -> TensorType:
        if x.dtype.is_bool:
            raise MisfitError(
                DTypeError,
                "cannot reduce Booleans",
                'count them with cr.sum(cr.astype(x, "int32"))',
            )
        require_axes(self.axes, x)
        if self.needs_elements and any(x.shape[axis] == 0 for axis in self.axes):
            raise MisfitError(
                ShapeError,
                f"axes {self.axes} of {x} are empty, so there is no {self.name}",
                "reduce over axes that have elements",
            )
        return x.with_shape(self._reduced(x.shape, keep=self.keepdims))

    def _reduced(self, shape: Shape, *, keep: bool) -> Shape:
        if keep:
            return tuple(1 if axis in self.axes else dim for axis, dim in enumerate(shape))
        return tuple(dim for axis, dim in enumerate(shape) if axis not in self.axes)

    def kernel(self, k: Kernels[T], result: TensorType, x: T) -> T:
        return k.reduce(result, self.primitive, self.axes, self.keepdims, x)

    def spread(self, reduced: Node, like: Node) -> Node:
        """A reduced tensor repeated along the axes it lost."""
        kept = reshape(reduced, self._reduced(like.shape, keep=True))
        return broadcast_to(kept, like.shape)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def at(shape: Shape, *axes: int, keepdims: bool = False) -> Sample:
            return Sample(cls(axes, keepdims), (TensorType(shape, float32),))

        return [
            at((2, 3), 0),
            at((2, 3), 1, keepdims=True),
            at((2, 3, 2), 0, 2),
            at((1, 1), 0, 1),
            at((0, 3), 1),
        ]


class Sum(Reduce):
    """y = Σ x."""

    name = "sum"
    backward_rules = ("{G} spread over the summed axes",)
    symbol = "Σ"
    primitive = "add"

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (self.spread(g, x),)


class Prod(Reduce):
    """y = Π x."""

    name = "prod"
    backward_rules = ("{G} times the product of the other elements",)
    symbol = "Π"
    primitive = "multiply"

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        # The product of the others: y / x, but exact where elements are zero. One zero among the
        # others stays a factor, for the second derivative with respect to it is not zero.
        zero = equal(x, 0)
        ones, vanishing = where(zero, 1, x), where(zero, x, 0)
        zeros = self._others(astype(zero, x.type.dtype))
        rest = self.spread(apply(Prod(self.axes, False), ones), x) / ones
        among = where(equal(zeros, 1), self._others(vanishing) * rest, 0)
        return (self.spread(g, x) * where(equal(zeros, 0), rest, among),)

    def _others(self, x: Node) -> Node:
        """For each element the sum of the other ones."""
        return self.spread(apply(Sum(self.axes, False), x), x) - x


class Extremum(Reduce):
    """The largest or smallest element, NaN where there is one; equal ones share the cotangent."""

    needs_elements = True
    backward_rules = ("{G} at the chosen element, 0 elsewhere",)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        chosen = astype(equal(x, self.spread(y, x)), x.type.dtype)
        count = apply(Sum(self.axes, False), chosen)
        return (self.spread(divide(reshape(g, count.shape), count), x) * chosen,)


class Max(Extremum):
    """y = max x."""

    name = "max"
    primitive = "maximum"


class Min(Extremum):
    """y = min x."""

    name = "min"
    primitive = "minimum"


def _reduce(op: type[Reduce], x: Operand, axis: Axis, keepdims: bool) -> Node:
    refuse_truth_value(op.name, x)
    (node,) = as_nodes(x)
    axes, keep = normalize_axes(op.name, axis, node.ndim), as_flag(op.name, "keepdims", keepdims)
    return apply(op(axes, keep), node) if axes or node.type.dtype.is_bool else node


def _counting(name: str, x: Operand) -> Node:
    """Integers in the largest type, as the Array API standard says for sums and products."""
    refuse_truth_value(name, x)
    (node,) = as_nodes(x)
    return astype(node, int64) if node.type.dtype.kind == "i" else node


def sum(x: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    """Σ x over `axis`, by default over all; of integers as int64, so that bytes do not wrap."""
    return _reduce(Sum, _counting("sum", x), axis, keepdims)


def prod(x: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    """Π x over `axis`, by default over all; of integers as int64."""
    return _reduce(Prod, _counting("prod", x), axis, keepdims)


def max(x: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    """The largest element over `axis`, by default over all; there must be one."""
    return _reduce(Max, x, axis, keepdims)


def min(x: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    """The smallest element over `axis`, by default over all; there must be one."""
    return _reduce(Min, x, axis, keepdims)


def mean(x: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    """Σ x / n, n the true number of elements along `axis`, also in a partial batch."""
    refuse_truth_value("mean", x)
    (node,) = as_nodes(x)
    count = product(node.shape[a] for a in normalize_axes("mean", axis, node.ndim))
    return divide(sum(node, axis, keepdims), _number(node, size(count), count == 0))


def _number(like: Node, count: Node, empty: bool) -> Node:
    if empty:
        raise ShapeError(
            f"mean: {like.type} has no elements along the axis",
            hint="reduce over axes that have elements",
        )
    return astype(count, like.type.dtype)


def var(x: Operand, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Node:
    """Σ (x - mean)² / (n - correction), in two passes."""
    (node,) = as_nodes(x)
    axes = normalize_axes("var", axis, node.ndim)
    given: object = correction
    if not isinstance(given, Real):
        raise InputError(
            f"var: the correction is {correction!r}, not a number",
            hint="give what is taken from n, such as correction=1",
        )
    centred = subtract(node, mean(node, axes, keepdims=True))
    count = size(product(node.shape[a] for a in axes))
    total = sum(square(centred), axes, keepdims)
    return divide(total, subtract(astype(count, node.type.dtype), float(correction)))


def std(x: Operand, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Node:
    """√var."""
    return sqrt(var(x, axis, correction, keepdims))


def largest_exponent(x: Node, axis: Axis) -> Node:
    """Max x, which no derivative reads, but 0 where it is infinite: x less it is no ∞ - ∞."""
    return zero_unless_finite(stop_gradient(max(x, axis, keepdims=True)))


def zero_unless_finite(largest: Node) -> Node:
    """A number to take off exponents: 0 in place of an infinite one, which would give ∞ - ∞."""
    return where(less(abs(largest), math.inf), largest, 0)


def logsumexp(x: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    """The logarithm ln Σ e^x, as m + ln Σ e^(x - m) with m = max x, which never overflows.

    Where every element is -∞ it is -∞, and +∞ where one is.
    """
    (node,) = as_nodes(x)
    axes = normalize_axes("logsumexp", axis, node.ndim)
    if not node.type.dtype.is_float:
        raise DTypeError(
            f"logsumexp: needs floating-point operands, got {node.type.dtype}",
            hint="convert the operand with cr.astype(x, 'float32')",
        )
    largest = largest_exponent(node, axes)
    total = log(sum(exp(subtract(node, largest)), axes, keepdims=True))
    result = total + largest
    if as_flag("logsumexp", "keepdims", keepdims):
        return result
    return reshape(result, sum(node, axes).shape)
