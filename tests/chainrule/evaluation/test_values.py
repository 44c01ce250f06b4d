"""Values on their way into a program: looked through without copies of all of them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from chainrule.evaluation.values import ELEMENTS_AT_ONCE, with_nan


@pytest.mark.parametrize("shape", [(), (0,), (7,), (3, 2 * ELEMENTS_AT_ONCE), (10**6, 3), (5, 0)])
def test_nan_is_found_wherever_it_is(shape: tuple[int, ...]) -> None:
    array = np.zeros(shape, np.float32)
    assert with_nan({"x": array}) == []
    for place in (0, array.size // 2, array.size - 1) if array.size else ():
        array.reshape(-1)[place] = np.nan
        assert with_nan({"x": array, "y": np.ones(3), "n": np.arange(3)}) == ["x"]
        array.reshape(-1)[place] = 0


def test_a_large_array_is_looked_through_part_by_part() -> None:
    array = np.zeros((4000, 4000), np.float32)
    tracemalloc.start()
    with_nan({"x": array})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * ELEMENTS_AT_ONCE
