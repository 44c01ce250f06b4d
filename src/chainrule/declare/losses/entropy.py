"""Losses of probabilities, each computed from logits.

A logit is a score before the softmax or the sigmoid. From logits a loss stays finite, and so does
its gradient, where a probability would round to 0 or 1.
"""

from __future__ import annotations

import math

import numpy as np

from chainc.ir import Node, scope
from chainc.ir.errors import InputError, ShapeError
from chainc.ir.leaves import constant
from chainc.ir.types import format_shape
from chainc.ops import (
    equal,
    exp,
    expand_dims,
    log,
    logical_and,
    not_equal,
    pick,
    softplus,
    sum,
    take,
    where,
)
from chainc.ops.movement import whole
from chainc.ops.reduce import largest_exponent
from chainrule.declare.losses.checks import (
    check_alike,
    check_labels,
    check_reduction,
    known_classes,
    smoothing_of,
)
from chainrule.declare.losses.weighting import Elements, Weights, both, reduced, times

__all__ = ["binary_cross_entropy", "cross_entropy", "kl_divergence"]


def cross_entropy(
    logits: Node,
    labels: Node,
    *,
    weights: Weights = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
) -> Node:
    """The mean of -ln softmax(logits)[label], as ln Σ e^z - z[label], z less the largest of them.

    A logit of -∞ is a class that cannot be; it counts nowhere, unless it is the label's. With
    probabilities t instead of labels it is the mean of -Σ t ln softmax(logits).

    Args:
        logits: floating-point (..., classes).
        labels: class numbers from 0, of an integer type, (...); or probabilities of the classes,
            floating-point (..., classes).
        weights: how much each class counts, a list or an array (classes,); or each row, a node.
            The mean is Σ w l / Σ w, w the weight of the label, as in PyTorch. It is so for
            probabilities too, each class by its own, where PyTorch divides by the rows.
        reduction: "mean", "sum" over the rows, or "none" for the loss of each.
        label_smoothing: the share ε of the target that all classes divide: (1 - ε) one-hot + ε/K
            (Szegedy et al. 2016). As in PyTorch.
        ignore_index: a label whose rows do not count. Where none counts the mean is 0; it is NaN
            in PyTorch.

    Raises:
        DTypeError: the logits are not floating-point, or the labels no integers.
        ShapeError: the labels do not have the shape of the logits without its last axis, the
            number of classes is a named size, or the weights do not fit.
        InputError: the reduction is unknown, or a number cannot be used.
    """
    check_reduction("cross_entropy", reduction)
    smoothing = smoothing_of("cross_entropy", label_smoothing)
    if _are_probabilities(logits, labels):
        if ignore_index is not None:
            raise InputError(
                "cross_entropy: ignore_index is for labels, and these are probabilities",
                hint="give such rows the weight 0: weights=cr.input(...), one a row",
            )
        return _of_probabilities(logits, labels, weights, reduction, smoothing)
    check_labels("cross_entropy", logits, labels)
    classes = known_classes("cross_entropy", logits, labels)
    given = Elements("cross_entropy", logits.type.with_shape(labels.shape), classes)
    weighting = given.weighting(weights)
    ignored = _ignored("cross_entropy", labels, ignore_index)
    with scope("cross_entropy"):
        counts = None if ignored is None else not_equal(labels, ignored)
        known = labels if counts is None else where(counts, labels, 0)
        losses = _of_labels(logits, known, weighting.classes, smoothing, classes)
        own = weighting.by_label(known)
        if counts is not None:
            losses = where(counts, losses, 0.0)  # a row that does not count may hold anything
            own = where(counts, constant(1.0, logits.type.dtype) if own is None else own, 0.0)
        return reduced(times(weighting.rows, losses), both(weighting.rows, own), reduction)


def _of_labels(
    logits: Node, labels: Node, weights: Node | None, smoothing: float, classes: int
) -> Node:
    """The loss of each row, times its class's weight."""
    z, total = _shifted(logits)
    losses = total - pick(z, labels)
    if weights is not None:
        losses = take(weights, labels) * losses
    if not smoothing:
        return losses
    log_p = z - expand_dims(total, -1)
    all = sum(log_p, axis=-1) if weights is None else _expected(weights, log_p)
    return (1.0 - smoothing) * losses - (smoothing / classes) * all


def _of_probabilities(
    logits: Node, targets: Node, weights: Weights, reduction: str, smoothing: float
) -> Node:
    classes = known_classes("cross_entropy", logits, targets)
    rows = logits.type.with_shape(logits.shape[:-1])
    weighting = Elements("cross_entropy", rows, classes).weighting(weights)
    with scope("cross_entropy"):
        z, total = _shifted(logits)
        if smoothing:
            targets = (1.0 - smoothing) * targets + smoothing / classes
        own = None
        if weighting.classes is not None:
            targets = weighting.classes * targets
            own = sum(targets, axis=-1)
        losses = -_expected(targets, z - expand_dims(total, -1))
        return reduced(times(weighting.rows, losses), both(weighting.rows, own), reduction)


def _shifted(logits: Node) -> tuple[Node, Node]:
    """The logits less the largest, and the logarithm of the sum of their exponentials.

    exp(z - max) and its sum serve the loss and its gradient, softmax - one_hot, alike.
    """
    z = logits - largest_exponent(logits, axis=-1)
    return z, log(sum(exp(z), axis=-1))


def _expected(shares: Node, log_p: Node) -> Node:
    """Σ t ln p of each row."""
    return sum(shares * _where_possible(shares, log_p), axis=-1)


def _where_possible(shares: Node, log_p: Node) -> Node:
    """The logarithms, but 0 for a class that cannot be and has no share: 0 · -∞ is no number."""
    impossible = logical_and(equal(shares, 0.0), equal(log_p, -math.inf))
    return where(impossible, 0.0, log_p)


def _are_probabilities(logits: object, labels: object) -> bool:
    if not isinstance(logits, Node) or not isinstance(labels, Node):
        return False
    alike = labels.shape == logits.shape and labels.ndim > 0
    return alike and labels.type.dtype.is_float and logits.type.dtype.is_float


def _ignored(function: str, labels: Node, ignore_index: object) -> int | None:
    if ignore_index is None:
        return None
    limits = np.iinfo(labels.type.dtype.name)
    index = None if isinstance(ignore_index, bool) else whole(ignore_index)
    if index is None or not limits.min <= index <= limits.max:
        raise InputError(
            f"{function}: ignore_index must be a whole number of the labels' type, "
            f"{labels.type.dtype.name}, got {ignore_index!r}",
            hint="give the label of rows that do not count, such as ignore_index=-100",
        )
    return index


def binary_cross_entropy(
    logits: Node,
    targets: Node,
    *,
    weights: Weights = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Node:
    """The mean of -t ln σ(z) - (1 - t) ln(1 - σ(z)), as softplus(z) - z t.

    Args:
        logits: floating-point, any shape.
        targets: probabilities from 0 to 1, of the same shape and kind.
        weights: of the classes, [w₀, w₁]: the loss is -w₁ t ln σ(z) - w₀ (1 - t) ln(1 - σ(z));
            PyTorch's pos_weight is [1, w₁]. Or of each row, a node. The mean is divided by
            Σ w₁ t + w₀ (1 - t), where PyTorch divides by the number of elements.
        reduction: "mean", "sum", or "none" for the loss of each element.
        label_smoothing: ε of the targets (1 - ε) t + ε / 2, as in Keras.

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: the shapes differ, or the weights do not fit.
        InputError: the reduction is unknown, or a number cannot be used.
    """
    name = "binary_cross_entropy"
    check_reduction(name, reduction)
    smoothing = smoothing_of(name, label_smoothing)
    check_alike(name, "logits", logits, targets)
    weighting = Elements(name, logits.type, 2).weighting(weights)
    with scope(name):
        if smoothing:
            targets = (1.0 - smoothing) * targets + smoothing / 2
        if weighting.classes is None:
            losses, own = softplus(logits) - logits * targets, None
        else:
            zero = weighting.classes[0] * (1.0 - targets)
            one = weighting.classes[1] * targets
            losses, own = one * softplus(-logits) + zero * softplus(logits), one + zero
        return reduced(times(weighting.rows, losses), both(weighting.rows, own), reduction)


def kl_divergence(
    logits: Node, targets: Node, *, weights: Node | None = None, reduction: str = "mean"
) -> Node:
    """The mean of Σ t ln(t / p), p = softmax(logits): Kullback and Leibler's divergence.

    It is cross-entropy less the entropy of the targets: 0 where p = t. 0 ln 0 is 0. The mean is
    over the rows, as PyTorch's "batchmean".

    Args:
        logits: floating-point (..., classes).
        targets: probabilities of the classes, of the same shape and kind.
        weights: how much each row counts, a node.
        reduction: "mean", "sum" over the rows, or "none" for the divergence of each.

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: the shapes differ, or there are no classes.
        InputError: the reduction is unknown.
    """
    check_reduction("kl_divergence", reduction)
    check_alike("kl_divergence", "logits", logits, targets)
    if logits.ndim < 1:
        raise ShapeError(
            f"kl_divergence: logits {format_shape(logits.shape)} have no axis of classes",
            hint="give one logit for each class along the last axis",
        )
    rows = logits.type.with_shape(logits.shape[:-1])
    weighting = Elements("kl_divergence", rows, None).weighting(weights)
    with scope("kl_divergence"):
        z, total = _shifted(logits)
        log_p = z - expand_dims(total, -1)
        log_t = log(where(equal(targets, 0.0), 1.0, targets))
        divergences = sum(targets * (log_t - _where_possible(targets, log_p)), axis=-1)
        return reduced(times(weighting.rows, divergences), weighting.rows, reduction)
