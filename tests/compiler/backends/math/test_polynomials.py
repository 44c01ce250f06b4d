"""The coefficients in the product are those of the fit."""

from __future__ import annotations

import numpy as np
import pytest
from tests.compiler.backends.math.fit_polynomials import FITS, Fit, minimax
from tests.compiler.backends.math.fit_quotients import erf_quotient

from chainc.backends.math import polynomials

ROUNDING = {"float": np.float32, "double": np.float64}


@pytest.mark.parametrize("name", FITS)
def test_coefficients_are_the_rounded_fit(name: str) -> None:
    tables: polynomials.Coefficients = getattr(polynomials, name)
    assert set(tables) == set(FITS[name])
    for element, fit in FITS[name].items():
        coefficients, _ = minimax(fit)
        rounding = ROUNDING[element]
        assert [rounding(c) for c in coefficients] == [rounding(c) for c in tables[element]]


def test_the_error_function_is_the_rounded_quotient() -> None:
    above, below, error = erf_quotient(5)
    assert error < 2**-25.5
    tables = polynomials.ERF_NUMERATOR, polynomials.ERF_DENOMINATOR
    for coefficients, table in zip((above, [1.0, *below]), tables, strict=True):
        assert [np.float32(c) for c in coefficients] == [np.float32(c) for c in table["float"]]


def test_the_error_swings_between_equal_bounds() -> None:
    """Chebyshev: the best cubic for x⁴ on [-1, 1] leaves T₄ / 8."""
    coefficients, error = minimax(Fit(lambda x: x**4, lambda _: 1, "-1", "1", 3))
    np.testing.assert_allclose(coefficients, [-1 / 8, 0, 1, 0], atol=1e-12)
    assert error == pytest.approx(1 / 8, rel=1e-3)  # the grid misses the very ends
