"""How elements are ordered: a NaN counts as the largest, Booleans as 0 and 1."""

from __future__ import annotations

from chainc.ir.types import int64
from chainc.loops.builder import NestBuilder
from chainc.loops.values import Register


def is_less(builder: NestBuilder, a: Register, b: Register) -> Register:
    """Does `a` come before `b` in ascending order?"""
    dtype = a.kind.dtype
    if dtype.is_bool:
        a, b = builder.cast(a, int64), builder.cast(b, int64)
    less = builder.compare("less", a, b)
    if not dtype.is_float:
        return less
    known = builder.compare("equal", a, a)
    unknown = builder.compute("logical_not", builder.compare("equal", b, b))
    return builder.compute("logical_or", less, builder.compute("logical_and", known, unknown))
