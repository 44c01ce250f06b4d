"""Erf x: x P(x²) up to 1, and 1 - e^-Q(x) beyond, where Q is the logarithm of 1 / erfc."""

from __future__ import annotations

from chainc.backends.math.exponential import reduced
from chainc.backends.math.floating import format_of, power_of_two
from chainc.backends.math.lanes import LaneFunction, Value, polynomial
from chainc.backends.math.polynomials import ERF_NEAR, ERF_ONE_FROM, ERFC_LOGARITHM


def erf(f: LaneFunction, x: Value) -> Value:
    near = f.fma(x, polynomial(f, x * x, ERF_NEAR[x.element]), x)
    size = x.absolute()
    beyond = size.at_most(ERF_ONE_FROM[x.element]) - 1.0
    n, tail = reduced(f, -polynomial(f, beyond, ERFC_LOGARITHM[x.element]))
    power = power_of_two(n, format_of(x))
    far = 1.0 - f.fma(power, tail, power)
    return f.select(size < 1.0, near, far.with_sign_of(x))
