"""Focal losses: cross-entropy in which rows that are already right count little."""

from __future__ import annotations

import numpy as np

from chainc.ir import Node, scope
from chainc.ops import exp, expm1, log, maximum, minimum, pick, sigmoid, softplus, sum
from chainc.ops.reduce import largest_exponent
from chainrule.declare.arguments import number
from chainrule.declare.losses.checks import (
    check_alike,
    check_labels,
    check_reduction,
    known_classes,
)
from chainrule.declare.losses.weighting import Elements, Weights, both, reduced, times

__all__ = ["binary_focal", "focal"]

CERTAIN = 1000.0  # -ln p of a probability that is 0 in every floating-point type


def focal(
    logits: Node,
    labels: Node,
    gamma: float = 2.0,
    *,
    weights: Weights = None,
    reduction: str = "mean",
) -> Node:
    """The mean of -(1 - p)^γ ln p, p = softmax(logits)[label] (Lin et al., ICCV 2017).

    A row with p = 0.9 counts a hundredth of what it does in cross-entropy, with γ = 2; γ = 0 is
    cross-entropy.

    Args:
        logits: floating-point (..., classes).
        labels: class numbers from 0, of an integer type, (...).
        gamma: how little, γ, at least 0.
        weights: of classes, a list or an array (classes,), the paper's α; or of rows, a node. The
            mean is Σ w l / Σ w, w the weight of the label.
        reduction: "mean", "sum" over the rows, or "none" for the loss of each.

    Raises:
        DTypeError: the logits are not floating-point, or the labels no integers.
        ShapeError: the labels do not have the shape of the logits without its last axis, the
            number of classes is a named size, or the weights do not fit.
        InputError: the reduction is unknown, or gamma negative.
    """
    check_reduction("focal", reduction)
    exponent = _exponent("focal", gamma)
    check_labels("focal", logits, labels)
    classes = known_classes("focal", logits, labels)
    rows = logits.type.with_shape(labels.shape)
    weighting = Elements("focal", rows, classes).weighting(weights)
    with scope("focal"):
        z = logits - largest_exponent(logits, axis=-1)
        losses = log(sum(exp(z), axis=-1)) - pick(z, labels)  # -ln p
        each = both(weighting.rows, weighting.by_label(labels))
        wrong = -expm1(-minimum(losses, CERTAIN))
        focused = _power(wrong, exponent) * losses
        return reduced(times(each, focused), each, reduction)


def binary_focal(
    logits: Node,
    targets: Node,
    gamma: float = 2.0,
    *,
    weights: Weights = None,
    reduction: str = "mean",
) -> Node:
    """The mean of (1 - p)^γ times binary cross-entropy, p the probability of the target's class.

    1 - p is (1 - σ(z)) t + σ(z) (1 - t) (Lin et al., ICCV 2017).

    Args:
        logits: floating-point, any shape.
        targets: probabilities from 0 to 1, of the same shape and kind.
        gamma: how little what is right counts, γ, at least 0.
        weights: of the classes, [w₀, w₁], each element by w₁ t + w₀ (1 - t): torchvision's alpha is
            [1 - α, α]. Or of each row, a node. The mean is Σ w l / Σ w, where torchvision divides
            by the number of elements.
        reduction: "mean", "sum", or "none" for the loss of each element.

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: the shapes differ, or the weights do not fit.
        InputError: the reduction is unknown, or gamma negative.
    """
    check_reduction("binary_focal", reduction)
    exponent = _exponent("binary_focal", gamma)
    check_alike("binary_focal", "logits", logits, targets)
    weighting = Elements("binary_focal", logits.type, 2).weighting(weights)
    with scope("binary_focal"):
        wrong = sigmoid(-logits) * targets + sigmoid(logits) * (1.0 - targets)
        losses = _power(wrong, exponent) * (softplus(logits) - logits * targets)
        each = both(weighting.rows, weighting.by_target(targets))
        return reduced(times(each, losses), each, reduction)


def _exponent(function: str, gamma: object) -> float:
    return number(function, "gamma", gamma, at_least=0, hint="give gamma=2, or 0 for none")


def _power(wrong: Node, exponent: float) -> Node:
    """The power of a share; above 0, where the slope of one below 1 would be infinite."""
    least = float(np.finfo(wrong.type.dtype.name).smallest_normal)
    return maximum(wrong, least) ** exponent
