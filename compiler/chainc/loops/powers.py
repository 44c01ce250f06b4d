"""Powers that need no logarithm: a few products, or a root, that are as near as a power is.

    power(x, 3)    p = x·x,  e = x·x - p exactly    →   p·x + e·x
    power(x, 4)                                     →   p·p + 2·p·e
    power(x, 0.5)                                   →   √x, but for -0 and minus infinity

A product alone is rounded once a factor; what the first one loses is brought in again by the last,
which a processor without `fma` has to leave out.
"""

from __future__ import annotations

import math
from typing import Protocol

from chainc.loops.values import Kind, Register

CUBE, FOURTH, ROOT = 3, 4, 0.5
KNOWN = frozenset((CUBE, FOURTH, ROOT))


class Builder(Protocol):
    """What writes the statements."""

    def constant(self, value: float, kind: Kind) -> Register:
        """A number."""

    def compute(self, primitive: str, *operands: Register) -> Register:
        """A primitive in every lane."""

    def compare(self, primitive: str, a: Register, b: Register) -> Register:
        """A condition in every lane."""


def power(to: Builder, x: Register, exponent: float) -> Register:
    """One of the powers that are `KNOWN`, of floating-point numbers."""
    infinity = to.constant(math.inf, Kind(x.kind.dtype))
    if exponent == ROOT:
        root = to.compute("add", to.compute("sqrt", x), to.constant(0.0, Kind(x.kind.dtype)))
        lowest = to.compare("equal", x, to.compute("negative", infinity))
        return to.compute("select", lowest, infinity, root)
    square = to.compute("multiply", x, x)
    lost = to.compute("fma", x, x, to.compute("negative", square))
    if exponent == CUBE:
        factor, rest = x, to.compute("multiply", lost, x)
    else:
        twice = to.compute("add", square, square)
        factor, rest = square, to.compute("multiply", twice, lost)
    whole = to.compute("multiply", square, factor)
    nearer = to.compute("fma", square, factor, rest)
    magnitude = to.compute("absolute", whole)
    return to.compute("select", to.compare("equal", magnitude, infinity), whole, nearer)
