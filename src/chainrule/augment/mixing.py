"""Rows mixed with others, and labels that say so."""

from __future__ import annotations

import functools

from chainc.ir import Node, Operand, describe, scope
from chainc.ir.errors import DTypeError, ShapeError
from chainc.ir.leaves import as_nodes
from chainc.ir.types import format_shape
from chainc.ops import by_mode, one_hot, permutation, take, uniform, where
from chainrule.declare.arguments import count, number
from chainrule.nn.fitting import require_float

TRIES = 16  # of a draw by rejection; each is taken with a probability of at least one half


def mixup(x: Operand, labels: Operand, classes: int, alpha: float = 0.2) -> tuple[Node, Node]:
    """Each row mixed with another of its batch: λ x + (1 - λ) x', and its labels in the same way.

    λ is drawn for each step from the Beta(α, α) distribution (Zhang et al., ICLR 2018), by Jöhnk's
    rejection (1964). Outside training, x and codes that are 1 for the label.

    Args:
        x: rows, floating-point.
        labels: of an integer type, (batch,).
        classes: how many there are, at least 2.
        alpha: above 0 and at most 1; the smaller, the rarer are even mixtures.

    Returns:
        The rows, and targets of (batch, classes) for `losses.cross_entropy`.

    Raises:
        InputError: alpha is not above 0 and at most 1, or there are fewer than 2 classes.
        ShapeError: there is not one label a row.
        DTypeError: x is not floating-point, or the labels are no integers.
    """
    rows, marked = as_nodes(x, labels)
    codes = _codes("mixup", marked, classes, rows)
    hint = "give alpha=0.2, as for images"
    shape = number("augment.mixup", "alpha", alpha, above=0, below=1 + 1e-9, hint=hint)
    with scope("mixup"):
        share = _beta(shape, rows)
        order = permutation(rows.shape[0])
        mixed = tuple(
            by_mode(train=share * value + (1 - share) * take(value, order), infer=value)
            for value in (rows, codes)
        )
    return mixed[0], mixed[1]


def smooth_labels(labels: Operand, classes: int, share: float = 0.1) -> Node:
    """Targets (1 - share) · code + share / classes in training; the codes alone elsewhere.

    Args:
        labels: of an integer type, (batch,).
        classes: how many there are, at least 2.
        share: what is spread over all classes, from 0 to below 1 (Szegedy et al. 2016).

    Raises:
        InputError: the share is not from 0 to below 1, or there are fewer than 2 classes.
        ShapeError: the labels have not one axis.
        DTypeError: the labels are no integers.
    """
    (marked,) = as_nodes(labels)
    codes = _codes("smooth_labels", marked, classes, None)
    hint = "give a share, such as share=0.1"
    spread = number("augment.smooth_labels", "share", share, at_least=0, below=1, hint=hint)
    with scope("smooth_labels"):
        return by_mode(train=codes * (1 - spread) + spread / classes, infer=codes)


def _codes(function: str, labels: Node, classes: int, rows: Node | None) -> Node:
    hint = "give the number of classes, such as classes=10"
    number_of = count(f"augment.{function}", "classes", classes, at_least=2, hint=hint)
    if rows is not None:
        require_float(f"augment.{function}", rows)
    if labels.type.dtype.kind != "i":
        raise DTypeError(
            f"augment.{function}: the labels {describe(labels)} are no integers",
            hint='declare them with dtype="int32"',
        )
    fits = labels.ndim == 1 and (rows is None or rows.shape[:1] == labels.shape)
    if not fits:
        beside = "" if rows is None else f" beside rows of {format_shape(rows.shape)}"
        raise ShapeError(
            f"augment.{function}: labels of {format_shape(labels.shape)}{beside}",
            hint="give one label for each row",
        )
    return one_hot(labels, number_of, "float32" if rows is None else rows.type.dtype)


def _beta(alpha: float, rows: Node) -> Node:
    """u^(1/α) / (u^(1/α) + v^(1/α)) of the first pair whose sum is at most 1, else of the last."""
    dtype = rows.type.dtype
    u = uniform((TRIES,), dtype=dtype) ** (1 / alpha)
    v = uniform((TRIES,), dtype=dtype) ** (1 / alpha)
    shares = where(u + v > 0, u / (u + v), 0.5)
    taken = [(shares[i], u[i] + v[i] <= 1) for i in range(TRIES)]
    last, _ = taken[-1]
    return functools.reduce(
        lambda later, pair: where(pair[1], pair[0], later), reversed(taken[:-1]), last
    )
