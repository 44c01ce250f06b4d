"""Rows to learn from, and rows held out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainrule.declare.arguments import count, number
from chainrule.fitting.parts import Parts, rows_in

Rows = npt.NDArray[np.int64]
Chosen = Rows | slice


def held_out(y: Parts[Array], share: object, seed: int, *, in_order: bool) -> tuple[Chosen, Chosen]:
    """Rows to train on, and the others: drawn, with each class in the same share.

    Args:
        y: the targets; a single array of labels tells the classes.
        share: to hold out.
        seed: of what is drawn.
        in_order: hold out the last rows, so that no array has to be copied.

    Raises:
        InputError: a share leaves no row on one of the sides.
    """
    hint = "give a share such as validation=0.2, or rows of your own: validation=(x, y)"
    part = number("fit", "validation", share, above=0, below=1, hint=hint)
    rows = rows_in(y)
    kept_out = round(part * rows)
    if not 0 < kept_out < rows:
        side = "to validate on" if kept_out == 0 else "to train on"
        raise InputError(
            f"fit: validation={share} of {rows} rows leaves none {side}",
            hint=f"hold out a share from {1 / rows:.2g} to {1 - 1 / rows:.2g}, or give more rows",
        )
    if in_order:
        return slice(0, rows - kept_out), slice(rows - kept_out, rows)
    order = _dealt(y, seed)
    places = np.floor(np.arange(rows) * kept_out / rows)  # a step where one is taken
    taken = np.diff(places, append=kept_out) > 0
    return np.sort(order[~taken]), np.sort(order[taken])


def folds_of(y: Parts[Array], folds: object, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """Rows to train on and rows to test on, a pair for each fold; each row is tested once.

    Raises:
        InputError: there are fewer than two folds, or fewer rows than folds.
    """
    wanted = count("cross_validate", "folds", folds, at_least=2, hint="give a number such as 5")
    rows = rows_in(y)
    if rows < wanted:
        raise InputError(
            f"cross_validate: {rows} rows make no {wanted} folds", hint=f"give folds={rows} or less"
        )
    order = _dealt(y, seed)
    for fold in range(wanted):
        tested = np.arange(rows) % wanted == fold
        yield np.sort(order[~tested]), np.sort(order[tested])


def _dealt(y: Parts[Array], seed: int) -> Rows:
    """All rows in a drawn order, class after class, so that every k-th is of each in its share."""
    drawn = np.random.default_rng(seed).permutation(rows_in(y))
    labels = _labels(y)
    return drawn if labels is None else drawn[np.argsort(labels[drawn], kind="stable")]


def _labels(y: Parts[Array]) -> Array | None:
    """Of a single array of whole numbers, one a row."""
    if y.form != "one":
        return None
    (array,) = y.by_name.values()
    return array if array.ndim == 1 and array.dtype.kind in "iub" else None
