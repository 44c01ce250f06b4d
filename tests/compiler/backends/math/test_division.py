"""Floored division, remainder and integer powers: NumPy's, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from tests.compiler.backends.math.compiled_lanes import runnable, vector_functions

from chainc.ir.types import DType, float32, float64, int32, int64, uint8

Numbers = npt.NDArray[np.generic]
LANES = {float32: 16, float64: 8, int32: 16, int64: 8, uint8: 16}
INTEGERS = (int32, int64, uint8)
CPUS = {processor.cpu: processor for processor in runnable()}
NUMPY: dict[str, np.ufunc] = {
    "floor_divide": np.floor_divide,
    "remainder": np.remainder,
    "power": np.power,
}
REQUESTS = [
    (name, dtype, lanes)
    for name in NUMPY
    for dtype in LANES
    for lanes in sorted({1, 4, LANES[dtype]})
    if name != "power" or dtype in INTEGERS
]


@cache
def compiled(cpu: str) -> Callable[[str, DType, int], Callable[..., Numbers]]:
    functions = vector_functions(REQUESTS, CPUS[cpu])
    return lambda name, dtype, lanes: functions[name, dtype, lanes]


def check(name: str, dtype: DType, cpu: str, a: Numbers, b: Numbers) -> None:
    with np.errstate(all="ignore"):
        expected = NUMPY[name](a, b)
    for lanes in sorted({1, 4, LANES[dtype]}):
        found = compiled(cpu)(name, dtype, lanes)(a, b)
        np.testing.assert_array_equal(found, expected)
        if dtype.is_float:
            known = ~np.isnan(expected)
            np.testing.assert_array_equal(np.signbit(found)[known], np.signbit(expected)[known])


def pairs(values: Numbers) -> tuple[Numbers, Numbers]:
    a, b = np.meshgrid(values, values)
    return a.ravel(), b.ravel()


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize("name", ["floor_divide", "remainder"])
def test_floats(name: str, dtype: DType, cpu: str) -> None:
    info = np.finfo(dtype.name)
    least = info.smallest_subnormal
    own = [info.max, info.max * 0.6, info.tiny, info.tiny * 0.7, least, 5 * least]
    edges = [0, 0.5, 1, 3, 7, 1e-20, 1e10, 2.0**23 + 1, 2.0**24, np.inf, np.nan, *map(float, own)]
    positive = np.array(edges, dtype.name)
    check(name, dtype, cpu, *pairs(np.concatenate([positive, -positive])))
    rng = np.random.default_rng(2)
    bits = rng.integers(0, 2 ** (8 * dtype.itemsize), (2, 20_000), f"u{dtype.itemsize}")
    check(name, dtype, cpu, *bits.view(dtype.numpy))
    check(name, dtype, cpu, *rng.uniform(-50, 50, (2, 5000)).astype(dtype.numpy))
    check(name, dtype, cpu, *rng.integers(-50, 50, (2, 5000)).astype(dtype.numpy))


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("name", NUMPY)
def test_integers(name: str, dtype: DType, cpu: str) -> None:
    info = np.iinfo(dtype.name)
    edges = np.array([0, 1, 2, 3, 7, info.max, info.max - 1, info.min, info.min + 1], dtype.numpy)
    negative = np.array([-1, -2, -7] if info.min else [], dtype.numpy)
    rng = np.random.default_rng(4)
    anything = rng.integers(info.min, info.max, (2, 5000), dtype.numpy, endpoint=True)
    small = rng.integers(max(info.min, -20), 100, (2, 5000), dtype.numpy)
    for a, b in (
        pairs(np.concatenate([edges, negative])),
        anything,
        small,
        (anything[0], small[0]),
    ):
        exponent = np.where(np.less(b, 0), np.invert(b), b)
        check(name, dtype, cpu, a, exponent if name == "power" else b)
