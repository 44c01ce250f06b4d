"""What an op computes, in NumPy: the scalar and the kernel vocabulary on whole arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

from chainc.dataclass import dataclass
from chainc.interpreters.integers import as_integers, integer_power
from chainc.ir import Graph, Node, Op, describe
from chainc.ir.errors import InputError
from chainc.ir.kernels import Family, Meaning, interpret
from chainc.ir.leaves import Constant, Input
from chainc.ir.movements import Movement
from chainc.ir.scalar import Scalar, UniformScalar
from chainc.ir.types import Array, Axes, Dim, DType, Shape, TensorType, static
from chainc.ops.formula import interpret_body
from chainc.ops.runs.scan import Scan

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
        if isinstance(node.op, Constant):
            value = node.op.value.array
        else:
            value = interpret(node, NumpyKernels(node, NumpyScalar(held), held), operands)
        value = value.astype(held(node.type.dtype), copy=False)
    return np.broadcast_to(value, static(node.shape))


@dataclass(frozen=True)
class NumpyScalar(UniformScalar[npt.ArrayLike]):
    """The scalar vocabulary on whole arrays; a constant stays a Python number."""

    held: Held

    def call(self, primitive: str, *operands: npt.ArrayLike) -> npt.ArrayLike:
        """NumPy calls its functions as the vocabulary does."""
        function: np.ufunc = getattr(np, primitive)
        return cast(npt.ArrayLike, function(*operands))

    def select(self, condition: npt.ArrayLike, a: npt.ArrayLike, b: npt.ArrayLike) -> npt.ArrayLike:
        return np.where(np.asarray(condition), a, b)

    def const(self, value: float | int | bool) -> npt.ArrayLike:
        return value

    def erf(self, a: npt.ArrayLike) -> npt.ArrayLike:
        x = np.asarray(a)
        return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(x)).astype(x.dtype)

    def power(self, a: npt.ArrayLike, b: npt.ArrayLike) -> npt.ArrayLike:
        if np.asarray(a).dtype.kind == np.asarray(b).dtype.kind == "i":
            return integer_power(a, b)
        return self.call("power", a, b)

    def cast(self, a: npt.ArrayLike, dtype: DType) -> npt.ArrayLike:
        x, held = np.asarray(a), self.held(dtype)
        return as_integers(x, held) if x.dtype.kind == "f" and held.kind in "iu" else x.astype(held)


@dataclass(frozen=True)
class NumpyKernels:
    """The kernel vocabulary on whole arrays; `node` is the one being computed."""

    node: Node
    scalar: Scalar[npt.ArrayLike]
    held: Held = as_declared

    def map(self, result: TensorType, meaning: Meaning, operands: Sequence[Array]) -> Array:
        return np.asarray(meaning.interpret(self.scalar, operands))

    def contract(
        self, result: TensorType, letters: tuple[str, str, str], a: Array, b: Array
    ) -> Array:
        operands = cast("tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]", (a, b))
        return np.asarray(np.einsum("{},{}->{}".format(*letters), *operands))

    def fused_contract(
        self,
        result: TensorType,
        letters: tuple[str, str, str],
        body: Graph,
        operands: Sequence[Array],
    ) -> Array:
        a, b, *others = operands
        sums = self.contract(result, letters, a, b)
        return np.asarray(interpret_body(body, self.scalar, (sums, *others)))

    def reduce(
        self, result: TensorType, primitive: str, axes: tuple[int, ...], keepdims: bool, x: Array
    ) -> Array:
        fold: np.ufunc = getattr(np, primitive)
        return np.asarray(fold.reduce(x, axis=axes, keepdims=keepdims, dtype=x.dtype))

    def move(self, movement: Movement, x: Array) -> Array:
        return movement.of(x)

    def pad(self, result: TensorType, low: Shape, interior: Shape, value: float, x: Array) -> Array:
        padded = np.full(static(result.shape), value, x.dtype)
        spacing = zip(static(low), static(interior), x.shape, strict=True)
        padded[tuple(slice(b, b + n * (i + 1) - i if n else b, i + 1) for b, i, n in spacing)] = x
        return padded

    def concat(self, result: TensorType, axis: int, parts: Sequence[Array]) -> Array:
        return np.concatenate(parts, axis)

    def interleave(
        self, result: TensorType, starts: Sequence[Axes], steps: Axes, parts: Sequence[Array]
    ) -> Array:
        joined = np.empty(static(result.shape), parts[0].dtype)
        for start, part in zip(starts, parts, strict=True):
            joined[tuple(slice(a, None, b) for a, b in zip(start, steps, strict=True))] = part
        return joined

    def apply(self, family: Family, result: TensorType, *operands: Array) -> Array:
        index = family.index(result.shape, [operand.shape for operand in operands])
        if index is not None:
            position, bound = index
            self._require(operands[position], static((bound,))[0])
        return np.asarray(family.evaluate(result, *operands))

    def size(self, result: TensorType, dim: Dim) -> Array:
        return np.asarray(static((dim,))[0])

    def scan(self, result: TensorType, loop: Op, operands: Sequence[Array]) -> Array:
        """Step by step."""
        assert isinstance(loop, Scan)
        count, start = static((loop.length,))[0], loop.carries + loop.sequences
        carry, given = operands[: loop.carries], operands[loop.carries : start]
        kept: list[Array] = []
        for t in range(count)[:: -1 if loop.reverse else 1]:
            if loop.conditional and not carry[-1]:
                break
            found = self._step(loop.body, [*carry, *(each[t] for each in given), *operands[start:]])
            carry = found[: loop.carries]
            kept.append(found[loop.result])
        if loop.result < loop.carries:
            return carry[loop.result]
        none = np.empty(static(result.shape), self.held(result.dtype))
        return np.stack(kept[:: -1 if loop.reverse else 1]) if kept else none

    def _step(self, body: Graph, operands: Sequence[Array]) -> Sequence[Array]:
        values: dict[Node, Array] = {}
        for node in body.nodes:
            if isinstance(node.op, Input):
                values[node] = operands[int(node.op.key)]
            else:
                inputs = [values[operand] for operand in node.inputs]
                values[node] = evaluate_node(node, inputs, self.held)
        return [values[output] for output in body.outputs]

    def _require(self, indices: Array, bound: int) -> None:
        """Each of the indices must be from 0 to `bound` - 1."""
        positions = indices.astype(np.intp)
        wrong = positions[(positions < 0) | (positions >= bound)]
        if wrong.size:
            raise InputError(
                f"{self.node.op.label}: index {wrong[0]} is out of range for {bound} positions",
                where=describe(self.node),
                hint=f"use indices from 0 to {bound - 1}" if bound else "take no index",
            )
