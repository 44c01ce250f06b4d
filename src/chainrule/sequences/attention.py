"""Attention as a function of queries, keys and values."""

from __future__ import annotations

import math
from collections.abc import Sequence

from chainc.ir import Node, Operand, describe, scope
from chainc.ir.errors import InputError, ShapeError
from chainc.ir.leaves import as_nodes, size
from chainc.ir.types import Dim, int32, product
from chainc.ops import (
    arange,
    astype,
    concat,
    expand_dims,
    logical_and,
    matmul,
    matrix_transpose,
    reshape,
    sqrt,
)
from chainc.ops.movement import as_flag
from chainrule.declare.functional import softmax
from chainrule.sequences.scan import Step, scan

__all__ = ["attention"]

LONG = 256  # queries and keys from which on blocks take less time
BLOCK = 128  # queries at a time
MOST_GROUPS = 4  # of blocks, each with kernels of its own


def attention(
    queries: Operand,
    keys: Operand,
    values: Operand,
    *,
    causal: bool = False,
    where: Node | None = None,
) -> Node:
    """softmax(q kᵀ / √n) v: scaled dot-product attention (Vaswani et al., 2017).

    Long sequences are attended to in a loop over all that stands before them, such as rows and
    heads, and in each step a block of queries at a time; derivatives compute scores again. So the
    scores of one block are all that lies in memory, and with `causal` no block of keys is read
    that none of its queries sees.

    Args:
        queries: (..., time, n).
        keys: (..., keys, n).
        values: (..., keys, size).
        causal: query i sees the keys 0 … i alone.
        where: truth values that broadcast to (..., time, keys): which keys count. With it, all is
            done at once.

    Returns:
        (..., time, size); zeros where a query sees no key.

    Raises:
        InputError: they are no floating-point numbers.
        ShapeError: the shapes do not fit.
    """
    q, k, v = as_nodes(queries, keys, values)
    _check(q, k, v)
    ordered = as_flag("attention", "causal", causal)
    with scope("attention"):
        if where is None and is_long(q, k):
            return _in_blocks(q, k, v, causal=ordered)
        return _attended(q, k, v, _visible(q, k, ordered, where))


def _check(q: Node, k: Node, v: Node) -> None:
    if not all(each.dtype.is_float for each in (q, k, v)):
        raise InputError(
            f"attention: {describe(q)}, {describe(k)} and {describe(v)} are not all "
            "floating-point numbers",
            hint='convert them, such as with cr.astype(x, "float32")',
        )
    fits = q.ndim == k.ndim == v.ndim >= 2 and q.shape[:-2] == k.shape[:-2] == v.shape[:-2]
    if not fits or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ShapeError(
            f"attention: queries {describe(q)}, keys {describe(k)} and values {describe(v)} do "
            "not fit each other",
            hint="give (..., time, n), (..., keys, n) and (..., keys, size)",
        )


def _visible(q: Node, k: Node, causal: bool, where: Node | None) -> Node | None:
    if not causal:
        return where
    ordered = in_order(arange(q.shape[-2], int32), k.shape[-2])
    return ordered if where is None else logical_and(where, ordered)


def in_order(places: Node, keys: Dim) -> Node:
    """(time, keys): which keys are not behind the place of a query."""
    return arange(keys, int32) <= expand_dims(places, 1)


def weights_of(q: Node, k: Node, seen: Node | None) -> Node:
    """softmax(q kᵀ / √n), and zeros where a key is not seen."""
    return softmax(_scaled(matmul(q, matrix_transpose(k)), q.shape[-1]), where=seen)


def _scaled(scores: Node, features: Dim) -> Node:
    """Divided by the square root of how many features a query has."""
    if features == 0:
        return scores
    if isinstance(features, int):
        return scores * math.sqrt(1 / features)
    return scores / sqrt(astype(size(features), scores.dtype))


def _attended(q: Node, k: Node, v: Node, seen: Node | None) -> Node:
    return matmul(weights_of(q, k, seen), v)


def is_long(q: Node, k: Node) -> bool:
    """Do queries and keys gain by being taken in blocks?"""
    times = q.shape[-2], k.shape[-2]
    return all(isinstance(time, int) and time >= LONG for time in times)


def _in_blocks(q: Node, k: Node, v: Node, *, causal: bool) -> Node:
    """Groups of blocks see different keys: with `causal`, none behind them."""
    time, count = q.shape[-2], k.shape[-2]
    assert isinstance(time, int)
    assert isinstance(count, int)
    blocks = -(-time // BLOCK)
    many = -(-blocks // MOST_GROUPS) * BLOCK

    def step(_: object, given: tuple[Node, Node, Node]) -> tuple[tuple[()], Node]:
        q, k, v = given
        places = arange(time, int32) if causal else None
        found = []
        for start in range(0, time, many):
            stop = min(start + many, time)
            seen = min(stop, count) if causal else count
            group = places[start:stop] if places is not None else None
            found.append(_group(q[start:stop], group, k[:seen], v[:seen]))
        return (), concat(found, 0)

    before = q.shape[:-2]
    rows = [reshape(each, (product(before), *each.shape[-2:])) for each in (q, k, v)]
    every = _in_steps(step, rows, ("q", "k", "v"))
    return reshape(every, (*before, time, v.shape[-1]))


def _group(q: Node, places: Node | None, k: Node, v: Node) -> Node:
    """Several queries, each with its place or seeing all keys: a block at a time."""
    given = [q] if places is None else [q, places]

    def rows(_: object, given: Sequence[Node]) -> tuple[tuple[()], Node]:
        ordered = in_order(given[1], k.shape[0]) if len(given) > 1 else None
        return (), _attended(given[0], k, v, ordered)

    time = q.shape[0]
    assert isinstance(time, int)
    whole = time // BLOCK * BLOCK
    if whole <= BLOCK:
        return rows((), given)[1]
    blocks = [reshape(x[:whole], (whole // BLOCK, BLOCK, *x.shape[1:])) for x in given]
    every = reshape(_in_steps(rows, blocks, ("q", "place")[: len(given)]), (whole, v.shape[1]))
    if whole == time:
        return every
    return concat([every, rows((), [x[whole:] for x in given])[1]], 0)


def _in_steps(step: Step, rows: Sequence[Node], names: Sequence[str]) -> Node:
    """What a step gives for each of the rows; derivatives do it again."""
    _, every = scan(step, (), rows, recompute=True, names=names)
    assert isinstance(every, Node)
    return every
