"""Losses of numbers: how far predictions are from their targets.

Weights are of rows, a node whose axes are the first of the predictions', or of columns, a list or
an array with one number for each position of the last axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from chainc.ir import Node, scope
from chainc.ir.errors import ShapeError
from chainc.ir.types import format_shape
from chainc.ops import (
    abs,
    broadcast_to,
    less,
    log,
    minimum,
    sqrt,
    square,
    stop_gradient,
    where,
)
from chainc.ops.movement import as_flag
from chainrule.declare.arguments import number
from chainrule.declare.losses.checks import check_alike, check_float, check_reduction, where_of
from chainrule.declare.losses.weighting import Elements, Weights, both, reduced, times

__all__ = ["absolute_error", "gaussian_nll", "huber", "quantile", "squared_error"]


def squared_error(
    predictions: Node, targets: Node, *, weights: Weights = None, reduction: str = "mean"
) -> Node:
    """The mean of (prediction - target)².

    Args:
        predictions: floating-point, any shape.
        targets: of the same shape and kind.
        weights: of rows, a node, or of columns, an array; the mean is Σ w l / Σ w, as in PyTorch.
        reduction: "mean", "sum", or "none" for the loss of each element.

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: the shapes differ, or the weights do not fit.
        InputError: the reduction is unknown.
    """
    return _mean_error("squared_error", predictions, targets, weights, reduction, square)


def absolute_error(
    predictions: Node, targets: Node, *, weights: Weights = None, reduction: str = "mean"
) -> Node:
    """The mean of |prediction - target|, whose derivative is taken as 0 where they are equal.

    Args:
        predictions: floating-point, any shape.
        targets: of the same shape and kind.
        weights: of rows, a node, or of columns, an array; the mean is Σ w l / Σ w, as in PyTorch.
        reduction: "mean", "sum", or "none" for the loss of each element.

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: the shapes differ, or the weights do not fit.
        InputError: the reduction is unknown.
    """
    return _mean_error("absolute_error", predictions, targets, weights, reduction, abs)


def huber(
    predictions: Node,
    targets: Node,
    delta: float = 1.0,
    *,
    weights: Weights = None,
    reduction: str = "mean",
) -> Node:
    """The mean of d²/2 where |d| ≤ δ, else δ (|d| - δ/2), d = prediction - target (Huber 1964).

    A square near 0 and a line further out, with equal slopes where they meet.

    Args:
        predictions: floating-point, any shape.
        targets: of the same shape and kind.
        delta: where the line begins, δ.
        weights: of rows, a node, or of columns, an array; the mean is Σ w l / Σ w, where PyTorch
            divides by the number of elements.
        reduction: "mean", "sum", or "none" for the loss of each element.

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: the shapes differ, or the weights do not fit.
        InputError: the reduction is unknown, or delta is not positive.
    """
    bound = number("huber", "delta", delta, above=0, hint="give a positive number, such as 1")

    def element(error: Node) -> Node:
        # one formula for both parts, so that no square overflows far out
        size = abs(error)
        near = minimum(size, bound)
        return near * (size - 0.5 * near)

    return _mean_error("huber", predictions, targets, weights, reduction, element)


def quantile(
    predictions: Node,
    targets: Node,
    q: float = 0.5,
    *,
    weights: Weights = None,
    reduction: str = "mean",
) -> Node:
    """The mean of max(q d, (q - 1) d), d = target - prediction: the pinball loss.

    What makes it smallest is the q-quantile of the targets (Koenker and Bassett 1978); at 0.5 it is
    half the absolute error, and gives the median.

    Args:
        predictions: floating-point, any shape.
        targets: of the same shape and kind.
        q: the share of targets that shall lie below the prediction, between 0 and 1.
        weights: of rows, a node, or of columns, an array; the mean is Σ w l / Σ w.
        reduction: "mean", "sum", or "none" for the loss of each element.

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: the shapes differ, or the weights do not fit.
        InputError: the reduction is unknown, or q is not between 0 and 1.
    """
    share = number("quantile", "q", q, above=0, below=1, hint="give q=0.9 for the upper tenth")

    def element(error: Node) -> Node:  # prediction - target
        return where(less(0.0, error), (1.0 - share) * error, -share * error)

    return _mean_error("quantile", predictions, targets, weights, reduction, element)


def gaussian_nll(
    predictions: Node,
    targets: Node,
    variances: Node,
    *,
    full: bool = False,
    eps: float = 1e-6,
    weights: Weights = None,
    reduction: str = "mean",
) -> Node:
    """The mean of (ln v + (prediction - target)² / v) / 2, v the variance but at least `eps`.

    -ln of the density of a normal distribution around the prediction, less the constant ln(2π)/2
    (Nix and Weigend 1994). As in PyTorch, a variance below `eps` has the derivative at `eps`, so
    that it can grow again. A network gives a variance as exp or softplus of a number.

    Args:
        predictions: floating-point, any shape.
        targets: of the same shape and kind.
        variances: of the same shape and kind.
        full: add the constant.
        eps: the smallest variance.
        weights: of rows, a node, or of columns, an array; the mean is Σ w l / Σ w.
        reduction: "mean", "sum", or "none" for the loss of each element.

    Raises:
        DTypeError: one of them is not floating-point.
        ShapeError: the shapes differ, or the weights do not fit.
        InputError: the reduction is unknown, or eps is not positive.
    """
    least = number("gaussian_nll", "eps", eps, above=0, hint="give a small number, such as 1e-6")
    check_alike("gaussian_nll", "predictions", predictions, targets)
    _check_variances(variances, predictions)
    constant = 0.5 * math.log(2 * math.pi) if as_flag("gaussian_nll", "full", full) else 0.0
    with scope("gaussian_nll"):
        at_least = least + (variances - stop_gradient(variances))  # with the derivative of v
        v = where(less(variances, least), at_least, variances)

    def element(error: Node) -> Node:
        # dividing before squaring keeps a large error over a large variance finite
        return 0.5 * (log(v) + square(error / sqrt(v))) + constant

    return _mean_error("gaussian_nll", predictions, targets, weights, reduction, element)


def _check_variances(variances: Node, predictions: Node) -> None:
    check_float("gaussian_nll", "variances", variances)
    if variances.shape != predictions.shape:
        raise ShapeError(
            f"gaussian_nll: variances {format_shape(variances.shape)} and predictions "
            f"{format_shape(predictions.shape)} differ",
            where=where_of(variances=variances, predictions=predictions),
            hint="give one variance for each prediction; cr.broadcast_to repeats a shared one",
        )


def _mean_error(
    function: str,
    predictions: Node,
    targets: Node,
    weights: Weights,
    reduction: str,
    element: Callable[[Node], Node],
) -> Node:
    """A loss whose elements are functions of prediction - target."""
    check_reduction(function, reduction)
    check_alike(function, "predictions", predictions, targets)
    last = predictions.shape[-1] if predictions.ndim > 1 else None
    columns = last if isinstance(last, int) else None
    weighting = Elements(function, predictions.type, columns, "columns").weighting(weights)
    with scope(function):
        losses = element(predictions - targets)
        along = weighting.classes
        own = None if along is None else broadcast_to(along, predictions.shape)
        each = both(weighting.rows, own)
        return reduced(times(each, losses), each, reduction)
