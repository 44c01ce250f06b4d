"""Numbers that stand for characters, or for pieces of words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from chainc.ir.errors import InputError
from chainc.ir.types import int64
from chainrule.declare.arrays import UnfitError, convert, read


def read_tokens(function: str, given: npt.ArrayLike, size: int) -> NDArray[np.int64]:
    """A row of numbers from 0, below `size`.

    Raises:
        InputError: it is none; the message names the first number that is out of the vocabulary.
    """
    try:
        found = read(given)
        tokens = convert(found, int64) if found.size else found  # an empty list holds floats
    except UnfitError as unfit:
        raise InputError(f"{function}: tokens cannot be {unfit.what}", hint=unfit.hint) from None
    if tokens.ndim != 1:
        raise InputError(
            f"{function}: the tokens have the shape {list(tokens.shape)}, and a text is one row",
            hint="give one row after another, such as decode(tokens[0])",
        )
    whole: NDArray[np.int64] = np.asarray(tokens, np.int64)
    strange = np.flatnonzero((whole < 0) | (whole >= size))
    if strange.size:
        place = int(strange[0])
        raise InputError(
            f"{function}: the token {whole[place]} at position {place} is not in the vocabulary "
            f"of {size}",
            hint=f"give numbers from 0 to {size - 1}",
        )
    return whole
