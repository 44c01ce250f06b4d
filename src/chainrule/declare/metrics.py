"""Metrics: scalars to watch, float32, the mean over their elements. No derivative is meant."""

from __future__ import annotations

from chainc.ir import Node, scope
from chainc.ops import abs, argmax, astype, equal, less, mean, square
from chainrule.declare import losses

__all__ = ["accuracy", "binary_accuracy", "mean_absolute_error", "mean_squared_error"]


def __dir__() -> list[str]:
    return list(__all__)


def accuracy(logits: Node, labels: Node) -> Node:
    """The share of rows whose largest logit, the first of equal ones, is at the label.

    Args:
        logits: (..., classes).
        labels: class numbers from 0, of an integer type, (...).

    Raises:
        DTypeError: the labels are no integers.
        ShapeError: the labels do not have the shape of the logits without its last axis.
    """
    losses.check_labels("accuracy", logits, labels)
    with scope("accuracy"):
        hits = equal(argmax(logits, axis=-1), astype(labels, "int64"))
        return mean(astype(hits, "float32"))


def binary_accuracy(logits: Node, targets: Node) -> Node:
    """The share of elements where logit > 0 and target > 1/2 agree.

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: the shapes differ.
    """
    losses.check_alike("binary_accuracy", "logits", logits, targets)
    with scope("binary_accuracy"):
        hits = equal(less(0.0, logits), less(0.5, targets))
        return mean(astype(hits, "float32"))


def mean_squared_error(predictions: Node, targets: Node) -> Node:
    """The mean of (prediction - target)².

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: the shapes differ.
    """
    losses.check_alike("mean_squared_error", "predictions", predictions, targets)
    with scope("mean_squared_error"):
        return astype(mean(square(predictions - targets)), "float32")


def mean_absolute_error(predictions: Node, targets: Node) -> Node:
    """The mean of |prediction - target|.

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: the shapes differ.
    """
    losses.check_alike("mean_absolute_error", "predictions", predictions, targets)
    with scope("mean_absolute_error"):
        return astype(mean(abs(predictions - targets)), "float32")
