"""Metrics of two classes, from one logit: predicted is the class whose logit is above 0."""

from __future__ import annotations

from chainc.ir import Node, scope
from chainc.ops import astype, less, sum
from chainrule.declare.losses.checks import check_alike
from chainrule.declare.metrics.counts import Counts, ratio

__all__ = ["binary_f1", "binary_iou", "binary_precision", "binary_recall"]


def binary_precision(logits: Node, targets: Node) -> Node:
    """Of the elements with logit > 0, the share whose target is positive.

    Args:
        logits: floating-point, any shape; all elements count alike.
        targets: of the same shape; positive above 1/2, or True.

    Raises:
        DTypeError: the logits are not floating-point.
        ShapeError: the shapes differ.
    """
    counts = _counts("binary_precision", logits, targets)
    with scope("binary_precision"):
        return ratio(counts.hits, counts.predicted)


def binary_recall(logits: Node, targets: Node) -> Node:
    """Of the positive elements, the share with logit > 0; arguments as for `binary_precision`."""
    counts = _counts("binary_recall", logits, targets)
    with scope("binary_recall"):
        return ratio(counts.hits, counts.actual)


def binary_f1(logits: Node, targets: Node) -> Node:
    """The harmonic mean of `binary_precision` and `binary_recall`; arguments as for these."""
    counts = _counts("binary_f1", logits, targets)
    with scope("binary_f1"):
        return ratio(2.0 * counts.hits, counts.predicted + counts.actual)


def binary_iou(logits: Node, targets: Node) -> Node:
    """Of the elements that are or are predicted positive, the share that is both.

    Arguments as for `binary_precision`.
    """
    counts = _counts("binary_iou", logits, targets)
    with scope("binary_iou"):
        return ratio(counts.hits, counts.predicted + counts.actual - counts.hits)


def _counts(function: str, logits: Node, targets: Node) -> Counts:
    actual = is_positive(function, "logits", logits, targets)
    predicted = astype(less(0.0, logits), "float32")
    return Counts(sum(predicted * actual), sum(predicted), sum(actual))


def is_positive(function: str, name: str, given: Node, targets: Node) -> Node:
    """1 where the target is positive, else 0.

    Raises:
        DTypeError: what is given is not floating-point.
        ShapeError: the shapes differ.
    """
    numbers = astype(targets, "float32")
    check_alike(function, name, given, numbers)
    return astype(less(0.5, numbers), "float32")
