"""NumPy's functions on nodes: `np.sin(x)` is `cr.sin(x)`, under NumPy's names for its arguments.

`bind_numpy` makes them known; a function that is not here is refused with what to use instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from chainc import ops
from chainc.ir import Node, Operand
from chainc.ir.errors import GraphError
from chainc.ir.leaves import as_nodes, constant
from chainc.ir.python.foreign import NUMPY_FUNCTIONS
from chainc.ir.types import Shape
from chainc.ops.movement import DimLike
from chainc.ops.reduce import Axis


def _sum(a: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    return ops.sum(a, axis, keepdims)


def _prod(a: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    return ops.prod(a, axis, keepdims)


def _max(a: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    return ops.max(a, axis, keepdims)


def _min(a: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    return ops.min(a, axis, keepdims)


def _mean(a: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    return ops.mean(a, axis, keepdims)


def _var(a: Operand, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Node:
    return ops.var(a, axis, ddof, keepdims)


def _std(a: Operand, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Node:
    return ops.std(a, axis, ddof, keepdims)


def _argmax(a: Operand, axis: int | None = None) -> Node:
    return ops.argmax(_flat(a)) if axis is None else ops.argmax(a, axis)


def _argmin(a: Operand, axis: int | None = None) -> Node:
    return ops.argmin(_flat(a)) if axis is None else ops.argmin(a, axis)


def _flat(a: Operand) -> Node:
    return ops.reshape(a, (-1,))


def _reshape(a: Operand, shape: DimLike | Sequence[DimLike]) -> Node:
    return ops.reshape(a, shape if isinstance(shape, (tuple, list)) else (shape,))


def _transpose(a: Operand, axes: Sequence[int] | None = None) -> Node:
    (node,) = as_nodes(a)
    return ops.permute_dims(node, range(node.ndim)[::-1] if axes is None else axes)


def _broadcast_to(array: Operand, shape: DimLike | Sequence[DimLike]) -> Node:
    return ops.broadcast_to(array, shape if isinstance(shape, (tuple, list)) else (shape,))


def _expand_dims(a: Operand, axis: int) -> Node:
    return ops.expand_dims(a, axis)


def _squeeze(a: Operand, axis: int | Sequence[int] | None = None) -> Node:
    (node,) = as_nodes(a)
    ones = [position for position, dim in enumerate(node.shape) if dim == 1]
    return ops.squeeze(node, ones if axis is None else axis)


def _flip(m: Operand, axis: int | Sequence[int] | None = None) -> Node:
    return ops.flip(m, axis)


def _concatenate(arrays: Sequence[Operand], axis: int = 0) -> Node:
    return ops.concat(arrays, axis)


def _stack(arrays: Sequence[Operand], axis: int = 0) -> Node:
    return ops.stack(arrays, axis)


def _where(condition: Operand, x: Operand, y: Operand) -> Node:
    return ops.where(constant(condition), x, y)


def _take(a: Operand, indices: Operand, axis: int | None = None) -> Node:
    return ops.take(_flat(a), indices) if axis is None else ops.take(a, indices, axis)


def _clip(a: Operand, a_min: Operand | None = None, a_max: Operand | None = None) -> Node:
    (low,) = as_nodes(a) if a_min is None else (ops.maximum(a, a_min),)
    return low if a_max is None else ops.minimum(low, a_max)


def _dot(a: Operand, b: Operand) -> Node:
    left, right = as_nodes(a, b)
    if left.ndim == 0 or right.ndim == 0:
        return ops.multiply(left, right)
    if left.ndim > 2 or right.ndim > 2:
        raise GraphError(
            f"numpy.dot on nodes of {left.ndim} and {right.ndim} axes",
            hint="say what is summed over: cr.matmul(a, b), or cr.einsum",
        )
    return ops.matmul(left, right)


def _outer(a: Operand, b: Operand) -> Node:
    return ops.outer(a, b)


def _einsum(equation: str, a: Operand, b: Operand) -> Node:
    return ops.einsum(equation, a, b)


def _zeros_like(a: Node) -> Node:
    return ops.broadcast_to(constant(0, a.type.dtype), a.shape)


def _ones_like(a: Node) -> Node:
    return ops.broadcast_to(constant(1, a.type.dtype), a.shape)


def _shape(a: Node) -> Shape:
    return a.shape


def _ndim(a: Node) -> int:
    return a.ndim


def _positive(x: Operand) -> Node:
    (node,) = as_nodes(x)
    return node


_TABLE: Mapping[Callable[..., object], Callable[..., object]] = {
    np.absolute: ops.abs,
    np.add: ops.add,
    np.bitwise_and: ops.logical_and,
    np.bitwise_or: ops.logical_or,
    np.cos: ops.cos,
    np.divide: ops.divide,
    np.equal: ops.equal,
    np.exp: ops.exp,
    np.expm1: ops.expm1,
    np.floor: ops.floor,
    np.floor_divide: ops.floor_divide,
    np.greater: ops.greater,
    np.greater_equal: ops.greater_equal,
    np.invert: ops.logical_not,
    np.less: ops.less,
    np.less_equal: ops.less_equal,
    np.log: ops.log,
    np.log1p: ops.log1p,
    np.logical_and: ops.logical_and,
    np.logical_not: ops.logical_not,
    np.logical_or: ops.logical_or,
    np.matmul: ops.matmul,
    np.maximum: ops.maximum,
    np.minimum: ops.minimum,
    np.multiply: ops.multiply,
    np.negative: ops.negative,
    np.not_equal: ops.not_equal,
    np.positive: _positive,
    np.power: ops.pow,
    np.reciprocal: ops.reciprocal,
    np.remainder: ops.remainder,
    np.sign: ops.sign,
    np.sin: ops.sin,
    np.sqrt: ops.sqrt,
    np.square: ops.square,
    np.subtract: ops.subtract,
    np.tanh: ops.tanh,
    np.amax: _max,
    np.amin: _min,
    np.argmax: _argmax,
    np.argmin: _argmin,
    np.broadcast_to: _broadcast_to,
    np.clip: _clip,
    np.concatenate: _concatenate,
    np.dot: _dot,
    np.einsum: _einsum,
    np.expand_dims: _expand_dims,
    np.flip: _flip,
    np.max: _max,
    np.mean: _mean,
    np.min: _min,
    np.ndim: _ndim,
    np.ones_like: _ones_like,
    np.outer: _outer,
    np.prod: _prod,
    np.ravel: _flat,
    np.reshape: _reshape,
    np.shape: _shape,
    np.squeeze: _squeeze,
    np.stack: _stack,
    np.std: _std,
    np.sum: _sum,
    np.take: _take,
    np.transpose: _transpose,
    np.var: _var,
    np.where: _where,
    np.zeros_like: _zeros_like,
}


def bind_numpy() -> None:
    """Let NumPy's functions give these of nodes."""
    NUMPY_FUNCTIONS.update(_TABLE)
