"""Numbers that stand for characters, or for pieces of words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from chainc.ir.errors import InputError
from chainc.ir.types import int32
from chainrule.declare.arrays import UnfitError, convert, read


def read_row(function: str, given: npt.ArrayLike) -> NDArray[np.int32]:
    """Whole numbers, one behind the other; the array itself where it is one of int32.

    Raises:
        InputError: it is none.
    """
    try:
        found = read(given)
        tokens = convert(found, int32) if found.size else found  # an empty list holds floats
    except UnfitError as unfit:
        raise InputError(f"{function}: tokens cannot be {unfit.what}", hint=unfit.hint) from None
    if tokens.ndim != 1:
        raise InputError(
            f"{function}: the tokens have the shape {list(tokens.shape)}, and a text is one row",
            hint="give one row after another, such as tokens[0]",
        )
    return np.asarray(tokens, np.int32)


def read_tokens(function: str, given: npt.ArrayLike, size: int) -> NDArray[np.int32]:
    """A row of numbers from 0, below `size`.

    Raises:
        InputError: it is none; the message names the first number that is out of the vocabulary.
    """
    tokens = read_row(function, given)
    strange = np.flatnonzero((tokens < 0) | (tokens >= size))
    if strange.size:
        place = int(strange[0])
        raise InputError(
            f"{function}: the token {tokens[place]} at position {place} is not in the vocabulary "
            f"of {size}",
            hint=f"give numbers from 0 to {size - 1}",
        )
    return tokens
