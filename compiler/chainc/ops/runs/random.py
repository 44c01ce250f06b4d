"""Randomness with an explicit counter: no global seed, the same bits from every backend.

The bits are those of Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as
easy as 1, 2, 3", SC 2011), keyed by the seed and counted by (element, stream, step), so any
step can be replayed and nothing has to be kept for the backward pass.

Seed and step are those of the run, its states "seed" and "step", unless others are given. A draw
that is given no stream gets one of its own when its graph is resolved. A draw in a loop has a key,
which is drawn outside of it, in the place of the seed, and counts the steps of the loop: so the
loop of the derivative draws the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import field, replace
from itertools import count
from numbers import Real
from typing import TypeVar

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, Op, Operand, Sample, apply, rebuild, with_inputs
from chainc.ir.errors import InputError
from chainc.ir.kernels import Kernels
from chainc.ir.leaves import constant, run_seed, step_counter
from chainc.ir.types import Dim, DType, Shape, TensorType, float32, int32, int64
from chainc.ops.arithmetic import minimum
from chainc.ops.families import random as families
from chainc.ops.functions import cos, log, sqrt
from chainc.ops.logic import as_dtype, astype
from chainc.ops.movement import DimLike, as_shape
from chainc.ops.reduce import sum

__all__ = ["bernoulli", "normal", "permutation", "random_bits", "uniform"]

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class _Step:
    """The step of a loop while it is declared: its number, and streams for what it draws."""

    number: Node
    streams: Iterator[int] = field(default_factory=count)


_STEPS: ContextVar[tuple[_Step, ...]] = ContextVar("steps", default=())  # inner loops last


@contextmanager
def drawing_in_step(number: Node) -> Iterator[None]:
    """Draws that are declared inside are new in each step of a loop; `number` is that of a step."""
    token = _STEPS.set((*_STEPS.get(), _Step(number)))
    try:
        yield
    finally:
        _STEPS.reset(token)


class Random(Op):
    """An op of (seed, step); `stream` tells apart the draws of one program.

    None stands for one of its own, which `with_own_streams` gives it.
    """

    roles = ("seed", "step")
    stream: int | None

    def in_stream(self, stream: int) -> Random:
        """The same draw from another stream."""
        raise NotImplementedError

    def vjp(self, g: Node, y: Node, seed: Node, step: Node) -> tuple[None, None]:
        return None, None


@dataclass(frozen=True)
class RandomBits(Random):
    """32 independent uniform bits an element, as int32."""

    name = "random_bits"
    shape: Shape
    stream: int | None

    def in_stream(self, stream: int) -> RandomBits:
        return replace(self, stream=stream)

    def infer(self, seed: TensorType, step: TensorType) -> TensorType:
        return TensorType(self.shape, int32)

    def kernel(self, k: Kernels[T], result: TensorType, seed: T, step: T) -> T:
        return k.apply(families.RandomWords(self.stream or 0), result, seed, step)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        scalars = (TensorType((), int64), TensorType((), int64))
        return [Sample(cls(shape, 7), scalars) for shape in [(2, 3), (1,), (0, 2), ()]]


@dataclass(frozen=True)
class Permutation(Random):
    """A pseudo-random order of 0 … n-1, by a Feistel network over the index."""

    name = "permutation"
    count: Dim
    stream: int | None

    def in_stream(self, stream: int) -> Permutation:
        return replace(self, stream=stream)

    def infer(self, seed: TensorType, step: TensorType) -> TensorType:
        return TensorType((self.count,), int64)

    def kernel(self, k: Kernels[T], result: TensorType, seed: T, step: T) -> T:
        return k.apply(families.Permutation(self.stream or 0), result, seed, step)

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


def with_own_streams(graph: Graph, prefix: str = "draw") -> Graph:
    """Every draw that was given no stream in one of its own, numbered in the order of the graph."""
    own = [n for n in graph.nodes if isinstance(n.op, Random) and n.op.stream is None]
    if not own:
        return graph
    numbers = {node: number for number, node in enumerate(own, start=1)}

    def drawn(node: Node, inputs: tuple[Node, ...]) -> Node:
        if node not in numbers or not isinstance(node.op, Random):
            return with_inputs(node, inputs)
        op = node.op.in_stream(stream_of(f"{prefix}/{numbers[node]}"))
        return Node(op, inputs, node.type, node.origin)

    return rebuild(graph, drawn)


def _chosen(stream: str | None) -> int | None:
    return None if stream is None else stream_of(stream)


def _draw(op: Random, seed: Operand | None, step: Operand | None) -> Node:
    """With the seed and step that are given, else those of the run, and of the loop."""
    steps = _STEPS.get()
    if not steps or not (step is None or op.stream is None):
        return apply(op, *_key(seed, step))
    *around, here = steps
    token = _STEPS.set(tuple(around))
    key = _draw(RandomBits((2,), op.stream), seed, None)
    _STEPS.reset(token)
    number = here.number if step is None else constant(step)
    return apply(op.in_stream(next(here.streams)), _joined(key), number)


def _joined(words: Node) -> Node:
    """Two words as one number of 63 bits."""
    return sum(astype(words, int64) * constant(np.array([1 << 31, 1])))


def _key(seed: Operand | None, step: Operand | None) -> tuple[Node, Node]:
    """Those given; without a seed those of the run, so that each step draws new numbers."""
    if seed is None:
        return run_seed(), step_counter() if step is None else constant(step)
    return constant(seed), constant(0 if step is None else step)


def random_bits(
    shape: Sequence[DimLike],
    seed: Operand | None = None,
    step: Operand | None = None,
    stream: str | None = None,
) -> Node:
    """32 independent uniform bits an element, as int32; the arguments are those of `uniform`."""
    return _draw(RandomBits(as_shape(shape), _chosen(stream)), seed, step)


def permutation(
    count: DimLike,
    seed: Operand | None = None,
    step: Operand | None = None,
    stream: str | None = None,
) -> Node:
    """A pseudo-random order of 0 … count-1, as int64; the arguments are those of `uniform`."""
    return _draw(Permutation(as_shape((count,))[0], _chosen(stream)), seed, step)


def uniform(
    shape: Sequence[DimLike],
    seed: Operand | None = None,
    step: Operand | None = None,
    *,
    low: float = 0.0,
    high: float = 1.0,
    stream: str | None = None,
    dtype: DType | str = float32,
) -> Node:
    """Uniform numbers in [low, high), on a grid of 2⁻²⁴ of the range: the same on every target.

    One that rounding would make `high` is the largest number below it.

    Args:
        shape: numbers, or names of sizes such as "batch".
        seed: by default the run's, so that each step of a training draws new numbers.
        step: by default the number of the run's steps, and 0 where a seed is given. In a loop its
            steps count too: each draws new numbers.
        low: the smallest number.
        high: the end of the range.
        stream: draws of one seed, step and stream are the same; by default each has its own.
        dtype: float32 or float64.

    Raises:
        InputError: the range is empty.
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
    seed: Operand | None = None,
    step: Operand | None = None,
    *,
    mean: float = 0.0,
    scale: float = 1.0,
    stream: str | None = None,
    dtype: DType | str = float32,
) -> Node:
    """Normal numbers, by Box and Muller's transform (1958): √(-2 ln u) cos 2πv.

    The other arguments are those of `uniform`.
    """
    kind = as_dtype(dtype)
    parts = ("radius", "angle")
    radius, angle = (f"{stream}/{p}" if isinstance(stream, str) else stream for p in parts)
    u = 1.0 - _unit(random_bits(shape, seed, step, radius), kind)  # in (0, 1]
    v = _unit(random_bits(shape, seed, step, angle), kind)
    return sqrt(-2.0 * log(u)) * cos(2.0 * math.pi * v) * scale + mean


def bernoulli(
    shape: Sequence[DimLike],
    probability: Operand,
    seed: Operand | None = None,
    step: Operand | None = None,
    *,
    stream: str | None = None,
) -> Node:
    """True with the given probability, as bool; the other arguments are those of `uniform`.

    It is true where a number of `uniform` is below the probability.
    """
    given: object = probability
    limit = most_bits(float(given)) if isinstance(given, Real) else None
    if limit is None:
        return uniform(shape, seed, step, stream=stream) < probability
    return random_bits(shape, seed, step, stream) <= constant(limit, int32)


def most_bits(probability: float) -> int | None:
    """Up to which bits are those of a number of `uniform` below a probability, both as float32.

    The number is a multiple of 2⁻²⁴, which the upper 24 bits count from -2²³ on. None of what is
    no probability above 0.
    """
    rounded = _rounded(probability, float32)
    return (math.ceil(rounded * 2.0**24) - 2**23) * 256 - 1 if 0 < rounded <= 1 else None
