"""Metrics of classes: confusion, precision, recall and what combines them."""

from __future__ import annotations

from chainc.ir import Node, scope
from chainrule.declare.metrics.counts import (
    averaged,
    check_average,
    counts_of,
    predicted_and_actual,
    table_of,
)

__all__ = [
    "confusion_matrix",
    "f1",
    "f1_macro",
    "f1_micro",
    "f1_weighted",
    "iou",
    "iou_macro",
    "iou_micro",
    "iou_weighted",
    "precision",
    "precision_macro",
    "precision_micro",
    "precision_weighted",
    "recall",
    "recall_macro",
    "recall_micro",
    "recall_weighted",
]


def confusion_matrix(logits: Node, labels: Node) -> Node:
    """How often each class was predicted for each: (classes, classes), rows are the labels.

    Args:
        logits: (..., classes); predicted is the largest, the first of equal ones.
        labels: class numbers from 0, of an integer type, (...).

    Raises:
        DTypeError: the labels are no integers.
        ShapeError: the labels do not fit the logits, or the number of classes is a named size.
    """
    predicted, actual = predicted_and_actual("confusion_matrix", logits, labels)
    with scope("confusion_matrix"):
        return table_of(actual, predicted)


def precision(logits: Node, labels: Node, average: str = "macro") -> Node:
    """Of the rows predicted as a class, the share that is of it.

    Args:
        logits: (..., classes); predicted is the largest, the first of equal ones.
        labels: class numbers from 0, of an integer type, (...).
        average: "macro", the mean over the classes that occur; "weighted", that by their rows;
            "micro", the share of all rows.

    Raises:
        DTypeError: the labels are no integers.
        ShapeError: the labels do not fit the logits, or the number of classes is a named size.
        InputError: there is no such average.
    """
    check_average("precision", average)
    counts = counts_of("precision", logits, labels)
    with scope(f"precision_{average}"):
        return averaged(counts.hits, counts.predicted, counts, average)


def recall(logits: Node, labels: Node, average: str = "macro") -> Node:
    """Of the rows of a class, the share that is predicted as it; arguments as for `precision`."""
    check_average("recall", average)
    counts = counts_of("recall", logits, labels)
    with scope(f"recall_{average}"):
        return averaged(counts.hits, counts.actual, counts, average)


def f1(logits: Node, labels: Node, average: str = "macro") -> Node:
    """The harmonic mean of precision and recall; arguments as for `precision`."""
    check_average("f1", average)
    counts = counts_of("f1", logits, labels)
    with scope(f"f1_{average}"):
        both = counts.predicted + counts.actual
        return averaged(2.0 * counts.hits, both, counts, average)


def iou(logits: Node, labels: Node, average: str = "macro") -> Node:
    """Of the rows of a class or predicted as it, the share that is both (Jaccard's index).

    Arguments as for `precision`.
    """
    check_average("iou", average)
    counts = counts_of("iou", logits, labels)
    with scope(f"iou_{average}"):
        either = counts.predicted + counts.actual - counts.hits
        return averaged(counts.hits, either, counts, average)


def precision_macro(logits: Node, labels: Node) -> Node:
    """`precision`, the mean over the classes that occur."""
    return precision(logits, labels, "macro")


def precision_micro(logits: Node, labels: Node) -> Node:
    """`precision` over all rows, which is the accuracy."""
    return precision(logits, labels, "micro")


def precision_weighted(logits: Node, labels: Node) -> Node:
    """`precision`, the mean over the classes by their rows."""
    return precision(logits, labels, "weighted")


def recall_macro(logits: Node, labels: Node) -> Node:
    """`recall`, the mean over the classes that occur."""
    return recall(logits, labels, "macro")


def recall_micro(logits: Node, labels: Node) -> Node:
    """`recall` over all rows, which is the accuracy."""
    return recall(logits, labels, "micro")


def recall_weighted(logits: Node, labels: Node) -> Node:
    """`recall`, the mean over the classes by their rows, which is the accuracy."""
    return recall(logits, labels, "weighted")


def f1_macro(logits: Node, labels: Node) -> Node:
    """`f1`, the mean over the classes that occur."""
    return f1(logits, labels, "macro")


def f1_micro(logits: Node, labels: Node) -> Node:
    """`f1` over all rows, which is the accuracy."""
    return f1(logits, labels, "micro")


def f1_weighted(logits: Node, labels: Node) -> Node:
    """`f1`, the mean over the classes by their rows."""
    return f1(logits, labels, "weighted")


def iou_macro(logits: Node, labels: Node) -> Node:
    """`iou`, the mean over the classes that occur."""
    return iou(logits, labels, "macro")


def iou_micro(logits: Node, labels: Node) -> Node:
    """`iou` over all rows."""
    return iou(logits, labels, "micro")


def iou_weighted(logits: Node, labels: Node) -> Node:
    """`iou`, the mean over the classes by their rows."""
    return iou(logits, labels, "weighted")
