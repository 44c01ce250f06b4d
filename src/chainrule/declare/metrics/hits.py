"""How often a prediction hits: means over the rows."""

from __future__ import annotations

from chainc.ir import Node, scope
from chainc.ir.errors import InputError
from chainc.ops import (
    arange,
    argmax,
    astype,
    equal,
    expand_dims,
    less,
    less_equal,
    logical_not,
    mean,
    pick,
    sum,
    where,
)
from chainrule.declare.arguments import count
from chainrule.declare.losses.checks import check_alike, check_labels
from chainrule.declare.metrics.counts import classes_of

__all__ = ["accuracy", "binary_accuracy", "top_k"]


def accuracy(logits: Node, labels: Node) -> Node:
    """The share of rows whose largest logit, the first of equal ones, is at the label.

    Args:
        logits: (..., classes).
        labels: class numbers from 0, of an integer type, (...).

    Raises:
        DTypeError: the labels are no integers.
        ShapeError: the labels do not have the shape of the logits without its last axis.
    """
    check_labels("accuracy", logits, labels)
    with scope("accuracy"):
        hits = equal(argmax(logits, axis=-1), astype(labels, "int64"))
        return mean(astype(hits, "float32"))


def top_k(logits: Node, labels: Node, k: int = 5) -> Node:
    """The share of rows whose label is among the k largest logits, the first of equal ones.

    Args:
        logits: (..., classes).
        labels: class numbers from 0, of an integer type, (...).
        k: at most the number of classes; with 1 it is the accuracy.

    Raises:
        DTypeError: the labels are no integers.
        ShapeError: the labels do not have the shape of the logits without its last axis, or the
            number of classes is a named size.
        InputError: k is no whole number from 1 to the number of classes.
    """
    classes = classes_of("top_k", logits, labels)
    if count("top_k", "k", k, hint="give how many of the largest logits count: k=5") > classes:
        raise InputError(
            f"top_k: k={k} of {classes} classes: every row would hit",
            hint=f"give k={classes - 1} or less",
        )
    with scope("top_k"):
        own = expand_dims(pick(logits, labels), -1)
        earlier = less(arange(classes), expand_dims(astype(labels, "int64"), -1))
        # written so that NaN is before every number, and a label's own NaN hits nothing
        before = where(
            earlier, logical_not(less(logits, own)), logical_not(less_equal(logits, own))
        )
        rank = sum(astype(before, "float32"), axis=-1)
        return mean(astype(less(rank, float(k)), "float32"))


def binary_accuracy(logits: Node, targets: Node) -> Node:
    """The share of elements where logit > 0 and target > 1/2 agree.

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: the shapes differ.
    """
    check_alike("binary_accuracy", "logits", logits, targets)
    with scope("binary_accuracy"):
        hits = equal(less(0.0, logits), less(0.5, targets))
        return mean(astype(hits, "float32"))
