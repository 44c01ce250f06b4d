"""Hinge losses: nothing to gain once the right class leads by a margin."""

from __future__ import annotations

from chainc.ir import Node, scope
from chainc.ops import astype, expand_dims, less, one_hot, pick, relu, sum, where
from chainrule.declare.arguments import number
from chainrule.declare.losses.checks import (
    check_alike,
    check_labels,
    check_reduction,
    known_classes,
)
from chainrule.declare.losses.weighting import Elements, Weights, both, reduced, times

__all__ = ["binary_hinge", "hinge"]


def hinge(
    scores: Node,
    labels: Node,
    margin: float = 1.0,
    *,
    weights: Weights = None,
    reduction: str = "mean",
) -> Node:
    """The mean over rows of Σ max(0, margin + s[j] - s[label]) / K, j the K - 1 other classes.

    The support vector machine of several classes (Weston and Watkins 1999), divided by the number
    of classes K as in PyTorch's multi_margin_loss.

    Args:
        scores: floating-point (..., classes).
        labels: class numbers from 0, of an integer type, (...).
        margin: by how much the label's score shall lead.
        weights: of classes, a list or an array (classes,); or of rows, a node. The mean is
            Σ w l / Σ w, w the weight of the label, where PyTorch divides by the number of rows.
        reduction: "mean", "sum" over the rows, or "none" for the loss of each.

    Raises:
        DTypeError: the scores are not floating-point, or the labels no integers.
        ShapeError: the labels do not have the shape of the scores without its last axis, the
            number of classes is a named size, or the weights do not fit.
        InputError: the reduction is unknown, or the margin is not positive.
    """
    check_reduction("hinge", reduction)
    lead = _margin("hinge", margin)
    check_labels("hinge", scores, labels)
    classes = known_classes("hinge", scores, labels)
    rows = scores.type.with_shape(labels.shape)
    weighting = Elements("hinge", rows, classes).weighting(weights)
    with scope("hinge"):
        behind = lead + (scores - expand_dims(pick(scores, labels), -1))
        here = less(0.0, one_hot(labels, classes, scores.type.dtype))
        losses = sum(where(here, 0.0, relu(behind)), axis=-1) / float(classes)
        each = both(weighting.rows, weighting.by_label(labels))
        return reduced(times(each, losses), each, reduction)


def binary_hinge(
    scores: Node,
    targets: Node,
    margin: float = 1.0,
    *,
    weights: Weights = None,
    reduction: str = "mean",
) -> Node:
    """The mean of max(0, margin - t s), t = 1 where the target is above 1/2, else -1.

    So targets may be 0 and 1, or -1 and 1 (Cortes and Vapnik 1995).

    Args:
        scores: floating-point, any shape.
        targets: of the same shape and kind.
        margin: how far from 0 a score shall be on its own side.
        weights: of the classes, [w₀, w₁]; or of each row, a node. The mean is Σ w l / Σ w.
        reduction: "mean", "sum", or "none" for the loss of each element.

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: the shapes differ, or the weights do not fit.
        InputError: the reduction is unknown, or the margin is not positive.
    """
    check_reduction("binary_hinge", reduction)
    lead = _margin("binary_hinge", margin)
    check_alike("binary_hinge", "scores", scores, targets)
    weighting = Elements("binary_hinge", scores.type, 2).weighting(weights)
    with scope("binary_hinge"):
        positive = less(0.5, targets)
        losses = relu(lead - where(positive, scores, -scores))
        each = both(weighting.rows, weighting.by_target(astype(positive, targets.type.dtype)))
        return reduced(times(each, losses), each, reduction)


def _margin(function: str, margin: object) -> float:
    return number(function, "margin", margin, above=0, hint="give margin=1")
