"""Training data out of one long text: pieces of it, and the same a token further."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from chainc.ir.errors import InputError
from chainrule.declare.arguments import count
from chainrule.text.tokens import read_row

Tokens = NDArray[np.int32]
Pieces = dict[str, Tokens]  # by the names of the inputs: "x", and "y" a token further


def windows(tokens: npt.ArrayLike, length: int, stride: int | None = None) -> Pieces:
    """Data for the inputs x and y, (rows, length): pieces of a text, and the same a token further.

    Args:
        tokens: the text, such as `BytePairs.encode` gives it. The pieces are views of an array of
            int32: none is copied.
        length: of each piece.
        stride: from the beginning of one to that of the next; by default the length.

    Raises:
        InputError: the tokens are no row of whole numbers, a number is not positive, or the text
            is shorter than one piece.
    """
    size = count("windows", "length", length, hint="give the tokens of a piece, such as 64")
    step = size if stride is None else stride
    count("windows", "stride", step, hint="give how far the next piece begins, such as 32")
    text = read_row("windows", tokens)
    _check_room("windows", text, 1, size)
    pieces = sliding_window_view(text, size)
    return {"x": pieces[:-1:step], "y": pieces[1::step]}


def streams(tokens: npt.ArrayLike, batch: int, length: int) -> Pieces:
    """The same for layers that remember from batch to batch: row i goes on in row i + batch.

    The text is cut into as many streams as a batch has rows, and each step takes the next piece of
    every one: for trainings of this `batch_size`, without `shuffle`.

    Args:
        tokens: the text.
        batch: rows of a step.
        length: of each piece.

    Raises:
        InputError: the tokens are no row of whole numbers, a number is not positive, or the text
            is shorter than one batch.
    """
    rows = count("streams", "batch", batch, hint="give the rows of a batch, such as 32")
    size = count("streams", "length", length, hint="give the tokens of a row, such as 64")
    text = read_row("streams", tokens)
    _check_room("streams", text, rows, size)
    whole = (len(text) - 1) // rows
    starts = np.add.outer(np.arange(0, whole - size + 1, size), whole * np.arange(rows)).ravel()
    pieces = sliding_window_view(text, size)
    return {"x": pieces[starts], "y": pieces[starts + 1]}


def _check_room(function: str, tokens: Tokens, rows: int, length: int) -> None:
    if len(tokens) <= rows * length:
        needed = f"{rows * length:,} tokens and the one behind them"
        raise InputError(
            f"{function}: the text has {len(tokens):,} tokens, and one "
            f"{'piece' if rows == 1 else 'batch'} takes {needed}",
            hint="give a longer text, or a smaller length",
        )
