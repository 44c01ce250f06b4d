"""ln x and ln(1 + x).

x = 2ᵉ (1 + f) with √½ ≤ 1 + f < √2, and with s = f / (2 + f)

    ln(1 + f) = 2 artanh s = 2 s + s³ (2/3 + 2/5 s² + …) = f - (f²/2 - s (f²/2 + R(s²)))

whose last form has no error but the last rounding where f is small (Tang, "Table-driven
implementation of the logarithm function in IEEE floating-point arithmetic", TOMS 1990).
"""

from __future__ import annotations

from collections.abc import Mapping

from chainc.backends.math.exponential import LN2
from chainc.backends.math.floating import (
    any_exponent_and_significand,
    exponent_and_significand,
    format_of,
    two_sum,
)
from chainc.backends.math.lanes import LaneFunction, Value, polynomial
from chainc.backends.math.polynomials import LOG_TAIL

SQRT_HALF_BITS: Mapping[str, int] = {"float": 0x3F3504F3, "double": 0x3FE6A09E667F3BCD}


def log(f: LaneFunction, x: Value) -> Value:
    e, m = any_exponent_and_significand(f, x, SQRT_HALF_BITS[x.element])
    return _with_edges(f, x, _sum(f, e, m - 1.0))


def log1p(f: LaneFunction, x: Value) -> Value:
    """As ln of u = 1 + x rounded, whose rounding error, exactly known, goes back into f."""
    binary = format_of(x)
    u, error = two_sum(x.constant(1.0), x)
    e, m = exponent_and_significand(u, SQRT_HALF_BITS[x.element])
    # 2⁻ᵉ = m / u, from the bits; for larger x the error is below what the result can show
    scale = (m.bits() - u.bits() + binary.one).as_float()
    kept = f.select(u < 2.0**binary.precision, error * scale, 0.0)
    found = _with_edges(f, u, _sum(f, e, (m - 1.0) + kept))
    return f.select(x.equals(0.0), x, found)


def _sum(f: LaneFunction, e: Value, fraction: Value) -> Value:
    """E ln 2 + ln(1 + fraction)."""
    high, low = LN2[e.element]
    s = fraction / (fraction + 2.0)
    z = s * s
    tail = z * polynomial(f, z, LOG_TAIL[e.element])
    half_square = fraction * 0.5 * fraction
    correction = half_square - f.fma(s, half_square + tail, e * low)
    return f.fma(e, high, fraction - correction)


def _with_edges(f: LaneFunction, x: Value, found: Value) -> Value:
    """Infinity and NaN give themselves, 0 gives -infinity, and what is below 0 gives NaN."""
    infinity = float("inf")
    found = f.select(x < infinity, found, x)
    below = f.select(x.equals(0.0), x.constant(-infinity), float("nan"))
    return f.select(x <= 0.0, below, found)
