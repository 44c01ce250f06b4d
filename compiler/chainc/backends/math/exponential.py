"""eˣ, eˣ - 1 and what is made of them: tanh x.

x = n ln 2 + r with an integer n and |r| ≤ ln 2 / 2, and eˣ = 2ⁿ eʳ. ln 2 is the sum of two
numbers, of which the first has so few bits that its products with n are exact (Cody, Waite,
"Software manual for the elementary functions", 1980).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from chainc.backends.math.floating import format_of, integer, power_of_two, scaled
from chainc.backends.math.lanes import LaneFunction, Value, polynomial
from chainc.backends.math.polynomials import EXP_TAIL, TANH_TAIL
from chainc.dataclass import dataclass

LOG2_E = 1.4426950408889634
LN2: Mapping[str, tuple[float, float]] = {  # of 15 and 40 bits, and the rest
    "float": (0.693145751953125, 1.428606765330187e-06),
    "double": (0.6931471805601177, -1.7239444525614835e-13),
}


@dataclass(frozen=True)
class Limits:
    """Beyond these arguments a result does not change any more.

    At `zero` eˣ has long been 0, and both powers of two that make it are 0 too: else it were a
    product that underflows, which takes three times as long, for all that a mask sets to -1e30.
    """

    zero: float
    infinite: float  # eˣ is infinite
    minus_one: float  # eˣ - 1 is -1
    one: float  # (e²ˣ - 1) / (e²ˣ + 1) is 1


LIMITS: Mapping[str, Limits] = {
    "float": Limits(-176.0, 89.0, -18.0, 10.0),
    "double": Limits(-1418.25, 710.0, -38.0, 20.0),
}


def exp(f: LaneFunction, x: Value) -> Value:
    limits = LIMITS[x.element]
    lifted, tail = reduced(f, x.at_least(limits.zero).at_most(limits.infinite))
    return scaled(tail + 1.0, lifted)


def expm1(f: LaneFunction, x: Value) -> Value:
    """2 (2ⁿ⁻¹ (eʳ - 1) + (2ⁿ⁻¹ - 1/2)): the power stays finite where the result is."""
    limits = LIMITS[x.element]
    lifted, tail = reduced(f, x.at_least(limits.minus_one).at_most(limits.infinite))
    power = power_of_two(integer(lifted) - 1, format_of(x))
    half = f.fma(power, tail, power - 0.5)
    tiny = x.absolute() < 2.0 ** -format_of(x).precision
    return f.select(tiny, x, half + half)


def tanh(f: LaneFunction, x: Value) -> Value:
    """For x ≥ 0 it is t / (t + 2) of t = e²ˣ - 1; tanh is odd.

    The larger x is, the less an error of t counts. So ln 2 is one number, which keeps r exact
    for n = 0, and a shorter polynomial does.
    """
    binary = format_of(x)
    size = x.absolute().at_most(LIMITS[x.element].one)
    double = size + size
    lifted = f.fma(double, LOG2_E, binary.rounder)
    r = f.fma(lifted - binary.rounder, -math.log(2), double)
    power = power_of_two(lifted.bits(), binary)  # of the rounder the shift leaves nothing
    t = f.fma(power, exp_minus_one(f, r, TANH_TAIL[x.element]), power - 1.0)
    return ((t / (t + 2.0)).bits() | (x.bits() & binary.sign)).as_float()


def reduced(f: LaneFunction, x: Value) -> tuple[Value, Value]:
    """The integer n nearest to x / ln 2, added to the rounder, and eʳ - 1 of what remains, r."""
    binary = format_of(x)
    lifted = f.fma(x, LOG2_E, binary.rounder)
    n = lifted - binary.rounder
    high, low = LN2[x.element]
    r = f.fma(n, -low, f.fma(n, -high, x))
    tail = exp_minus_one(f, r, EXP_TAIL[x.element])
    return lifted, tail


def exp_minus_one(f: LaneFunction, r: Value, tail: Sequence[float]) -> Value:
    """For |r| ≤ ln 2 / 2, by a polynomial for (eʳ - 1 - r) / r²."""
    return f.fma(r * r, polynomial(f, r, tail), r)
