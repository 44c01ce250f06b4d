"""What an op computes, in NumPy: the scalar and the kernel vocabulary on whole arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from chainc.interpreters import philox
from chainc.ir import Node, describe
from chainc.ir.errors import InputError
from chainc.ir.kernels import interpret
from chainc.ir.leaves import Constant
from chainc.ir.types import Array, Dim, DType, Shape, TensorType, static
from chainc.ops.contract import FusedContract
from chainc.ops.elementwise import Elementwise
from chainc.ops.formula import interpret_body

Held = Callable[[DType], np.dtype[np.generic]]


def as_declared(dtype: DType) -> np.dtype[np.generic]:
    """The element type itself."""
    return dtype.numpy


def evaluate_node(node: Node, operands: Sequence[Array], held: Held = as_declared) -> Array:
    """The node's value for its operands' values; its sizes are bound.

    `held` gives the NumPy element type in which values of a declared one are kept: by default
    that type, so that the bits are those which NumPy gives for the op.

    Raises:
        InputError: an index is out of range.
    """
    with np.errstate(all="ignore"):
        value = _meaning(node, operands, NumpyScalar(held))
        value = value.astype(held(node.type.dtype), copy=False)
    return np.broadcast_to(value, static(node.shape))


def _meaning(node: Node, operands: Sequence[Array], scalar: NumpyScalar) -> Array:
    op, kernels = node.op, NumpyKernels(node)
    if isinstance(op, Constant):
        return op.value.array
    if isinstance(op, Elementwise):
        return np.asarray(op.interpret(scalar, operands))
    if isinstance(op, FusedContract):
        a, b, *others = operands
        contracted = op.contract.infer(node.inputs[0].type, node.inputs[1].type)
        product = interpret(op.contract, kernels, contracted, (a, b))
        return np.asarray(interpret_body(op.body, scalar, (product, *others)))
    return interpret(op, kernels, node.type, operands)


@dataclass(frozen=True)
class NumpyScalar:
    """The scalar vocabulary on whole arrays; a constant stays a Python number."""

    held: Held

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
    less = staticmethod(np.less)
    less_equal = staticmethod(np.less_equal)
    equal = staticmethod(np.equal)
    logical_and = staticmethod(np.logical_and)
    logical_or = staticmethod(np.logical_or)
    logical_not = staticmethod(np.logical_not)
    select = staticmethod(np.where)

    def const(self, value: float | int | bool) -> npt.ArrayLike:
        return value

    def erf(self, a: npt.ArrayLike) -> npt.ArrayLike:
        x = np.asarray(a)
        return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(x)).astype(x.dtype)

    def cast(self, a: npt.ArrayLike, dtype: DType) -> npt.ArrayLike:
        return np.asarray(a).astype(self.held(dtype))


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
