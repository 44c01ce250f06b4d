"""Randomness with an explicit counter: no global seed, the same bits from every backend.

The bits are those of Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as
easy as 1, 2, 3", SC 2011), keyed by the seed and counted by (element, stream, step), so any
step can be replayed and nothing has to be kept for the backward pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TypeVar

import numpy as np

from chainc.ir import Node, Op, Operand, Sample, apply
from chainc.ir.errors import InputError
from chainc.ir.kernels import Kernels
from chainc.ir.leaves import constant
from chainc.ir.types import Dim, DType, Shape, TensorType, float32, int32, int64
from chainc.ops.arithmetic import minimum
from chainc.ops.families import random as families
from chainc.ops.functions import cos, log, sqrt
from chainc.ops.logic import as_dtype, astype
from chainc.ops.movement import DimLike, as_shape

__all__ = ["bernoulli", "normal", "permutation", "random_bits", "uniform"]

T = TypeVar("T")


class Random(Op):
    """An op of (seed, step); `stream` tells apart the draws of one program."""

    roles = ("seed", "step")

    def vjp(self, g: Node, y: Node, seed: Node, step: Node) -> tuple[None, None]:
        return None, None


@dataclass(frozen=True)
class RandomBits(Random):
    """32 independent uniform bits an element, as int32."""

    name = "random_bits"
    shape: Shape
    stream: int

    def infer(self, seed: TensorType, step: TensorType) -> TensorType:
        return TensorType(self.shape, int32)

    def kernel(self, k: Kernels[T], result: TensorType, seed: T, step: T) -> T:
        return k.apply(families.RandomWords(self.stream), result, seed, step)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        scalars = (TensorType((), int64), TensorType((), int64))
        return [Sample(cls(shape, 7), scalars) for shape in [(2, 3), (1,), (0, 2), ()]]


@dataclass(frozen=True)
class Permutation(Random):
    """A pseudo-random order of 0 … n-1, by a Feistel network over the index."""

    name = "permutation"
    count: Dim
    stream: int

    def infer(self, seed: TensorType, step: TensorType) -> TensorType:
        return TensorType((self.count,), int64)

    def kernel(self, k: Kernels[T], result: TensorType, seed: T, step: T) -> T:
        return k.apply(families.Permutation(self.stream), result, seed, step)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        scalars = (TensorType((), int64), TensorType((), int64))
        return [Sample(cls(count, 7), scalars) for count in (10, 1)]


def stream_of(name: str) -> int:
    """A stream number from a name: stable across runs and versions."""
    given: object = name
    if not isinstance(given, str):
        raise InputError(
            f"random numbers: the stream is {name!r}, not a name",
            hint='name it, such as stream="dropout": two draws of one name are the same',
        )
    import hashlib  # loads OpenSSL, for those who draw alone

    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")


def random_bits(
    shape: Sequence[DimLike], seed: Operand, step: Operand = 0, stream: str = "bits"
) -> Node:
    """32 independent uniform bits an element, as int32."""
    op = RandomBits(as_shape(shape), stream_of(stream))
    return apply(op, constant(seed), constant(step))


def permutation(count: DimLike, seed: Operand, step: Operand = 0, stream: str = "order") -> Node:
    """A pseudo-random order of 0 … count-1, as int64."""
    op = Permutation(as_shape((count,))[0], stream_of(stream))
    return apply(op, constant(seed), constant(step))


def uniform(
    shape: Sequence[DimLike],
    seed: Operand,
    step: Operand = 0,
    *,
    low: float = 0.0,
    high: float = 1.0,
    stream: str = "uniform",
    dtype: DType | str = float32,
) -> Node:
    """Uniform numbers in [low, high), on a grid of 2⁻²⁴ of the range: the same on every target.

    One that rounding would make `high` is the largest number below it.
    """
    bounds: tuple[object, object] = (low, high)
    if not all(isinstance(bound, Real) for bound in bounds) or not low < high:
        raise InputError(
            f"uniform: the range [{low}, {high}) is empty",
            hint="give two numbers, low smaller than high",
        )
    kind = as_dtype(dtype)
    unit = _unit(random_bits(shape, seed, step, stream), kind)
    if (low, high) == (0.0, 1.0):
        return unit
    drawn = unit * (high - low) + low
    return minimum(drawn, _below(low, high, kind)) if _may_reach(low, high, kind) else drawn


def _may_reach(low: float, high: float, dtype: DType) -> bool:
    """Would the largest number that is drawn be rounded to `high`, at once or after each step?"""
    most = (1 - 2.0**-24) * (high - low)
    ends = most + low, _rounded(most, dtype) + _rounded(low, dtype)
    return max(_rounded(end, dtype) for end in ends) >= _rounded(high, dtype)


def _rounded(number: float, dtype: DType) -> float:
    return float(np.asarray(number, dtype.numpy))


def _below(low: float, high: float, dtype: DType) -> float:
    """The largest number of the type below `high`."""
    ends = np.asarray([high, low], np.float32 if dtype == float32 else np.float64)
    return float(np.nextafter(ends[0], ends[1]))


def _unit(bits: Node, dtype: DType) -> Node:
    """The upper 24 bits as a number in [0, 1): exact in float32."""
    return (astype(bits // 256, dtype) + float(2**23)) * 2.0**-24


def normal(
    shape: Sequence[DimLike],
    seed: Operand,
    step: Operand = 0,
    *,
    mean: float = 0.0,
    scale: float = 1.0,
    stream: str = "normal",
    dtype: DType | str = float32,
) -> Node:
    """Normal numbers, by Box and Muller's transform (1958): √(-2 ln u) cos 2πv."""
    kind = as_dtype(dtype)
    u = 1.0 - _unit(random_bits(shape, seed, step, f"{stream}/radius"), kind)  # in (0, 1]
    v = _unit(random_bits(shape, seed, step, f"{stream}/angle"), kind)
    return sqrt(-2.0 * log(u)) * cos(2.0 * math.pi * v) * scale + mean


def bernoulli(
    shape: Sequence[DimLike],
    probability: Operand,
    seed: Operand,
    step: Operand = 0,
    *,
    stream: str = "bernoulli",
) -> Node:
    """True with the given probability, as bool."""
    return uniform(shape, seed, step, stream=stream) < probability
