"""What integers are where NumPy leaves it to the machine, or refuses: the same on every target."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chainc.ir.types import Array


def as_integers(x: npt.ArrayLike, dtype: np.dtype[np.generic]) -> Array:
    """Floating-point numbers as integers, towards zero.

    What does not fit gives the nearest integer that does; NaN gives 0.
    """
    numbers, limits = np.asarray(x), np.iinfo(dtype.name)
    low, end = float(limits.min), float(limits.max // 2 + 1) * 2
    fits = (numbers > low - 1) & (numbers < end)
    found = np.where(fits, numbers, 0).astype(dtype)
    found = np.where(numbers >= end, dtype.type(limits.max), found)
    return np.where(numbers <= low, dtype.type(limits.min), found)


def integer_power(a: npt.ArrayLike, b: npt.ArrayLike) -> Array:
    """A product, modulo 2 to the bits of the type; its inverse cut to an integer where b < 0.

    That is 1 or -1 for the powers of these two, and 0 for all others and for 0.
    """
    base, exponent = np.asarray(a), np.asarray(b)
    below = exponent < 0
    if not below.any():
        return np.asarray(np.power(base, exponent))
    one, sign = np.ones_like(base), np.where(exponent % 2 == 1, base, base * base)
    product = np.power(base, np.where(below, np.zeros_like(exponent), exponent))
    inverse = np.where((base == one) | (base == -one), sign, np.zeros_like(base))
    return np.where(below, inverse, product)
