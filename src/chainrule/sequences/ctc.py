"""Connectionist temporal classification: labels that are not aligned with the steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

from chainc.ir import Node, describe, scope
from chainc.ir.errors import InputError, ShapeError
from chainc.ir.types import format_shape
from chainc.ops import (
    arange,
    astype,
    broadcast_to,
    concat,
    equal,
    expand_dims,
    less,
    logical_and,
    logsumexp,
    maximum,
    mean,
    not_equal,
    pad,
    reshape,
    stack,
    sum,
    take_along_axis,
    where,
)
from chainc.ops.movement import as_flag
from chainrule.declare.arguments import count
from chainrule.declare.functional import log_softmax
from chainrule.declare.leaves import constant
from chainrule.declare.losses.checks import (
    check_float,
    check_node,
    check_reduction,
    known_classes,
    where_of,
)
from chainrule.sequences.lengths import counted
from chainrule.sequences.scan import scan

__all__ = ["ctc"]

IMPOSSIBLE = -1e30  # the logarithm of no probability: what is added to it leaves it as it is


def ctc(
    logits: Node,
    labels: Node,
    *,
    lengths: Node | None = None,
    label_lengths: Node | None = None,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Node:
    """-ln of the probability that the steps spell the labels (Graves et al., ICML 2006).

    Each step says a class or the blank; the same class in a row counts once unless a blank is
    between. As in PyTorch the mean is over the rows, each divided by how many labels it has.

    Args:
        logits: floating-point (batch, time, classes).
        labels: class numbers, of an integer type, (batch, labels); what lies behind a row's length
            may be any.
        lengths: how many steps of each row count, integers (batch); by default all.
        label_lengths: how many labels each row has, likewise.
        blank: the class that stands for none.
        reduction: "mean", "sum" over the rows, or "none" for the loss of each.
        zero_infinity: let rows whose steps are too few for their labels count 0 instead of ∞.
            Neither has a gradient.

    Raises:
        DTypeError: the logits are not floating-point, or labels or lengths no integers.
        ShapeError: the shapes do not fit, or the number of classes or labels is a named size.
        InputError: the reduction is unknown, or there is no such class as the blank.
    """
    check_reduction("ctc", reduction)
    zeroed = as_flag("ctc", "zero_infinity", zero_infinity)
    most = _check(logits, labels)
    classes = known_classes("ctc", logits, labels)
    none = count("ctc", "blank", blank, at_least=0, hint="give a class, such as blank=0")
    if none >= classes:
        raise InputError(f"ctc: there is no class {none} of {classes}", hint="count from 0")
    if label_lengths is None:
        known = broadcast_to(constant(most, "int32"), labels.shape[:1])
    else:
        known = _lengths("label_lengths", label_lengths, labels)
    counts = None
    if lengths is not None:
        counts = counted(_lengths("lengths", lengths, labels), logits.shape[1])
    with scope("ctc"):
        spelled = _with_blanks(where(counted(known, most), labels, none), none)
        losses = -_at_the_end(_forward(log_softmax(logits), spelled, none, counts), known)
        found = less(losses, -IMPOSSIBLE / 2)
        losses = where(found, losses, 0.0 if zeroed else math.inf)
        if reduction != "mean":
            return sum(losses) if reduction == "sum" else losses
        return mean(losses / astype(maximum(known, 1), losses.dtype))


def _with_blanks(labels: Node, blank: int) -> Node:
    """(batch, 2 · labels + 1): a blank before, between and behind them."""
    blanks = broadcast_to(constant(blank, labels.dtype), labels.shape)
    pairs = reshape(stack([blanks, labels], axis=2), (labels.shape[0], -1))
    return concat([pairs, blanks[:, :1]], axis=1)


def _forward(log_p: Node, spelled: Node, blank: int, counts: Node | None) -> Node:
    """For each place of what is spelled, ln of the probability of all ways that end there."""
    heard = take_along_axis(log_p, expand_dims(spelled, 1), axis=2)
    other = not_equal(spelled[:, 2:], spelled[:, :-2])
    may_skip = logical_and(other, not_equal(spelled[:, 2:], blank))
    impossible = constant(IMPOSSIBLE, log_p.dtype)
    skipping = pad(where(may_skip, 0.0, impossible), [(0, 0), (2, 0)], IMPOSSIBLE)

    def step(ways: Node, given: Sequence[Node]) -> tuple[Node, None]:
        one, two = (pad(ways[:, :-n], [(0, 0), (n, 0)], IMPOSSIBLE) for n in (1, 2))
        new = given[0] + logsumexp(stack([ways, one, two + skipping]), axis=0)
        return (new if counts is None else where(given[1], new, ways)), None

    start = where(equal(arange(spelled.shape[1]), 0), 0.0, impossible)
    sequences = [heard] if counts is None else [heard, expand_dims(counts, 2)]
    last, _ = scan(step, broadcast_to(start, spelled.shape), sequences, axis=1)
    assert isinstance(last, Node)
    return last


def _at_the_end(ways: Node, known: Node) -> Node:
    """Ln of the probability that a way ends at the last label, or at the blank behind it."""
    behind = take_along_axis(ways, expand_dims(2 * known, 1), axis=1)
    label = take_along_axis(ways, expand_dims(maximum(2 * known - 1, 0), 1), axis=1)
    label = where(expand_dims(less(0, known), 1), label, IMPOSSIBLE)
    return logsumexp(concat([behind, label], axis=1), axis=1)


def _check(logits: Node, labels: Node) -> int:
    """How many labels there is room for."""
    check_float("ctc", "logits", logits)
    check_node("ctc", "labels", labels)
    fits = logits.ndim == 3 and labels.ndim == 2 and labels.shape[0] == logits.shape[0]
    if fits and isinstance(labels.shape[1], int):
        return labels.shape[1]
    raise ShapeError(
        f"ctc: labels {format_shape(labels.shape)} do not fit logits {format_shape(logits.shape)}",
        where=where_of(logits=logits, labels=labels),
        hint="give logits (batch, time, classes), and labels (batch, n) with a known n",
    )


def _lengths(name: str, given: Node, labels: Node) -> Node:
    """How many labels or steps each row has."""
    check_node("ctc", name, given)
    if given.shape != labels.shape[:1] or given.dtype.kind != "i":
        raise ShapeError(
            f"ctc: the {name} {describe(given)} are no integers {format_shape(labels.shape[:1])}",
            hint=f'declare them as cr.input("{name}", ("batch",), dtype="int32")',
        )
    return given
