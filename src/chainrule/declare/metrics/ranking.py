"""How well scores rank positives before negatives, at all thresholds together."""

from __future__ import annotations

from chainc.ir import Node, scope
from chainc.ops import (
    astype,
    concat,
    equal,
    expand_dims,
    flip,
    less,
    less_equal,
    reshape,
    stack,
    sum,
    where,
)
from chainc.ops.movement import as_flag
from chainrule.declare.arguments import count
from chainrule.declare.metrics.counts import ratio
from chainrule.declare.metrics.histogram import Histogram, histogram, zero_or_nan
from chainrule.declare.metrics.two_classes import is_positive

__all__ = ["auc", "average_precision", "roc"]

BINS = 1024


def auc(score: Node, targets: Node, bins: int = BINS, exact: bool = False) -> Node:
    """The area under the ROC curve: the share of pairs of a positive and a negative ranked right.

    A pair of equal scores counts half, and so does one whose scores share a bin: the error is at
    most half the share of these pairs. Scores do not share one that differ by 2 (1 + |x|)² / bins,
    x the larger in size. NaN where there are no positives, no negatives, or a score is NaN.

    Args:
        score: floating-point, any shape: larger for positives, such as a logit or a probability.
        targets: of the same shape; positive above 1/2, or True.
        bins: of equal width in x / (1 + |x|).
        exact: compare all pairs instead, of all rows at once, which takes memory for each pair.

    Raises:
        DTypeError: the scores are not floating-point.
        ShapeError: the shapes differ.
        InputError: the number of bins is none of 2 or more.
    """
    positive = is_positive("auc", "scores", score, targets)
    _check_bins("auc", bins)
    with scope("auc"):
        if as_flag("auc", "exact", exact):
            return astype(_exact_auc(_flat(score), _flat(positive)), "float32")
        positives, negatives = _histograms(score, positive, bins)
        right = sum(positives.counts * (negatives.below + 0.5 * negatives.counts))
        return astype(right / (positives.total * negatives.total), "float32")


def average_precision(score: Node, targets: Node, bins: int = BINS, exact: bool = False) -> Node:
    """The mean, over the positives, of the precision among the scores that are as large or larger.

    Scores that share a bin count as equal: the error is at most the share of the positives whose
    bin holds a negative. 0 where there are no positives; NaN where a score is NaN.
    Arguments as for `auc`.
    """
    positive = is_positive("average_precision", "scores", score, targets)
    _check_bins("average_precision", bins)
    with scope("average_precision"):
        if as_flag("average_precision", "exact", exact):
            return astype(_exact_average_precision(_flat(score), _flat(positive)), "float32")
        positives, negatives = _histograms(score, positive, bins)
        as_large = positives.total - positives.below  # positives from each bin upwards
        precise = ratio(as_large, as_large + negatives.total - negatives.below)
        return astype(ratio(sum(positives.counts * precise), positives.total), "float32")


def roc(score: Node, targets: Node, bins: int = BINS) -> Node:
    """The ROC curve: (bins + 1, 2), false- and true-positive rates, from (0, 0) to (1, 1).

    Point i is of the threshold at which the i upper bins are predicted positive; bins as for
    `auc`, which is the area under these points. NaN as there.

    Raises:
        DTypeError: the scores are not floating-point.
        ShapeError: the shapes differ.
        InputError: the number of bins is none of 2 or more.
    """
    positive = is_positive("roc", "scores", score, targets)
    _check_bins("roc", bins)
    with scope("roc"):
        positives, negatives = _histograms(score, positive, bins)
        return astype(stack([_rates(negatives), _rates(positives)], axis=1), "float32")


def _histograms(score: Node, positive: Node, bins: int) -> tuple[Histogram, Histogram]:
    return histogram(score, positive, bins), histogram(score, 1.0 - positive, bins)


def _rates(found: Histogram) -> Node:
    """Of all, the share in the upper bins: in none of them, in one, …, in all."""
    below = concat([found.below, reshape(found.total, (1,))])
    return flip(found.total - below) / found.total


def _exact_auc(score: Node, positive: Node) -> Node:
    one, other = expand_dims(score, 1), score  # [i, j] of score i and score j
    won = where(less(other, one), 1.0, where(equal(other, one), 0.5, 0.0))
    negative = 1.0 - positive
    wins = astype(won @ negative, "float64") * astype(positive, "float64")
    pairs = astype(sum(positive), "float64") * astype(sum(negative), "float64")
    return (sum(wins) + astype(zero_or_nan(score), "float64")) / pairs


def _exact_average_precision(score: Node, positive: Node) -> Node:
    one, other = expand_dims(score, 1), score
    as_large = astype(less_equal(one, other), "float32")
    hits = as_large @ positive
    precise = sum(ratio(hits, sum(as_large, axis=1)) * positive)
    return ratio(precise, sum(positive)) + zero_or_nan(score)


def _flat(values: Node) -> Node:
    return values if values.ndim == 1 else reshape(values, (-1,))


def _check_bins(function: str, bins: object) -> None:
    count(function, "bins", bins, at_least=2, hint=f"give a number such as {BINS}")
