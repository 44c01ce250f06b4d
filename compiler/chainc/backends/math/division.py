"""Floored division and its remainder, as NumPy defines them.

The quotient goes towards -infinity and the remainder has the sign of the divisor. Integers
divided by 0 give 0 in both; the least integer divided by -1 wraps around.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainc.backends.math.floating import (
    Format,
    floor,
    format_of,
    leading,
    nearest,
    power_of_two,
)
from chainc.backends.math.lanes import LaneFunction, Value
from chainc.dataclass import dataclass

# the format in which a quotient of two such integers, cut to an integer, is exact
DIVIDED_IN: Mapping[str, str] = {"i8": "float", "i32": "double"}


def floor_divide(f: LaneFunction, a: Value, b: Value) -> Value:
    return _divided(f, a, b).quotient


def remainder(f: LaneFunction, a: Value, b: Value) -> Value:
    return _divided(f, a, b).remainder


@dataclass(frozen=True)
class _Division:
    quotient: Value
    remainder: Value


def _divided(f: LaneFunction, a: Value, b: Value) -> _Division:
    if a.is_float:
        return _floats(f, a, b)
    return _bytes(f, a, b) if a.element == "i8" else _integers(f, a, b)


def _bytes(f: LaneFunction, a: Value, b: Value) -> _Division:
    """Of integers without sign."""
    zero = b.equals(0)
    divisor = f.select(zero, 1, b)
    element = DIVIDED_IN[a.element]
    ratio = a.convert("uitofp", element) / divisor.convert("uitofp", element)
    quotient = ratio.convert("fptoui", a.element)
    rest = a - quotient * b
    return _Division(f.select(zero, 0, quotient), f.select(zero, 0, rest))


def _integers(f: LaneFunction, a: Value, b: Value) -> _Division:
    """Of integers with sign: towards zero first, and one less where the rest has the wrong sign."""
    zero, negated = b.equals(0), b.equals(-1)
    divisor = f.select(zero | negated, 1, b)
    towards_zero = f.select(negated, -a, _towards_zero(a, divisor))
    rest = a - towards_zero * b
    wrong = rest.differs(0) & ((rest ^ b) < 0)
    quotient = f.select(wrong, towards_zero - 1, towards_zero)
    rest = f.select(wrong, rest + b, rest)
    return _Division(f.select(zero, 0, quotient), f.select(zero, 0, rest))


def _towards_zero(a: Value, b: Value) -> Value:
    element = DIVIDED_IN.get(a.element)
    if element is None:
        return a.quotient(b)
    return (a.convert("sitofp", element) / b.convert("sitofp", element)).convert(
        "fptosi", a.element
    )


def _floats(f: LaneFunction, a: Value, b: Value) -> _Division:
    """From C's fmod, which is exact, with the rounding that NumPy gives the quotient."""
    cut = _truncated_remainder(f, a, b)
    opposite = cut.differs(0.0) & ((b < 0.0) ^ (cut < 0.0))
    rest = f.select(opposite, cut + b, cut)
    rest = f.select(rest.equals(0.0), f.constant(a.element, 0.0).with_sign_of(b), rest)
    ratio = (a - cut) / b
    ratio = f.select(opposite, ratio - 1.0, ratio)
    below = floor(f, ratio)
    below = f.select(ratio - below > 0.5, below + 1.0, below)
    plain = a / b
    quotient = f.select(ratio.equals(0.0), ratio.constant(0.0).with_sign_of(plain), below)
    return _Division(f.select(b.equals(0.0), plain, quotient), rest)


def _truncated_remainder(f: LaneFunction, a: Value, b: Value) -> Value:
    """C's fmod: a minus the multiple of b that is next towards zero, with the sign of a."""
    infinity = float("inf")
    defined = (a.absolute() < infinity) & b.differs(0.0)
    divisor = f.select(b.equals(0.0), 1.0, b.absolute())
    dividend = f.select(defined, a.absolute(), 0.0)
    rest = _reduced(f, dividend, divisor)
    size = f.select(rest < 0.0, rest + divisor, rest)
    size = f.select(b.is_nan(), b, f.select(defined, size, float("nan")))
    return size.with_sign_of(a)


def _reduced(f: LaneFunction, dividend: Value, divisor: Value) -> Value:
    """What differs from the dividend by a multiple of the divisor, and is smaller than it.

    The largest numbers are halved, so that no multiple in use overflows, and doubled at the end.
    """
    huge = dividend >= 2.0 ** format_of(dividend).bias
    start = f.select(huge, dividend * 0.5, dividend)

    def step(carried: Sequence[Value]) -> tuple[Sequence[Value], Value]:
        rest = carried[0]
        smaller = _subtracted(f, rest, divisor)
        rest = f.select(rest.absolute() >= divisor, smaller, rest)
        return [rest], rest.absolute() >= divisor

    rest = f.repeat([start], step)[0]
    rest = f.select(huge, rest + rest, rest)
    return f.select(rest.absolute() >= divisor, rest - divisor.with_sign_of(rest), rest)


def _subtracted(f: LaneFunction, rest: Value, divisor: Value) -> Value:
    """The rest minus the nearest multiple of divisor 2ᵏ, where k leaves a short quotient.

    All is exact: the quotient is so short that its product with either half of the bits of
    divisor 2ᵏ fits, and so does each difference, as a multiple of the last place of both.
    """
    binary = format_of(rest)
    short = binary.precision // 2 - 4
    k = _exponent(f, rest.absolute(), binary) - _exponent(f, divisor, binary) - short
    multiple = _raised(divisor, f.select(k < 0, 0, k))
    quotient = nearest(rest / multiple)
    first = leading(multiple)
    return (rest - quotient * first) - quotient * (multiple - first)


def _exponent(f: LaneFunction, x: Value, binary: Format) -> Value:
    """The biased exponent of x > 0, less than 1 for a subnormal number."""
    subnormal = x < binary.smallest_normal
    field = f.select(subnormal, x * 2.0**binary.precision, x).bits() >> binary.fraction
    return f.select(subnormal, field - binary.precision, field)


def _raised(x: Value, k: Value) -> Value:
    """The product x 2ᵏ, for any finite one; a quarter of k is in reach of an exponent."""
    quarter = k >> 2
    power = power_of_two(quarter, format_of(x))
    return x * power * power * power * power_of_two(k - quarter * 3, format_of(x))
