"""Binary floating point by its bits: IEEE 754's binary32 and binary64, with no table and no call.

Steps that must be exact are exact by themselves, so they need no fused multiply-add.
"""

from __future__ import annotations

from chainc.backends.math.lanes import LaneFunction, Value
from chainc.dataclass import dataclass


@dataclass(frozen=True)
class Format:
    """One of the two formats: `element` is LLVM's name of it."""

    element: str
    precision: int  # bits of the significand, the leading one included
    bias: int  # of the exponent

    @property
    def fraction(self) -> int:
        return self.precision - 1

    @property
    def sign(self) -> int:
        """The integer of which only the bit of the sign is set."""
        return -((2 * self.bias + 2) << self.fraction)

    @property
    def one(self) -> int:
        """The bits of 1."""
        return self.bias << self.fraction

    @property
    def exponent_mask(self) -> int:
        return (2 * self.bias + 1) << self.fraction

    @property
    def smallest_normal(self) -> float:
        return float(2.0 ** (1 - self.bias))

    @property
    def unit(self) -> float:
        """The first power of two from which every number is an integer."""
        return float(2.0**self.fraction)

    @property
    def half_bits(self) -> int:
        """How many bits are cleared to leave a number whose square is exact."""
        return (self.precision + 1) // 2

    @property
    def rounder(self) -> float:
        """Added to a number below unit / 2, it leaves the nearest integer in the low bits."""
        return 1.5 * self.unit

    @property
    def rounder_bits(self) -> int:
        return (self.bias + self.fraction << self.fraction) + (1 << self.fraction - 1)


FORMATS = {"float": Format("float", 24, 127), "double": Format("double", 53, 1023)}


def format_of(x: Value) -> Format:
    return FORMATS[x.element]


def power_of_two(n: Value, binary: Format) -> Value:
    """2ⁿ of an integer n for which it is a normal number."""
    return ((n << binary.fraction) + binary.one).as_float()


def scaled(x: Value, lifted: Value) -> Value:
    """The product x 2ⁿ, rounded once, for x near 1; it may be subnormal or infinite.

    `lifted` is the sum of the rounder and n, an integer, as it comes from rounding.
    """
    binary = format_of(x)
    found = x.function.scaled(x, lifted - binary.rounder)
    if found is not None:
        return found
    n = integer(lifted)
    half = n.arithmetic_shift(1)
    return x * power_of_two(half, binary) * power_of_two(n - half, binary)


def integer(lifted: Value) -> Value:
    """An integer below unit / 2 that was added to the rounder."""
    return lifted.bits() - format_of(lifted).rounder_bits


def exponent_and_significand(x: Value, centre_bits: int) -> tuple[Value, Value]:
    """(e, m) with x = 2ᵉ m, for a normal x > 0; e is an integer in floating point.

    m goes from the number with the bits `centre_bits`, which lies in (1/2, 1), to its double.
    """
    binary = format_of(x)
    bits = x.bits()
    lifted = bits + (binary.one - centre_bits)
    shift = binary.rounder_bits - binary.bias  # makes the biased exponent the integer e
    e = ((lifted >> binary.fraction) + shift).as_float() - binary.rounder
    m = bits - (lifted & binary.exponent_mask) + binary.one
    return e, m.as_float()


def any_exponent_and_significand(
    f: LaneFunction, x: Value, centre_bits: int
) -> tuple[Value, Value]:
    """The same for any finite x > 0."""
    binary = format_of(x)
    subnormal = x < binary.smallest_normal
    normal = f.select(subnormal, x * 2.0**binary.precision, x)
    e, m = exponent_and_significand(normal, centre_bits)
    return f.select(subnormal, e - float(binary.precision), e), m


def nearest(x: Value) -> Value:
    """The nearest integer, for |x| < unit / 2."""
    rounder = format_of(x).rounder
    return (x + rounder) - rounder


def leading(x: Value) -> Value:
    """The leading half of the bits of x: what is cut off is exact in the other half."""
    return (x.bits() & -(1 << format_of(x).half_bits)).as_float()


def two_sum(a: Value, b: Value) -> tuple[Value, Value]:
    """A + b rounded, and the rounding error (Knuth, "Seminumerical algorithms", 4.2.2)."""
    total = a + b
    from_b = total - a
    return total, (a - (total - from_b)) + (b - from_b)


def floor(f: LaneFunction, x: Value) -> Value:
    """The largest integer that is not above x; -0, infinities and NaN stay what they are."""
    binary = format_of(x)
    unit = x.constant(binary.unit).with_sign_of(x)
    rounded = (x + unit) - unit
    below = f.select(x < rounded, rounded - 1.0, rounded)
    return f.select(x.absolute() < binary.unit, below.with_sign_of(x), x)
