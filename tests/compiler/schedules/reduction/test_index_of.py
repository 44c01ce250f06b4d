"""Positions of extremes as machine code, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from tests.compiler.schedules.reduction.reduced import (
    BATCH,
    MACHINES,
    Run,
    operand,
)

from chainc.ir.types import (
    DType,
    float32,
    float64,
    int64,
    uint8,
)
from chainc.lowering.views import Panels
from chainc.schedules.layout.machine import AVX512, Machine


@MACHINES
@pytest.mark.parametrize("primitive", ["maximum", "minimum"])
@pytest.mark.parametrize("dtype", [float32, float64, int64, uint8], ids=str)
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((37, 10), 1), ((20, 45), 1), ((45, 20), 0), ((50,), 0), ((4, 1), 1)],
    ids=str,
)
def test_index_of(
    machine: Machine, primitive: str, dtype: DType, shape: tuple[int, ...], axis: int
) -> None:
    values = np.random.default_rng(2).integers(0, 9, shape).astype(dtype.numpy)  # many are equal
    found = Run(machine).index_of(operand(shape, dtype), values, primitive, axis)
    assert found.dtype == np.int64
    find = {"maximum": np.argmax, "minimum": np.argmin}[primitive]
    np.testing.assert_array_equal(found, find(values, axis=axis))


@pytest.mark.parametrize("rows", [1, 16, 50])
@pytest.mark.parametrize("primitive", ["maximum", "minimum"])
@pytest.mark.parametrize(("width", "axis"), [(10, 1), (40, 1), (40, 0)])
def test_index_of_special_values_in_panels(
    rows: int, primitive: str, width: int, axis: int
) -> None:
    rng = np.random.default_rng(3)
    pool = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], np.float32)
    values = rng.choice(pool, (rows, width), p=[0.04, 0.02, 0.3, 0.32, 0.32])
    x = operand((BATCH, width), panels=Panels(1, 16))
    found = Run(AVX512, rows, 64).index_of(x, values, primitive, axis)
    find = {"maximum": np.argmax, "minimum": np.argmin}[primitive]
    np.testing.assert_array_equal(found, find(values, axis=axis))


@pytest.mark.parametrize("primitive", ["maximum", "minimum"])
def test_index_of_nothing_but_the_worst(primitive: str) -> None:
    worst = -np.inf if primitive == "maximum" else np.inf
    found = Run(AVX512).index_of(
        operand((20, 5)), np.full((20, 5), worst, np.float32), primitive, 1
    )
    np.testing.assert_array_equal(found, np.zeros(20))
