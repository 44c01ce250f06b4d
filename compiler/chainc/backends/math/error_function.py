"""Erf x, in single precision by a quotient of polynomials.

In double it is x P(x²) up to 1, and 1 - e^-Q(x) beyond, where Q is the logarithm of 1 / erfc.
"""

from __future__ import annotations

from chainc.backends.math.exponential import reduced
from chainc.backends.math.floating import format_of, integer, power_of_two
from chainc.backends.math.lanes import LaneFunction, Value, polynomial
from chainc.backends.math.polynomials import (
    ERF_DENOMINATOR,
    ERF_NEAR,
    ERF_NUMERATOR,
    ERF_ONE_FROM,
    ERFC_LOGARITHM,
)


def erf(f: LaneFunction, x: Value) -> Value:
    return by_quotient(f, x) if x.element in ERF_NUMERATOR else by_parts(f, x)


def by_quotient(f: LaneFunction, x: Value) -> Value:
    """Erf x / x falls to 1 / END where erf is 1, and the quotient is what it has above that.

    So its rounding counts least where erf has the most digits, and no result is beyond 1.
    """
    end = ERF_ONE_FROM[x.element]
    within = x.at_least(-end).at_most(end)
    z = within * within
    above = polynomial(f, z, ERF_NUMERATOR[x.element])
    below = polynomial(f, z, ERF_DENOMINATOR[x.element])
    return f.fma(above / below, within, within * (1 / end))


def by_parts(f: LaneFunction, x: Value) -> Value:
    near = f.fma(x, polynomial(f, x * x, ERF_NEAR[x.element]), x)
    size = x.absolute()
    beyond = size.at_most(ERF_ONE_FROM[x.element]) - 1.0
    lifted, tail = reduced(f, -polynomial(f, beyond, ERFC_LOGARITHM[x.element]))
    power = power_of_two(integer(lifted), format_of(x))
    far = 1.0 - f.fma(power, tail, power)
    return f.select(size < 1.0, near, far.with_sign_of(x))
