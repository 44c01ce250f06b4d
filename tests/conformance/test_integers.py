"""What becomes of numbers that no integer holds: one meaning, on every target."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from tests.conformance.harness import BACKENDS, Backend

import chainrule as cr
from chainc.ir import Graph

EVERYWHERE = pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
WIDE = [1e20, -1e20, np.inf, -np.inf, np.nan, -1.5, -0.9, 300.7, 255.0, 256.0, 2.0**31, -(2.0**31)]
LARGE, SMALL = 2**31 - 1, -(2**31)
CUT: list[tuple[str, Sequence[int]]] = [
    ("uint8", [255, 0, 255, 0, 0, 0, 0, 255, 255, 255, 255, 0]),
    ("int32", [LARGE, SMALL, LARGE, SMALL, 0, -1, 0, 300, 255, 256, LARGE, SMALL]),
    (
        "int64",
        [2**63 - 1, -(2**63), 2**63 - 1, -(2**63), 0, -1, 0, 300, 255, 256, 2**31, -(2**31)],
    ),
]


@EVERYWHERE
@pytest.mark.parametrize("source", ["float32", "float64"])
@pytest.mark.parametrize(("dtype", "expected"), CUT, ids=str)
def test_a_cast_gives_the_nearest_integer_towards_zero(
    backend: Backend, source: str, dtype: str, expected: Sequence[int]
) -> None:
    x = cr.input("x", (len(WIDE),), dtype=source)
    values = {"x": np.array(WIDE, source)}
    (found,) = backend.run(Graph((cr.astype(x, dtype),)), values, {})
    np.testing.assert_array_equal(found, np.array(expected, dtype))


@EVERYWHERE
def test_an_integer_that_is_cast_keeps_its_last_bits(backend: Backend) -> None:
    x = cr.input("x", (4,), dtype="int64")
    graph = Graph((cr.astype(x, "int32"), cr.astype(x, "uint8")))
    int32, uint8 = backend.run(graph, {"x": np.array([2**40 + 5, -1, 300, 2**31])}, {})
    assert int32.tolist() == [5, -1, 300, SMALL]
    assert uint8.tolist() == [5, 255, 44, 0]


@EVERYWHERE
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_an_inverse_power_is_cut_to_an_integer(backend: Backend, dtype: str) -> None:
    a, b = (cr.input(name, (10,), dtype=dtype) for name in "ab")
    base, exponent = [2, 3, 0, -2, 7, 1, -1, -1, 0, 2], [3, 0, 0, 5, -1, -2, -3, -2, -1, 70]
    values = {"a": np.array(base, dtype), "b": np.array(exponent, dtype)}
    powers, inverse = backend.run(Graph((a**b, a**-1)), values, {})
    assert powers.tolist() == [8, 1, 1, -32, 0, 1, -1, 1, 0, 0]
    assert inverse.tolist() == [0, 0, 0, 0, 0, 1, -1, -1, 0, 0]


@EVERYWHERE
def test_a_power_of_bytes_wraps_around(backend: Backend) -> None:
    a, b = (cr.input(name, (4,), dtype="uint8") for name in "ab")
    values = {"a": np.array([2, 254, 7, 0], "uint8"), "b": np.array([3, 5, 20, 0], "uint8")}
    (found,) = backend.run(Graph((a**b,)), values, {})
    assert found.tolist() == [pow(x, y, 256) for x, y in [(2, 3), (254, 5), (7, 20), (0, 0)]]


@pytest.mark.parametrize("target", ["llvm", "numpy"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("low", "high"), [(1.0, 1 + 2.0**-20), (-1 - 2.0**-21, -1.0), (-3.0, 5.0)])
def test_a_range_ends_below_its_upper_bound(
    target: str, dtype: str, low: float, high: float
) -> None:
    drawn = cr.uniform((5000,), 3, low=low, high=high, dtype=dtype)
    values = cr.compile(drawn, target=target)()
    assert low <= values.min() < values.max() < high
    other = cr.compile(drawn, target="numpy")()
    np.testing.assert_allclose(values, other, rtol=0, atol=(high - low) * 2.0**-20)
