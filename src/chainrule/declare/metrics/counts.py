"""What the metrics of classes count: sums over the rows, and nothing else of a batch."""

from __future__ import annotations

import string
from typing import NamedTuple

from chainc.ir import Node
from chainc.ir.errors import InputError, ShapeError
from chainc.ops import argmax, astype, einsum, less, less_equal, one_hot, sum, where
from chainrule.declare.arguments import is_one_of
from chainrule.declare.losses.checks import check_labels

AVERAGES = ("macro", "micro", "weighted")


class Counts(NamedTuple):
    """Of each class: the rows of it that were predicted, all predicted ones, all there are."""

    hits: Node
    predicted: Node
    actual: Node


def classes_of(function: str, logits: Node, labels: Node) -> int:
    """How many there are.

    Raises:
        DTypeError: the labels are no integers.
        ShapeError: the labels do not fit the logits, or the number of classes is a named size.
    """
    check_labels(function, logits, labels)
    classes = logits.shape[-1]
    if not isinstance(classes, int):
        raise ShapeError(
            f"{function}: the number of classes is the named size {classes}",
            hint="give the last axis of the logits a known size",
        )
    return classes


def predicted_and_actual(function: str, logits: Node, labels: Node) -> tuple[Node, Node]:
    """A row of zeros with a single 1 for each row: at its largest logit, and at its label."""
    classes = classes_of(function, logits, labels)
    return one_hot(argmax(logits, axis=-1), classes), one_hot(labels, classes)


def counts_of(function: str, logits: Node, labels: Node) -> Counts:
    """Those of each class."""
    predicted, actual = predicted_and_actual(function, logits, labels)
    return Counts(over_rows(predicted * actual), over_rows(predicted), over_rows(actual))


def over_rows(values: Node) -> Node:
    """Their sum over all axes but the last."""
    return sum(values, axis=tuple(range(values.ndim - 1)))


def table_of(rows: Node, columns: Node) -> Node:
    """Σ row · columnᵀ: of one-hot rows, how often each pair of positions occurs together."""
    leading = string.ascii_uppercase[: rows.ndim - 1]
    return einsum(f"{leading}r,{leading}c->rc", rows, columns)


def ratio(part: Node, whole: Node) -> Node:
    """Part / whole, 0 where there is no whole."""
    nothing = less_equal(whole, 0.0)
    return where(nothing, 0.0, part / where(nothing, 1.0, whole))


def check_average(function: str, average: object) -> None:
    if not is_one_of(average, AVERAGES):
        raise InputError(
            f"{function}: there is no average {average!r}",
            hint='give average="macro" for the mean over classes, "weighted" for that by their '
            'rows, or "micro" for the quotient over all rows',
        )


def averaged(part: Node, whole: Node, counts: Counts, average: str) -> Node:
    """Part / whole of each class as one number.

    The macro average is over the classes that were predicted or are there, as in scikit-learn.
    """
    if average == "micro":
        return ratio(sum(part), sum(whole))
    quotients = ratio(part, whole)
    if average == "weighted":
        return ratio(sum(quotients * counts.actual), sum(counts.actual))
    occurring = astype(less(0.0, counts.predicted + counts.actual), "float32")
    return ratio(sum(quotients), sum(occurring))
