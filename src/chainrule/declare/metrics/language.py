"""How well the next token of a text is predicted."""

from __future__ import annotations

import math

from chainc.ir import Node, scope
from chainc.ops import astype, exp
from chainrule.declare.losses.entropy import cross_entropy

__all__ = ["bits_per_character", "perplexity"]


def bits_per_character(logits: Node, labels: Node, *, ignore_index: int | None = None) -> Node:
    """The mean of -log₂ softmax(logits)[label]: cross-entropy in bits, each 0.69 nats.

    Args:
        logits: (..., classes).
        labels: class numbers from 0, of an integer type, (...).
        ignore_index: a label that does not count.

    Raises:
        DTypeError: the labels are no integers.
        ShapeError: the labels do not have the shape of the logits without its last axis.
        InputError: the label that does not count is none.
    """
    with scope("bits_per_character"):
        nats = cross_entropy(logits, labels, ignore_index=ignore_index)
        return astype(nats / math.log(2), "float32")


def perplexity(logits: Node, labels: Node, *, ignore_index: int | None = None) -> Node:
    """The number e to the cross-entropy: a choice among so many, all as likely, is as good.

    Args:
        logits: (..., classes).
        labels: class numbers from 0, of an integer type, (...).
        ignore_index: a label that does not count.

    Raises:
        DTypeError: the labels are no integers.
        ShapeError: the labels do not have the shape of the logits without its last axis.
        InputError: the label that does not count is none.
    """
    with scope("perplexity"):
        return astype(exp(cross_entropy(logits, labels, ignore_index=ignore_index)), "float32")
