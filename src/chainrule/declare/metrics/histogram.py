"""Scores in bins: a histogram whose sums are over rows, whatever the range of the scores is."""

from __future__ import annotations

import math
from typing import NamedTuple

from chainc.ir import Node
from chainc.ops import (
    abs,
    arange,
    astype,
    equal,
    expand_dims,
    floor,
    less,
    minimum,
    reciprocal,
    reshape,
    sum,
    where,
)
from chainrule.declare.metrics.counts import table_of


class Histogram(NamedTuple):
    """How many scores lie in each bin, in all bins below it, and altogether: float64."""

    counts: Node  # (bins,)
    below: Node  # (bins,)
    total: Node


def histogram(score: Node, counted: Node, bins: int) -> Histogram:
    """Of the scores where `counted` is 1; bins are of equal width in x / (1 + |x|).

    A bin is a cell of a square table: its row and its column, one-hot, are much shorter than the
    bin would be, the table is their product, and sums over the bins below are products, too.
    """
    side = math.isqrt(bins - 1) + 1
    number = bin_number(score, bins)
    row = floor(number / side)
    column = number - side * row
    rows = _one_hot(row, side) * expand_dims(counted, -1)
    table = astype(table_of(rows, _one_hot(column, side)), "float64")
    table = table + astype(zero_or_nan(score), "float64")
    counts, below = (reshape(t, (side * side,))[:bins] for t in (table, _before(table, side)))
    return Histogram(counts, below, sum(table))


def bin_number(score: Node, bins: int) -> Node:
    """In which bin each score lies: larger ones never in a smaller one. NaN for NaN."""
    small = reciprocal(1.0 + abs(score))
    place = where(less(score, 0.0), small, 2.0 - small)  # from 0 to 2
    return minimum(floor(place * (bins / 2)), bins - 1.0)


def zero_or_nan(score: Node) -> Node:
    """NaN if one of the scores is, else 0."""
    return 0.0 * sum(reciprocal(1.0 + abs(score)))


def _one_hot(number: Node, depth: int) -> Node:
    """As `one_hot`, but a row of zeros for NaN."""
    places = arange(depth, number.type.dtype)
    return astype(equal(expand_dims(number, -1), places), "float32")


def _before(table: Node, side: int) -> Node:
    """The sum of all cells before each one, row by row."""
    place = arange(side)
    before = astype(less(expand_dims(place, 1), place), "float64")  # [i, j] for i before j
    rows_before = before.T @ sum(table, axis=1)
    return table @ before + expand_dims(rows_before, 1)
