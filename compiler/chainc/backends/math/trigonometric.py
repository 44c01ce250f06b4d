"""Sine and cosine: x = k π/2 + r with |r| ≤ π/4, and a polynomial of r for each.

A float is reduced in double, a double with π/2 in four parts. Where these have too few digits,
from 2²⁴ and from 2²⁰ on, x is reduced with the digits of 1 / 2π that matter (Payne, Hanek,
"Radian reduction for trigonometric functions", 1983): whatever its size, no digit is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from chainc.backends.math.floating import format_of, leading, two_sum
from chainc.backends.math.lanes import LaneFunction, Value, polynomial
from chainc.backends.math.polynomials import COS_TAIL, SIN_TAIL
from chainc.dataclass import dataclass

TWO_OVER_PI = 0.6366197723675814
DOUBLE = "double"
EXACT_BELOW = 2.0**24  # a float's quotient by π/2 times the first part is exact
FLOAT_PARTS = (1.570796325802803, 9.920935796805404e-10)
DOUBLE_EXACT_BELOW = 2.0**20  # products of its quotient and the parts are exact
DOUBLE_PARTS = (
    1.5707963267341256,
    6.077100506303966e-11,
    2.0222662487111665e-21,
    8.4784276603689e-32,
)
TURN = 6.283185307179586
TURN_REST = 2.4492935982947064e-16  # of 2π
# fmt: off
TURN_WORDS = (
    0x28BE60DB, 0x9391054A, 0x7F09D5F4, 0x7D4D3770, 0x36D8A566, 0x4F10E410,
    0x7F9458EA, 0xF7AEF158, 0x6DC91B8E, 0x909374B8, 0x01924BBA, 0x82746487,
    0x3F877AC7, 0x2C4A69CF, 0xBA208D7D, 0x4BAED121, 0x3A671C09, 0xAD17DF90,
    0x4E64758E, 0x60D4CE7D, 0x272117E2, 0xEF7E4A0E, 0xC7FE25FF, 0xF7816603,
    0xFBCBC462, 0xD6829B47, 0xDB4D9FB3, 0xC9F2C26D, 0xD3D18FD9, 0xA797FA8B,
    0x5D49EEB1, 0xFAF97C5E, 0xCF41CE7D, 0xE294A4BA, 0x9AFED7EC, 0x47E35742,
    0x1580CC11,
)  # 1 / 2π in words of 32 bits
# fmt: on
WORD = 0xFFFFFFFF


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
    size = x.absolute()
    near = _near(f, f.select(size < DOUBLE_EXACT_BELOW, x, x - x))
    large = (size >= DOUBLE_EXACT_BELOW) & (size < float("inf"))
    k, r, error = f.where_any(large, near, lambda: _far_double(f, x))
    return Reduced(k, r, error)


def _near(f: LaneFunction, x: Value) -> tuple[Value, Value, Value]:
    """(k, r, error), where products of the parts but the last with k are exact."""
    binary = format_of(x)
    lifted = f.fma(x, TWO_OVER_PI, binary.rounder)
    k = lifted - binary.rounder
    first, second, third, fourth = DOUBLE_PARTS
    rest, error = two_sum(x - k * first, k * -second)
    rest, lost = two_sum(rest, k * -third)
    small = (error + lost) - k * fourth
    r = rest + small
    inside = r.at_least(-0.8).at_most(0.8)
    return lifted.bits(), inside, small - (r - rest)


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


def _far_double(f: LaneFunction, x: Value) -> tuple[Value, Value, Value]:
    """(k, r, error) for 2²⁰ ≤ |x| < infinity: the fraction of |x| / 2π, in 128 bits, as M G.

    A double may come as near to a multiple of π/2 as 2⁻⁶²: as many more bits are needed.
    """
    bits = x.absolute().bits()
    start = (bits >> 52) - (1023 + 20)  # |x| = M 2ᵉ with e = start - 32
    significand = (bits & ((1 << 52) - 1)) | (1 << 52)
    words = _words_from(f, start >> 5)
    shift = start & 31
    digits = [(((a << 32) | b) << shift >> 32) & WORD for a, b in pairwise(words)]
    r0, r1, r2, r3 = _fraction(significand, digits)
    high = (r0 << 32) | r1
    quarter = (high + (1 << 61)) >> 62
    rest = high - (quarter << 62)
    halves = rest.arithmetic_shift(32), rest & WORD, r2, r3
    turns, lost = _sum([_small(n, place) for place, n in enumerate(halves, start=1)])
    angle, error = _radians(turns, lost)
    negative = x < 0.0
    k, r, off = (f.select(negative, -value, value) for value in (quarter, angle, error))
    return k, r, off


def _words_from(f: LaneFunction, place: Value) -> Sequence[Value]:
    """Seven words, from a place below 32 on, of zero and then 1 / 2π."""
    words = [place.constant(word) for word in (0, *TURN_WORDS)]
    for distance in (16, 8, 4, 2, 1):
        farther = (place & distance).differs(0)
        words = [
            f.select(farther, words[at + distance], words[at]) for at in range(distance - 1 + 7)
        ]
    return words


def _fraction(significand: Value, digits: Sequence[Value]) -> Sequence[Value]:
    """The first four words of the fraction of a product with six words behind the point."""
    low, high = significand & WORD, significand >> 32
    by_low, by_high = [low * digit for digit in digits], [high * digit for digit in digits]
    carried = by_low[5] >> 32
    found: list[Value] = []
    for place in (4, 3, 2, 1, 0):
        total = carried + (by_low[place] & WORD) + (by_high[place + 1] & WORD)
        found.insert(0, total & WORD)
        carried = (total >> 32) + (by_low[place] >> 32) + (by_high[place + 1] >> 32)
    return found[:4]


def _small(n: Value, place: int) -> Value:
    """The word at a place behind the point, as a number; the first has a sign."""
    word = n.convert("trunc", "i32")
    return word.convert("sitofp" if place == 1 else "uitofp", DOUBLE) * 2.0 ** (-32 * place)


def _sum(parts: Sequence[Value]) -> tuple[Value, Value]:
    """The sum of four numbers, each beyond the digits of the one before, and its rounding error."""
    first, second, third, fourth = parts
    total, error = two_sum(first, second)
    more, lost = two_sum(error, third)
    total, error = two_sum(total, more)
    return two_sum(total, error + (lost + fourth))


def _radians(turns: Value, lost: Value) -> tuple[Value, Value]:
    """The product with 2π, and its rounding error (Dekker, 1971)."""
    angle = turns * TURN
    high = leading(turns)
    low = turns - high
    long = turns.constant(TURN)
    front = leading(long)
    back = long - front
    error = (high * front - angle) + high * back + low * front + low * back
    return angle, error + (turns * TURN_REST + lost * TURN)
