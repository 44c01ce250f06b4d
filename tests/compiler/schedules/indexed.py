"""Kernels that index, run as machine code."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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
    int32,
    named,
)
from chainc.lowering.kernels import Kernel
from chainc.lowering.views import Buffer, Panels, View
from chainc.schedules.layout.machine import AVX2, AVX512, SSE, Machine

BATCH = named("batch")
Indices = npt.NDArray[np.integer]
MACHINES = pytest.mark.parametrize("machine", [AVX512, AVX2, SSE], ids=["avx512", "avx2", "sse"])


def buffer(
    name: str,
    shape: Shape,
    dtype: DType = float32,
    panels: Panels | None = None,
    role: str = "work",
) -> Buffer:
    return Buffer(name, TensorType(shape, dtype), role, panels=panels)


def view(of: Buffer) -> View:
    return View(of, of.type)


def run(
    kernel: Kernel,
    schedule: Callable[..., None],
    given: Mapping[Buffer, Array],
    machine: Machine = AVX512,
    rows: int = 1,
    capacity: int = 1,
    threads: int = 1,
) -> tuple[Array, int]:
    """The result, and the code of a failure."""
    nest, buffers = nest_of(kernel, schedule, machine, capacity)
    arrays = {each: _stored(each, values, capacity) for each, values in given.items()}
    (out,) = kernel.outs
    arrays.setdefault(out, storage(out, capacity))
    code = call(nest, [arrays[each] for each in buffers], machine, rows, threads)
    shape = tuple(d if isinstance(d, int) else d.coefficient * rows for d in out.type.shape)
    result = unpacked(out, arrays[out], shape, capacity) if shape else arrays[out][0]
    return result, code


def _stored(of: Buffer, values: Array, capacity: int) -> Array:
    if of.role == "input":
        return values
    if values.ndim:
        return packed(of, values, capacity)
    stored = storage(of)
    stored[0] = values
    return stored


def numbers(shape: tuple[int, ...], dtype: DType = float32, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    if dtype.is_float:
        return rng.standard_normal(shape).astype(dtype.numpy)
    return rng.integers(0, 200, shape).astype(dtype.numpy)


def some_indices(bound: int, shape: tuple[int, ...], dtype: DType = int32) -> Indices:
    return np.random.default_rng(5).integers(0, bound, shape).astype(dtype.numpy)
