"""Sine and cosine: x = k π/2 + r with |r| ≤ π/4, and a polynomial of r for each.

A float is reduced in double; from 2²⁴ on, where that has too few digits, with the digits of
1 / 2π that matter (Payne, Hanek, "Radian reduction for trigonometric functions", 1983). A double
is reduced with π/2 in four parts, which is accurate up to |x| = 2²⁰. Beyond, digits are lost:
the result lies between -1 and 1, and from 2⁴⁰ on it is that of 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from chainc.backends.llvm.math.floating import format_of, two_sum
from chainc.backends.llvm.math.lanes import LaneFunction, Value
from chainc.backends.llvm.math.polynomials import COS_TAIL, SIN_TAIL, polynomial

TWO_OVER_PI = 0.6366197723675814
DOUBLE = "double"
EXACT_BELOW = 2.0**24  # a float's quotient by π/2 times the first part is exact
FLOAT_PARTS = (1.570796325802803, 9.920935796805404e-10)
DOUBLE_LIMIT = 2.0**40
DOUBLE_PARTS = (
    1.5707963267341256,
    6.077100506303966e-11,
    2.0222662487111665e-21,
    8.4784276603689e-32,
)
TURN = 6.283185307179586
TURN_WORDS = (
    0x28BE60DB,
    0x9391054A,
    0x7F09D5F4,
    0x7D4D3770,
    0x36D8A566,
    0x4F10E410,
    0x7F9458EA,
)  # 1 / 2π in words of 32 bits


@dataclass(frozen=True)
class Reduced:
    """The multiple of π/2 (only its last two bits matter), what remains, and its rounding error."""

    k: Value
    r: Value
    error: Value | None


def sin(f: LaneFunction, x: Value) -> Value:
    reduced = _reduced(f, x)
    return f.select(x.equals(0.0), x, _quadrant(f, reduced, reduced.k))


def cos(f: LaneFunction, x: Value) -> Value:
    reduced = _reduced(f, x)
    return _quadrant(f, reduced, reduced.k + 1)


def _quadrant(f: LaneFunction, reduced: Reduced, k: Value) -> Value:
    """The sine of k π/2 + r."""
    value = f.select((k & 1).differs(0), _cosine(f, reduced), _sine(f, reduced))
    return f.select((k & 2).differs(0), -value, value)


def _sine(f: LaneFunction, reduced: Reduced) -> Value:
    r, error = reduced.r, reduced.error
    z = r * r
    tail = r * z * polynomial(f, z, SIN_TAIL[r.element])
    return r + (tail if error is None else f.fma(error, 1.0 - z * 0.5, tail))


def _cosine(f: LaneFunction, reduced: Reduced) -> Value:
    r, error = reduced.r, reduced.error
    z = r * r
    half = z * 0.5
    first = 1.0 - half
    tail = z * z * polynomial(f, z, COS_TAIL[r.element])
    tail = tail if error is None else tail - r * error
    return first + (((1.0 - first) - half) + tail)


def _reduced(f: LaneFunction, x: Value) -> Reduced:
    return _of_float(f, x) if x.element == "float" else _of_double(f, x)


def _of_double(f: LaneFunction, x: Value) -> Reduced:
    """Products of the parts but the last with a k below 2²⁰ are exact; infinity becomes NaN."""
    binary = format_of(x)
    x = f.select(x.absolute() < DOUBLE_LIMIT, x, x - x)
    lifted = f.fma(x, TWO_OVER_PI, binary.rounder)
    k = lifted - binary.rounder
    first, second, third, fourth = DOUBLE_PARTS
    rest, error = two_sum(x - k * first, k * -second)
    rest, lost = two_sum(rest, k * -third)
    small = (error + lost) - k * fourth
    r = rest + small
    inside = r.at_least(-0.8).at_most(0.8)
    return Reduced(lifted.bits(), inside, small - (r - rest))


def _of_float(f: LaneFunction, x: Value) -> Reduced:
    wide = x.convert("fpext", DOUBLE)
    rounder = format_of(wide).rounder
    lifted = f.fma(wide, TWO_OVER_PI, rounder)
    k = lifted - rounder
    first, second = FLOAT_PARTS
    near = f.fma(k, -second, f.fma(k, -first, wide))
    size = x.absolute()
    large = (size >= EXACT_BELOW) & (size < float("inf"))
    turns = lifted.bits().convert("trunc", "i32")
    quarter, r = f.where_any(large, (turns, near), lambda: _far(f, x))
    return Reduced(quarter, r.convert("fptrunc", "float"), None)


def _far(f: LaneFunction, x: Value) -> tuple[Value, Value]:
    """(k, r) for 2²⁴ ≤ |x| < infinity: the fraction of |x| / 2π, in 64 bits, as M G.

    |x| = M 2ᵉ, and G is the fraction of 2ᵉ / 2π: 96 digits of 1 / 2π, from the digit e on.
    """
    bits = x.absolute().bits()
    e = (bits >> 23) - (127 + 23)
    significand = ((bits & 0x7FFFFF) | 0x800000).convert("zext", "i64")
    words = [_word(f, e >> 5, place).convert("zext", "i64") for place in range(4)]
    shift = (e & 31).convert("zext", "i64")
    g0, g1, g2 = (((((a << 32) | b) << shift) >> 32) for a, b in pairwise(words))
    fraction = ((significand * g0) << 32) + significand * g1 + ((significand * g2) >> 32)
    quarter = (fraction + (1 << 61)) >> 62
    rest = fraction - (quarter << 62)
    angle = _as_double(rest) * (TURN * 2.0**-64)
    k = quarter.convert("trunc", "i32")
    negative = x < 0.0
    return f.select(negative, -k, k), f.select(negative, -angle, angle)


def _word(f: LaneFunction, at: Value, offset: int) -> Value:
    """The word of 1 / 2π at a place from 0 to 3, plus the offset."""
    word = at.constant(TURN_WORDS[offset + 3])
    for place in (2, 1, 0):
        word = f.select(at.equals(place), TURN_WORDS[offset + place], word)
    return word


def _as_double(n: Value) -> Value:
    """An integer of 64 bits with sign, in two halves, which every machine can convert."""
    high = n.arithmetic_shift(32).convert("trunc", "i32").convert("sitofp", DOUBLE)
    low = (n & 0xFFFFFFFF).convert("trunc", "i32").convert("uitofp", DOUBLE)
    return high * 2.0**32 + low
