"""Powers that are products or roots in machine code: their errors, and their edges."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainc.ir.types import Array

EDGES = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1e13, -1e13, 1e-13, 1e19, -1e19, 1e-45]
BOUNDS = {3: 0.51, 4: 0.9, 0.5: 0.51}  # of errors, in units of the last place


def numbers(dtype: str) -> Array:
    rng = np.random.default_rng(0)
    spread = rng.standard_normal(3000) * np.exp(rng.uniform(-18, 18, 3000))
    found: Array = np.concatenate([spread, rng.standard_normal(984), EDGES]).astype(dtype)
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("exponent", BOUNDS)
def test_few_products_are_as_near_as_a_power(exponent: float, dtype: str) -> None:
    values = numbers(dtype)
    program = cr.compile(cr.input("x", values.shape, dtype=dtype) ** exponent)
    assert " = power(" not in program.loops
    found = np.asarray(program(x=values))
    with np.errstate(all="ignore"):
        exact = values.astype(np.longdouble) ** np.longdouble(exponent)
        nearest = exact.astype(dtype)
        np.testing.assert_array_equal(found[~np.isfinite(nearest)], nearest[~np.isfinite(nearest)])
        np.testing.assert_array_equal(np.signbit(found), np.signbit(nearest))
        inside = np.isfinite(nearest)
        errors = np.abs(found[inside] - exact[inside]) / np.spacing(np.abs(nearest[inside]))
    assert errors.max() <= BOUNDS[exponent]


def test_other_powers_are_functions() -> None:
    assert " = power(" in cr.compile(cr.input("x", (40,)) ** 1.7).loops
    assert " = power(" in cr.compile(cr.input("x", (40,)) ** cr.input("y", (40,))).loops
