"""The oracle: the direct meaning of every op in NumPy float64, one line an op.

No passes, no fusion, nothing in place: what another backend computes is compared with this.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import numpy.typing as npt

from chainc import kernels
from chainc.backends import philox
from chainc.binding import bind_graph, sizes_of
from chainc.errors import InputError
from chainc.ir import Graph, Node, describe
from chainc.ops.contract import FusedContract
from chainc.ops.elementwise import Elementwise
from chainc.ops.formula import interpret_body
from chainc.ops.state import Constant, Input, State
from chainc.types import Array, Dim, DType, Shape, Size, TensorType, format_shape, static


@dataclass(frozen=True)
class Result:
    """What one evaluation of a graph gives; `updates` holds new values by state name."""

    outputs: tuple[Array, ...]
    updates: Mapping[str, Array] = field(default_factory=dict)


def evaluate(
    graph: Graph,
    inputs: Mapping[str, npt.ArrayLike],
    states: Mapping[str, npt.ArrayLike] | None = None,
) -> Result:
    """Compute the graph for input values by key and state values by name.

    Floating-point values are computed and returned in float64, whatever their declared type;
    integers and Booleans keep theirs. Named sizes are those of the inputs' shapes.

    Raises:
        InputError: a value is missing, unknown or does not fit its type; an index is out of range.
    """
    given = {key: np.asarray(value) for key, value in inputs.items()}
    _refuse_unknown(graph, given)
    bound = bind_graph(graph, sizes_of(graph, {key: a.shape for key, a in given.items()}))
    slots = {key: np.asarray(value) for key, value in (states or {}).items()}
    values: dict[Node, Array] = {}
    with np.errstate(all="ignore"):
        for node in bound.nodes:
            _refuse_named_sizes(node)
            computed = _compute(node, [values[operand] for operand in node.inputs], given, slots)
            value = computed.astype(held_as(node.type.dtype), copy=False)
            values[node] = np.broadcast_to(value, static(node.shape))
    return Result(
        tuple(values[node] for node in bound.outputs),
        {slot.op.label: values[value] for slot, value in bound.updates.items()},
    )


def held_as(dtype: DType) -> np.dtype[np.generic]:
    """The element type in which the oracle holds values declared as `dtype`."""
    return np.dtype(np.float64) if dtype.is_float else dtype.numpy


def _refuse_unknown(graph: Graph, given: Mapping[str, Array]) -> None:
    known = {node.op.label for node in graph.leaves("input")}
    for key in given:
        if key not in known:
            raise InputError(
                f"the graph has no input {key!r}",
                hint=f"its inputs are {', '.join(sorted(known)) or 'none'}",
            )


def _compute(
    node: Node, operands: Sequence[Array], given: Mapping[str, Array], slots: Mapping[str, Array]
) -> Array:
    op = node.op
    if isinstance(op, Input):
        return _given(node, op.key, given, op.default)
    if isinstance(op, State):
        return _given(node, str(op.key), slots, None)
    if isinstance(op, Constant):
        return op.value.array
    if isinstance(op, Elementwise):
        return np.asarray(op.interpret(NumpyScalar(), operands))
    if isinstance(op, FusedContract):
        return _fused(op, node, operands)
    return kernels.interpret(op, NumpyKernels(node), node.type, operands)


def _fused(op: FusedContract, node: Node, operands: Sequence[Array]) -> Array:
    a, b, *extra = operands
    contracted = op.contract.infer(node.inputs[0].type, node.inputs[1].type)
    product = kernels.interpret(op.contract, NumpyKernels(node), contracted, (a, b))
    return np.asarray(interpret_body(op.body, NumpyScalar(), (product, *extra)))


def _given(
    node: Node, name: str, values: Mapping[str, Array], default: float | int | None
) -> Array:
    if name not in values and default is not None:
        return np.full(static(node.shape), default)
    if name not in values:
        raise InputError(
            f"no value for {node.op.name} {name!r}",
            where=describe(node),
            hint=f"give an array of type {node.type}",
        )
    value = values[name]
    fits = np.can_cast(value.dtype, held_as(node.type.dtype), "same_kind")
    if value.shape != static(node.shape) or not fits:
        raise InputError(
            f"{node.op.name} {name!r} is declared {node.type} and got {value.dtype} "
            f"{format_shape(value.shape)}",
            where=describe(node),
            hint=f"give an array of type {node.type}",
        )
    return value


def _refuse_named_sizes(node: Node) -> None:
    unbound = [dim for dim in node.shape if isinstance(dim, Size)]
    if unbound:
        raise InputError(
            f"the size {str(unbound[0])!r} of {node.op.label} {node.type} is not known",
            where=describe(node),
            hint="give an input that has such an axis, or bind the size first",
        )


class NumpyScalar:
    """The scalar vocabulary on whole arrays; a constant stays a Python number."""

    add = staticmethod(np.add)
    subtract = staticmethod(np.subtract)
    multiply = staticmethod(np.multiply)
    divide = staticmethod(np.divide)
    floor_divide = staticmethod(np.floor_divide)
    remainder = staticmethod(np.remainder)
    power = staticmethod(np.power)
    maximum = staticmethod(np.maximum)
    minimum = staticmethod(np.minimum)
    negative = staticmethod(np.negative)
    absolute = staticmethod(np.absolute)
    floor = staticmethod(np.floor)
    sqrt = staticmethod(np.sqrt)
    exp = staticmethod(np.exp)
    expm1 = staticmethod(np.expm1)
    log = staticmethod(np.log)
    log1p = staticmethod(np.log1p)
    sin = staticmethod(np.sin)
    cos = staticmethod(np.cos)
    tanh = staticmethod(np.tanh)
    erf = staticmethod(np.vectorize(math.erf, otypes=[np.float64]))
    less = staticmethod(np.less)
    less_equal = staticmethod(np.less_equal)
    equal = staticmethod(np.equal)
    logical_and = staticmethod(np.logical_and)
    logical_or = staticmethod(np.logical_or)
    logical_not = staticmethod(np.logical_not)
    select = staticmethod(np.where)

    def const(self, value: float | int | bool) -> npt.ArrayLike:
        return value

    def cast(self, a: npt.ArrayLike, dtype: DType) -> npt.ArrayLike:
        return np.asarray(a).astype(held_as(dtype))


@dataclass(frozen=True)
class NumpyKernels:
    """The kernel vocabulary on whole arrays; `node` is the one being computed."""

    node: Node

    def contract(
        self, result: TensorType, letters: tuple[str, str, str], a: Array, b: Array
    ) -> Array:
        operands = cast("tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]", (a, b))
        return np.asarray(np.einsum("{},{}->{}".format(*letters), *operands))

    def reduce(
        self, result: TensorType, primitive: str, axes: tuple[int, ...], keepdims: bool, x: Array
    ) -> Array:
        fold: np.ufunc = getattr(np, primitive)
        return np.asarray(fold.reduce(x, axis=axes, keepdims=keepdims, dtype=x.dtype))

    def index_of(self, result: TensorType, primitive: str, axis: int, x: Array) -> Array:
        find = {"maximum": np.argmax, "minimum": np.argmin}[primitive]
        return np.asarray(find(x, axis=axis))

    def reshape(self, result: TensorType, x: Array) -> Array:
        return x.reshape(static(result.shape))

    def permute(self, result: TensorType, axes: tuple[int, ...], x: Array) -> Array:
        return x.transpose(axes)

    def broadcast(self, result: TensorType, x: Array) -> Array:
        return np.broadcast_to(x, static(result.shape))

    def slice(
        self, result: TensorType, starts: Shape, stops: Shape, steps: Shape, x: Array
    ) -> Array:
        bounds = zip(static(starts), static(stops), static(steps), strict=True)
        return x[tuple(slice(*bound) for bound in bounds)]

    def flip(self, result: TensorType, axes: tuple[int, ...], x: Array) -> Array:
        return np.flip(x, axes)

    def pad(self, result: TensorType, low: Shape, interior: Shape, value: float, x: Array) -> Array:
        padded = np.full(static(result.shape), value, x.dtype)
        spacing = zip(static(low), static(interior), x.shape, strict=True)
        padded[tuple(slice(b, b + n * (i + 1) - i if n else b, i + 1) for b, i, n in spacing)] = x
        return padded

    def concat(self, result: TensorType, axis: int, parts: Sequence[Array]) -> Array:
        return np.concatenate(parts, axis)

    def take(self, result: TensorType, axis: int, x: Array, indices: Array) -> Array:
        return np.take(x, self._checked(indices, x.shape[axis]), axis)

    def scatter_add(
        self, result: TensorType, axis: int, x: Array, indices: Array, updates: Array
    ) -> Array:
        total, rank = x.copy(), indices.ndim
        slices = np.moveaxis(updates, range(axis, axis + rank), range(rank))
        np.add.at(np.moveaxis(total, axis, 0), self._checked(indices, x.shape[axis]), slices)
        return total

    def one_hot(self, result: TensorType, indices: Array) -> Array:
        depth = static(result.shape)[-1]
        return np.equal(self._checked(indices, depth)[..., None], np.arange(depth))

    def arange(self, result: TensorType) -> Array:
        return np.arange(static(result.shape)[0])

    def random_bits(self, result: TensorType, stream: int, seed: Array, step: Array) -> Array:
        return philox.random_bits(static(result.shape), stream, int(seed), int(step))

    def permutation(self, result: TensorType, stream: int, seed: Array, step: Array) -> Array:
        return philox.permutation(static(result.shape)[0], stream, int(seed), int(step))

    def size(self, result: TensorType, dim: Dim) -> Array:
        return np.asarray(static((dim,))[0])

    def _checked(self, indices: Array, bound: int) -> npt.NDArray[np.intp]:
        """The indices, each of them from 0 to `bound` - 1."""
        positions = indices.astype(np.intp)
        wrong = positions[(positions < 0) | (positions >= bound)]
        if wrong.size:
            raise InputError(
                f"{self.node.op.label}: index {wrong[0]} is out of range for {bound} positions",
                where=describe(self.node),
                hint=f"use indices from 0 to {bound - 1}" if bound else "take no index",
            )
        return positions
