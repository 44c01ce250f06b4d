"""Powers: x^y = 2^(y log2 x).

The product needs more digits than the result, as many more as its integer part has: float takes
them from double, and double from sums of two numbers. With s = (m - 1) / (m + 1)

    log2 m = 2 / ln 2 artanh s = 2 / (3 ln 2) s (3 + s² + s⁴ (3/5 + 3/7 s² + …))

Special cases are those of pow in C (ISO C, annex F.10.4.4).
"""

from __future__ import annotations

from collections.abc import Sequence

from chainc.backends.math.exponential import exp_minus_one
from chainc.backends.math.floating import (
    any_exponent_and_significand,
    exponent_and_significand,
    format_of,
    leading,
    nearest,
    scaled,
)
from chainc.backends.math.lanes import LaneFunction, Value, polynomial
from chainc.backends.math.logarithm import SQRT_HALF_BITS
from chainc.backends.math.polynomials import ARTANH_TAIL, EXP2_TAIL, EXP_TAIL, LOG2

FINITE = 1e300  # an exponent so large gives what an infinite one gives
LIMIT = 1100.0  # 2 to this or to its negative is beyond double
LN_2 = 0.6931471805599453
SCALE = 0.9617966939259756  # 2 / (3 ln 2)
SCALE_PARTS = (0.9617966860532761, 7.872699542894897e-09)


def power(f: LaneFunction, x: Value, y: Value) -> Value:
    if not x.is_float:
        return _integer_power(f, x, y)
    size = x.absolute()
    magnitude = _of_float(f, size, y) if x.element == "float" else _of_double(f, size, y)
    return _with_edges(f, x, y, magnitude)


def _integer_power(f: LaneFunction, x: Value, y: Value) -> Value:
    """By squaring, modulo 2 to the bits of the type; an inverse is cut to an integer."""

    def step(carried: Sequence[Value]) -> tuple[Sequence[Value], Value]:
        result, square, rest = carried
        result = f.select((rest & 1).differs(0), result * square, result)
        rest = rest >> 1
        return (result, square * square, rest), rest.differs(0)

    product = f.repeat((x.constant(1), x, y), step)[0]
    if x.element == "i8":  # which has no sign
        return product
    sign = f.select((y & 1).differs(0), x, x * x)
    inverse = f.select(x.equals(1) | x.equals(-1), sign, 0)
    return f.select(y < 0, inverse, product)


def _of_float(f: LaneFunction, size: Value, y: Value) -> Value:
    """For 0 < size < infinity, in double."""
    wide = size.convert("fpext", "double")
    e, m = exponent_and_significand(wide, SQRT_HALF_BITS["double"])
    s = (m - 1.0) / (m + 1.0)
    logarithm = f.fma(s, polynomial(f, s * s, LOG2["double"]), e)
    exponent = y.convert("fpext", "double").at_least(-FINITE).at_most(FINITE)
    product = (exponent * logarithm).at_least(-LIMIT).at_most(LIMIT)
    n = nearest(product)
    r = product - n
    root = f.fma(r, polynomial(f, r, EXP2_TAIL["double"]), 1.0)
    return scaled(root, n + format_of(n).rounder).convert("fptrunc", "float")


def _of_double(f: LaneFunction, size: Value, y: Value) -> Value:
    """For 0 < size < infinity."""
    high, low = _log2(f, size)
    exponent = y.at_least(-FINITE).at_most(FINITE)
    first = leading(exponent)
    product = first * high
    rest = (exponent - first) * high + exponent * low
    n = nearest((product + rest).at_least(-LIMIT).at_most(LIMIT))
    r = ((product - n) + rest).at_least(-1.0).at_most(1.0) * LN_2
    return scaled(exp_minus_one(f, r, EXP_TAIL[r.element]) + 1.0, n + format_of(n).rounder)


def _log2(f: LaneFunction, x: Value) -> tuple[Value, Value]:
    """log2 x as a sum of two doubles, the first with half of the bits."""
    e, m = any_exponent_and_significand(f, x, SQRT_HALF_BITS[x.element])
    s, s_high, s_low = _ratio(m)
    z = s * s
    series = z * z * polynomial(f, z, ARTANH_TAIL["double"])
    square = s_high * s_high
    correction = series + s_low * (s_high + s)
    sum_high = leading((square + 3.0) + correction)
    sum_low = correction - ((sum_high - 3.0) - square)
    exact = s_high * sum_high
    small = s_low * sum_high + sum_low * s
    log_high = leading(exact + small)
    log_low = small - (log_high - exact)
    high, low = SCALE_PARTS
    exact = log_high * high
    small = log_high * low + log_low * SCALE
    total = leading((exact + small) + e)
    return total, small - ((total - e) - exact)


def _ratio(m: Value) -> tuple[Value, Value, Value]:
    """S = (m - 1) / (m + 1), and the same as a sum of which the first has half of the bits."""
    above, below = m + 1.0, m - 1.0
    lost = m - (above - 1.0)
    s = below / above
    high, first = leading(s), leading(above)
    rest = ((below - high * first) - high * (above - first)) - high * lost
    return s, high, rest / above


def _with_edges(f: LaneFunction, x: Value, y: Value, magnitude: Value) -> Value:
    size, infinity = x.absolute(), float("inf")
    without_end = size.equals(infinity)
    grows = (y > 0.0) ^ size.equals(0.0)
    ends = f.select(grows, x.constant(infinity), 0.0)
    found = f.select(without_end | size.equals(0.0), ends, magnitude)
    integral, odd = _parity(f, y)
    found = f.select(odd, found.with_sign_of(x), found)
    no_root = (x < 0.0) & ~without_end & ~integral
    found = f.select(no_root | x.is_nan() | y.is_nan(), float("nan"), found)
    return f.select(x.equals(1.0) | y.equals(0.0), 1.0, found)


def _parity(f: LaneFunction, y: Value) -> tuple[Value, Value]:
    """Whether y is an integer, and whether it is an odd one."""
    unit, size = format_of(y).unit, y.absolute()
    large = size >= unit
    lifted = size + unit
    integral = large | (lifted - unit).equals(size)
    last = f.select(large, f.select(size < 2.0 * unit, size, 0.0), lifted)
    return integral, integral & (last.bits() & 1).differs(0)
