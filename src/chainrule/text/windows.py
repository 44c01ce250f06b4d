"""Training data out of one long text: pieces of it, and the same a token further."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from chainc.ir.errors import InputError
from chainrule.declare.arguments import count

Tokens = NDArray[np.int32]
Pieces = dict[str, Tokens]  # by the names of the inputs: "x", and "y" a token further


def windows(tokens: Tokens, length: int, stride: int | None = None) -> Pieces:
    """Pieces that may overlap, as views of the tokens: none is copied.

    Raises:
        InputError: a number is not positive, or the text is shorter than one piece.
    """
    size = count("windows", "length", length, hint="give the tokens of a piece, such as 64")
    step = size if stride is None else stride
    count("windows", "stride", step, hint="give how far the next piece begins, such as 32")
    _check_room("windows", tokens, 1, size)
    pieces = sliding_window_view(tokens, size)
    return {"x": pieces[:-1:step], "y": pieces[1::step]}


def streams(tokens: Tokens, batch: int, length: int) -> Pieces:
    """The text in `batch` streams that lie side by side: each row goes on `batch` rows later.

    Raises:
        InputError: a number is not positive, or the text is shorter than one batch.
    """
    rows = count("streams", "batch", batch, hint="give the rows of a batch, such as 32")
    size = count("streams", "length", length, hint="give the tokens of a row, such as 64")
    _check_room("streams", tokens, rows, size)
    whole = (len(tokens) - 1) // rows
    starts = np.add.outer(np.arange(0, whole - size + 1, size), whole * np.arange(rows)).ravel()
    pieces = sliding_window_view(tokens, size)
    return {"x": pieces[starts], "y": pieces[starts + 1]}


def _check_room(function: str, tokens: Tokens, rows: int, length: int) -> None:
    if len(tokens) <= rows * length:
        needed = f"{rows * length:,} tokens and the one behind them"
        raise InputError(
            f"{function}: the text has {len(tokens):,} tokens, and one "
            f"{'piece' if rows == 1 else 'batch'} takes {needed}",
            hint="give a longer text, or a smaller length",
        )
