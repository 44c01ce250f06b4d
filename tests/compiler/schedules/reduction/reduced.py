"""Kernels that reduce, run as machine code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from tests.native import call, nest_of, packed, storage, unpacked

from chainc.ir.types import (
    Array,
    DType,
    Shape,
    TensorType,
    float32,
    int64,
    named,
)
from chainc.lowering.kernels import Applied, Kernel, Reduction
from chainc.lowering.views import Buffer, Panels, View
from chainc.ops.families.indexing import IndexOf
from chainc.schedules.layout.machine import AVX2, AVX512, SSE, Machine
from chainc.schedules.reduction.schedule import schedule_reduce
from chainc.schedules.reduction.search import schedule_index_of

BATCH = named("batch")
PRIMITIVES = ("add", "multiply", "maximum", "minimum")
MACHINES = pytest.mark.parametrize("machine", [AVX512, AVX2, SSE], ids=["avx512", "avx2", "sse"])

Schedule = Callable[..., None]


@dataclass
class Run:
    """A reduction of one operand on a machine, on `rows` of at most `capacity` rows."""

    machine: Machine
    rows: int = 1
    capacity: int = 1
    threads: int = 1

    def __call__(
        self, kernel: Kernel, schedule: Schedule, given: dict[Buffer, Array], out: Buffer
    ) -> Array:
        nest, buffers = nest_of(kernel, schedule, self.machine, self.capacity)
        arrays = {buffer: self._stored(buffer, values) for buffer, values in given.items()}
        arrays.setdefault(out, storage(out, self.capacity))
        call(nest, [arrays[buffer] for buffer in buffers], self.machine, self.rows, self.threads)
        sizes = [d if isinstance(d, int) else d.coefficient * self.rows for d in out.type.shape]
        return unpacked(out, arrays[out], tuple(sizes), self.capacity) if sizes else arrays[out][0]

    def _stored(self, buffer: Buffer, values: Array) -> Array:
        if values.ndim:
            return packed(buffer, values, self.capacity)
        stored = storage(buffer)
        stored[0] = values
        return stored

    def reduce(
        self,
        x: Buffer,
        values: Array,
        primitive: str,
        axes: tuple[int, ...],
        keepdims: bool = False,
    ) -> Array:
        out = result_of(x, axes, keepdims)
        kernel = Reduction(out, (View(x, x.type),), primitive, axes, keepdims)
        return self(kernel, schedule_reduce, {x: values}, out)

    def index_of(self, x: Buffer, values: Array, primitive: str, axis: int) -> Array:
        out = result_of(x, (axis,), False, int64)
        kernel = Applied(out, (View(x, x.type),), IndexOf(primitive, axis))
        return self(kernel, schedule_index_of, {x: values}, out)


def result_of(
    x: Buffer, axes: tuple[int, ...], keepdims: bool = False, dtype: DType | None = None
) -> Buffer:
    kept = [1 if i in axes else dim for i, dim in enumerate(x.type.shape)]
    shape = kept if keepdims else [dim for i, dim in enumerate(kept) if i not in axes]
    return Buffer("y", TensorType(tuple(shape), dtype or x.type.dtype))


def operand(
    shape: Shape, dtype: DType = float32, panels: Panels | None = None, role: str = "work"
) -> Buffer:
    return Buffer("x", TensorType(shape, dtype), role, panels=panels)


def numbers(shape: Sequence[int], dtype: DType, seed: int = 0) -> Array:
    """Of size about 1, so that sums and products of some hundred stay within range."""
    rng = np.random.default_rng(seed)
    if dtype.is_float:
        signs = rng.choice([-1, 1], tuple(shape))
        return np.asarray(rng.uniform(0.8, 1.25, tuple(shape)) * signs, dtype.numpy)
    return rng.integers(0, 100, tuple(shape)).astype(dtype.numpy)


Wide = npt.NDArray[np.longdouble]


def expected(values: Array, primitive: str, axes: tuple[int, ...], keepdims: bool = False) -> Wide:
    """In a wider type; integers wrap around first."""
    fold: np.ufunc = getattr(np, primitive)
    wide = np.longdouble if values.dtype.kind == "f" else values.dtype
    folded = fold.reduce(values.astype(wide), axis=axes, keepdims=keepdims, dtype=wide)
    return np.asarray(folded, np.longdouble)


def assert_reduced(found: Array, values: Array, primitive: str, axes: tuple[int, ...]) -> None:
    wanted = expected(values, primitive, axes).reshape(found.shape)
    if values.dtype.kind != "f" or primitive in ("maximum", "minimum"):
        np.testing.assert_array_equal(found, wanted)
        return
    # n - 1 roundings, each by at most half a unit of the last place of a partial result
    bound = expected(np.abs(values.astype(np.longdouble)), primitive, axes).reshape(found.shape)
    count, unit = values.size / max(found.size, 1), 2.0 ** (-23 if found.itemsize == 4 else -52)
    assert (np.abs(found.astype(np.longdouble) - wanted) <= count * unit * bound).all()
