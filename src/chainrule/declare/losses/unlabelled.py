"""Losses of rows without labels: what is close, what is spread as wanted, what belongs together."""

from __future__ import annotations

import math

from chainc.ir import Node, scope
from chainc.ir.errors import ShapeError
from chainc.ir.types import format_shape
from chainc.ops import (
    arange,
    equal,
    expand_dims,
    expm1,
    logsumexp,
    maximum,
    min,
    permute_dims,
    sqrt,
    square,
    stack,
    sum,
    where,
)
from chainrule.declare.arguments import number
from chainrule.declare.losses.checks import check_float, check_reduction, where_of
from chainrule.declare.losses.weighting import reduced

__all__ = ["k_means", "kl_normal", "nt_xent"]

LEAST = 1e-24  # of a squared length, so that a row of zeros has a direction: none


def kl_normal(means: Node, log_variances: Node, *, reduction: str = "mean") -> Node:
    """The mean of Σ (v + m² - 1 - ln v) / 2, v = e^(log variance): how far from N(0, 1).

    Kullback and Leibler's divergence of normal distributions from the standard one, added over the
    last axis: what holds the code of a variational autoencoder together (Kingma and Welling 2014,
    appendix B). v - 1 is taken as expm1(ln v), which is exact near 0.

    Args:
        means: floating-point (..., features).
        log_variances: of the same shape and kind.
        reduction: "mean", "sum" over the rows, or "none" for the divergence of each.

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: the shapes differ, or there are no features.
        InputError: the reduction is unknown.
    """
    check_reduction("kl_normal", reduction)
    _check_pair("kl_normal", means=means, log_variances=log_variances)
    with scope("kl_normal"):
        each = expm1(log_variances) - log_variances + square(means)
        return reduced(0.5 * sum(each, axis=-1), None, reduction)


def k_means(points: Node, centres: Node, *, reduction: str = "mean") -> Node:
    """The mean of min ‖point - centre‖²: k-means as a loss (MacQueen 1967).

    Its derivative moves each centre towards the points that are nearest to it, and a step of
    1 / (2 · their share) puts it on their mean.

    Args:
        points: floating-point (rows, features).
        centres: (clusters, features), such as a parameter; a cluster's number is that of the
            nearest centre.
        reduction: "mean", "sum" over the rows, or "none" for the squared distance of each.

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: they are no rows of the same features.
        InputError: the reduction is unknown.
    """
    check_reduction("k_means", reduction)
    check_float("k_means", "points", points)
    check_float("k_means", "centres", centres)
    if points.ndim != 2 or centres.ndim != 2 or points.shape[1] != centres.shape[1]:
        raise ShapeError(
            f"k_means: points {format_shape(points.shape)} and centres "
            f"{format_shape(centres.shape)} are no rows of the same features",
            where=where_of(points=points, centres=centres),
            hint="give points (rows, features) and centres (clusters, features)",
        )
    with scope("k_means"):
        squares = sum(square(expand_dims(points, 1) - centres), axis=2)
        return reduced(min(squares, axis=1), None, reduction)


def nt_xent(
    first: Node, second: Node, temperature: float = 0.5, *, reduction: str = "mean"
) -> Node:
    """The mean of -ln softmax of the similarity to the other view of a row (Chen et al. 2020).

    Two views of n rows make 2n; each is to tell its other view among the 2n - 1 others. Similarity
    is the cosine over the temperature. The loss of SimCLR, an InfoNCE (van den Oord et al. 2018):
    ln(2n - 1) where all look alike.

    Args:
        first: floating-point (rows, features), what one view of each row becomes.
        second: the same of another view, in the same order.
        temperature: how far apart similarities count as different; the lower, the closer.
        reduction: "mean", "sum" over both views of all rows, or "none" for each: (rows, 2).

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: they are no rows of the same shape.
        InputError: the temperature is not positive, or the reduction is unknown.
    """
    check_reduction("nt_xent", reduction)
    hint = "give a positive number, such as 0.5"
    scale = 1 / number("nt_xent", "temperature", temperature, above=0, hint=hint)
    _check_pair("nt_xent", first=first, second=second)
    if first.ndim != 2:
        raise ShapeError(
            f"nt_xent: first {format_shape(first.shape)} are no rows of features",
            where=where_of(first=first),
            hint="give (rows, features); cr.reshape makes rows of what has more axes",
        )
    with scope("nt_xent"):
        one, other = _direction(first), _direction(second)
        pairs = scale * sum(one * other, axis=1)
        losses = [_among_all(one, other, scale), _among_all(other, one, scale)]
        return reduced(stack([each - pairs for each in losses], axis=1), None, reduction)


def _among_all(views: Node, others: Node, scale: float) -> Node:
    """The logarithm of Σ e^similarity of each view to all others, of both kinds."""
    place = arange(views.shape[0], "int32")
    itself = equal(expand_dims(place, 1), place)
    alike = where(itself, -math.inf, scale * (views @ permute_dims(views, (1, 0))))
    apart = scale * (views @ permute_dims(others, (1, 0)))
    return logsumexp(stack([alike, apart]), axis=(0, 2))


def _direction(x: Node) -> Node:
    """Each row at length 1."""
    return x / sqrt(maximum(sum(square(x), axis=1, keepdims=True), LEAST))


def _check_pair(function: str, **pair: Node) -> None:
    for name, node in pair.items():
        check_float(function, name, node)
    (one, a), (other, b) = pair.items()
    if a.shape != b.shape or a.ndim < 1:
        raise ShapeError(
            f"{function}: {one} {format_shape(a.shape)} and {other} {format_shape(b.shape)} "
            "are no rows of one shape",
            where=where_of(**pair),
            hint=f"give {other} of the shape of {one}, (rows, features)",
        )
