"""What generated source calls besides NumPy itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from chainc.backends.math.polynomials import ERF_NEAR, ERF_ONE_FROM, ERFC_LOGARITHM
from chainc.interpreters.integers import as_integers, integer_power
from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainc.ops.families.philox import permutation, random_bits
from chainc.ops.families.rows import add_along, order_of

__all__ = [
    "add_along",
    "as_integers",
    "erf",
    "integer_power",
    "order_of",
    "permutation",
    "random_bits",
    "require_indices",
    "sum_in_blocks",
    "zero_unless",
]

LONG = 1024  # elements that NumPy may add one after the other
BLOCK = 128  # of a longer sum: so many are added before the result is added to others
BITS = {4: np.int32, 8: np.int64}


def erf(x: Array) -> Array:
    """The error function, which NumPy lacks: x P(x²) up to 1, and 1 - e^-Q(|x|) beyond."""
    wide = np.asarray(x, np.float64)
    size = np.abs(wide)
    within = np.clip(wide, -1, 1)
    near = within + within * _polynomial(ERF_NEAR["double"], within * within)
    beyond = np.minimum(size, ERF_ONE_FROM["double"]) - 1
    far = -np.expm1(-_polynomial(ERFC_LOGARITHM["double"], beyond))
    return np.asarray(np.where(size < 1, near, np.copysign(far, wide)))


def _polynomial(
    coefficients: Sequence[float], x: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    value = np.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value *= x
        value += coefficient
    return value


def require_indices(indices: Array, bound: int, where: str) -> None:
    """Refuse an index below 0 or not below `bound`."""
    if indices.size and not (indices.min() >= 0 and indices.max() < bound):
        worst = indices.max() if indices.max() >= bound else indices.min()
        raise InputError(
            f"index {worst} is out of range for an axis of size {bound}",
            where=where,
            hint=f"use indices from 0 to {bound - 1}",
        )


def sum_in_blocks(
    x: Array,
    *,
    axis: int | tuple[int, ...] | None,
    out: Array,
    keepdims: bool = False,
    dtype: npt.DTypeLike | None = None,
) -> None:
    """NumPy's sum; a long one as sums of blocks, so that rounding errors do not add up.

    NumPy adds in pairs where the elements lie side by side, and one after the other elsewhere.
    """
    if x.size > LONG:
        for each in _added_in_turn(x, axis):
            x = _blocks_summed(x, each, dtype)
    np.add.reduce(x, axis=axis, out=out, keepdims=keepdims, dtype=dtype)


def _added_in_turn(x: Array, axis: int | tuple[int, ...] | None) -> Sequence[int]:
    """The axes of a long sum that NumPy does not add in pairs."""
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    in_pairs = x.flags.c_contiguous and tuple(axes) in {tuple(range(x.ndim)), (x.ndim - 1,)}
    return axes if math.prod(x.shape[each] for each in axes) > LONG and not in_pairs else ()


def _blocks_summed(x: Array, axis: int, dtype: npt.DTypeLike | None) -> Array:
    """The axis by sums of blocks of it, and of blocks of these, until there are few."""
    while x.shape[axis] > BLOCK:
        whole, before = x.shape[axis] // BLOCK, (slice(None),) * axis
        blocks = x[(*before, slice(whole * BLOCK))]
        split = blocks.reshape(*x.shape[:axis], whole, BLOCK, *x.shape[axis + 1 :])
        rest = x[(*before, slice(whole * BLOCK, None))]
        sums = np.add.reduce(split, axis=axis + 1, dtype=dtype)
        last = np.add.reduce(rest, axis=axis, keepdims=True, dtype=dtype)
        x = np.concatenate([sums, last], axis) if rest.shape[axis] else sums
    return x


def zero_unless(keep: Array, values: Array) -> None:
    """Write 0 where `keep` is false, in place.

    The bits are multiplied by 0 or 1: exact also for NaN and infinities, which a product of the
    numbers would not be, and quicker than a copy with a mask, which branches at every element.
    """
    bits = values.view(BITS[values.itemsize])
    np.multiply(bits, keep, out=bits)
