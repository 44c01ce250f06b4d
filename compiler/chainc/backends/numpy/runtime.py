"""What generated source calls besides NumPy itself."""

from __future__ import annotations

import math

import numpy as np

from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainc.ops.families.philox import permutation, random_bits

__all__ = ["erf", "permutation", "random_bits", "require_indices", "zero_unless"]

BITS = {4: np.int32, 8: np.int64}


def erf(x: Array) -> Array:
    """The error function; NumPy has none."""
    return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(x))


def require_indices(indices: Array, bound: int, where: str) -> None:
    """Refuse an index below 0 or not below `bound`."""
    if indices.size and not (indices.min() >= 0 and indices.max() < bound):
        worst = indices.max() if indices.max() >= bound else indices.min()
        raise InputError(
            f"index {worst} is out of range for an axis of size {bound}",
            where=where,
            hint=f"use indices from 0 to {bound - 1}",
        )


def zero_unless(keep: Array, values: Array) -> None:
    """Write 0 where `keep` is false, in place.

    The bits are multiplied by 0 or 1: exact also for NaN and infinities, which a product of the
    numbers would not be, and quicker than a copy with a mask, which branches at every element.
    """
    bits = values.view(BITS[values.itemsize])
    np.multiply(bits, keep, out=bits)
