"""Which token comes next, where a model says how likely each one is."""

from __future__ import annotations

from chainc.ir import Node, Operand
from chainc.ops import argmax, argsort, cumsum, less_equal, sum, take_along_axis, uniform, where
from chainrule.declare.functional import softmax


def probabilities(
    logits: Node, temperature: Operand, top_k: int | None = None, top_p: float | None = None
) -> Node:
    """How often each token is chosen, (..., vocabulary); the tokens that are kept add up to 1.

    Args:
        logits: (..., vocabulary).
        temperature: what they are divided by: below 1 the likely ones become likelier.
        top_k: only the most likely ones are kept, so many.
        top_p: only the most likely ones are kept, as few as have this probability together
            (nucleus sampling: Holtzman et al., 2020). Of those that `top_k` leaves.
    """
    scaled = logits / temperature
    if top_k is None and top_p is None:
        return softmax(scaled)
    order = argsort(scaled, descending=True)
    ranks = argsort(order)
    if top_k is not None:
        scaled = where(ranks < top_k, scaled, float("-inf"))
    found = softmax(scaled)
    if top_p is None:
        return found
    sorted_ones = take_along_axis(found, order)
    before = cumsum(sorted_ones) - sorted_ones
    kept = where(take_along_axis(before < top_p, ranks), found, 0.0)
    return kept / sum(kept, axis=-1, keepdims=True)


def draw(chances: Node, seed: Operand | None = None) -> Node:
    """A token of each row, as int64: the first whose chances, added up, are above a random number.

    Args:
        chances: (..., vocabulary), which need not add up to 1.
        seed: by default that of the run.
    """
    added = cumsum(chances)
    number = uniform((*chances.shape[:-1], 1), seed, dtype=chances.dtype)
    passed = less_equal(added, number * added[..., -1:])
    return sum(where(passed, 1, 0), axis=-1)


def choose(
    logits: Node,
    temperature: Operand,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: Operand | None = None,
) -> Node:
    """A token of each row, (...) of int64; the most likely one where the temperature is 0."""
    if not isinstance(temperature, Node) and temperature == 0:
        return argmax(logits)
    return draw(probabilities(logits, temperature, top_k, top_p), seed)
