"""Sums are added up in the type that belongs to the elements, and given back in theirs.

No element type of today has a wider one for its sums; here is one that does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tests.native import call, nest_of, storage

from chainc.backends.numpy.expressions import SourceNames
from chainc.backends.numpy.statements import statements
from chainc.ir.types import Array, DType, TensorType, float32, float64
from chainc.lowering.kernels import Contraction, Kernel, Reduction
from chainc.lowering.views import Buffer, View
from chainc.schedules.by_kernel import write_loops
from chainc.schedules.layout.machine import AVX512

WIDE = replace(float32, sums=float64)  # float32, added up in float64
COUNT = 1000

Made = Callable[[DType], Contraction | Reduction]


def operand(name: str, dtype: DType) -> Buffer:
    return Buffer(name, TensorType((COUNT,), dtype))


def contraction(dtype: DType) -> Contraction:
    a, b = operand("a", dtype), operand("b", dtype)
    out = Buffer("y", TensorType((), dtype))
    return Contraction(out, (View(a, a.type), View(b, b.type)), ("i", "i", ""))


def reduction(dtype: DType) -> Reduction:
    a = operand("a", dtype)
    return Reduction(Buffer("y", TensorType((), dtype)), (View(a, a.type),), "add", (0,), False)


def values() -> dict[str, Array]:
    rng = np.random.default_rng(0)
    return {name: rng.uniform(1, 1e4, COUNT).astype(np.float32) for name in "ab"}


def native(kernel: Kernel) -> float:
    nest, buffers = nest_of(kernel, write_loops, AVX512)
    arrays = {buffer: storage(buffer) for buffer in buffers}
    for buffer, array in arrays.items():
        if buffer is not kernel.out:
            array[:COUNT] = values()[buffer.name]
    call(nest, [arrays[buffer] for buffer in buffers], AVX512)
    return float(arrays[kernel.out][0])


def in_numpy(kernel: Kernel) -> float:
    names = {view.buffer: view.buffer.name for view in kernel.reads}
    scope = SourceNames({**names, kernel.out: "y"}, {})
    known = {"np": np, "y": np.empty((), np.float32), **values()}
    exec("\n".join(statements(kernel, scope)), known)
    return float(np.asarray(known["y"]))


def exact(kernel: Kernel) -> float:
    factors = [values()[view.buffer.name].astype(np.float64) for view in kernel.reads]
    return float(np.float32(np.prod(factors, axis=0).sum()))


@pytest.mark.parametrize("run", [native, in_numpy])
@pytest.mark.parametrize("made", [contraction, reduction])
def test_wide_sums_lose_nothing(run: Callable[[Kernel], float], made: Made) -> None:
    kernel = made(WIDE)
    assert kernel.accumulator == float64
    assert run(kernel) == exact(kernel)


@pytest.mark.parametrize("made", [contraction, reduction])
def test_sums_of_todays_types_are_of_their_own_type(made: Made) -> None:
    kernel = made(float32)
    assert kernel.accumulator == float32
    assert native(kernel) == pytest.approx(exact(kernel), rel=1e-5)


def test_an_extreme_needs_no_wider_type() -> None:
    a = operand("a", WIDE)
    out = Buffer("y", TensorType((), WIDE))
    assert Reduction(out, (View(a, a.type),), "maximum", (0,), False).accumulator == WIDE
