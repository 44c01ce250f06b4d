"""Sums of many elements: rounding errors grow with the logarithm of their number, on every axis."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainc.ir.types import Array

MANY = (1 << 20) + 37
BOUND = 1e-6  # one after the other, as many elements come to 1e-3
TARGETS = pytest.mark.parametrize("target", ["llvm", "numpy"])
SUMS: list[tuple[tuple[int | str, ...], tuple[int, ...], int | tuple[int, ...] | None]] = [
    (("n",), (MANY,), None),
    (("n", 2), (MANY, 2), 0),
    ((2, "n"), (2, MANY), 1),
    ((MANY,), (MANY,), 0),
    ((MANY, 1), (MANY, 1), 0),
    (("n", 3), (MANY // 3, 3), None),
    ((1025, 3, 1030), (1025, 3, 1030), (0, 2)),
    ((3, 1030, "n"), (3, 1030, 1031), (1, 2)),
    ((1030, "n", 3), (1030, 1031, 3), (0, 1)),
    ((1 << 18, 2, 4), (1 << 18, 2, 4), (0, 2)),
]


def numbers(shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(8).uniform(250, 320, shape).astype(np.float32)


@TARGETS
@pytest.mark.parametrize(("declared", "shape", "axis"), SUMS, ids=str)
def test_a_long_sum(
    target: str,
    declared: tuple[int | str, ...],
    shape: tuple[int, ...],
    axis: int | tuple[int, ...] | None,
) -> None:
    x, values = cr.input("x", declared), numbers(shape)
    found = cr.compile(cr.sum(x, axis=axis), target=target)(x=values)
    np.testing.assert_allclose(found, values.sum(axis, dtype=np.float64), rtol=BOUND)


@TARGETS
def test_a_long_sum_of_a_transpose_and_a_part(target: str) -> None:
    x, values = cr.input("x", ("n", 4)), numbers((MANY, 4))
    rows, part = cr.compile([cr.sum(x.T, axis=1), cr.sum(x[:, 1:3])], target=target)(x=values)
    np.testing.assert_allclose(rows, values.sum(0, dtype=np.float64), rtol=BOUND)
    np.testing.assert_allclose(part, values[:, 1:3].sum(dtype=np.float64), rtol=BOUND)


@TARGETS
def test_a_long_mean_and_variance(target: str) -> None:
    x, values = cr.input("x", ("n", 2)), numbers((MANY, 2))
    mean, var = cr.compile([cr.mean(x, axis=0), cr.var(x, axis=0)], target=target)(x=values)
    np.testing.assert_allclose(mean, values.mean(0, dtype=np.float64), rtol=BOUND)
    np.testing.assert_allclose(var, values.var(0, dtype=np.float64), rtol=BOUND)


@TARGETS
def test_many_ones_are_counted(target: str) -> None:
    x = cr.input("x", ("n",))
    assert cr.compile(cr.sum(x), target=target)(x=np.ones(20_000_001, np.float32)) == 2e7


def test_a_sum_of_a_few_thousand_is_one_loop() -> None:
    def loops(n: int) -> int:
        x = cr.input("x", (n, 8))
        return cr.compile(cr.sum(x, axis=0), target="llvm").loops.count("for ")

    assert loops(16) == loops(4096) < loops(8192)


def test_numpy_adds_what_is_known_to_be_short_by_itself() -> None:
    def source(n: int | str) -> str:
        return cr.compile(cr.sum(cr.input("x", (n, 8)), axis=0), target="numpy").source

    assert "np.add.reduce(x, axis=0" in source(1024)
    for n in (1025, "n"):
        assert "sum_in_blocks(x, axis=0" in source(n)
