"""Rules of `reassociate` about rows that indices name: each is multiplied once, not at each index.

    take(E, i) @ w             →   take(E @ w, i)
    take(E, i).T @ g           →   E.T @ scatter_add(0, i, g)
    scatter_add(0, i, g @ w)   →   scatter_add(0, i, g) @ w
    take(E, i) + b             →   take(E + b, i)

Looking rows up is a product with one-hot codes, and this is its cheaper order, unless there are
more rows than indices. The axes of the indices may stand anywhere, as long as they stay together.
"""

from __future__ import annotations

import numpy as np

from chainc.ir import Node, apply
from chainc.ir.leaves import Constant, constant
from chainc.ir.types import (
    Dim,
    TensorType,
    coefficient_of,
    float32,
    int32,
    named,
    names_of,
    product,
)
from chainc.ops import broadcast_to, permute_dims, scatter_add, take
from chainc.ops.contract import Contract
from chainc.ops.index import ScatterAdd, Take
from chainc.ops.movement import BroadcastTo
from chainc.rewriting.rules import Equation, RuleSet

rule = RuleSet()

FEWEST = 16  # of what a named size counts: with a smaller one, there is little to do at all

BATCH = named("batch")  # operands to test rules with
INDICES = TensorType((BATCH,), int32)
PAIRS = TensorType((BATCH, 5), int32)
EMBEDDING = TensorType((4, 3), float32)
WEIGHT = TensorType((3, 2), float32)
BACK = TensorType((2, 3), float32)
SUMS = TensorType((4, 2), float32)
VECTORS = TensorType((BATCH, 3), float32)
BIAS = TensorType((3,), float32)
TURNED = TensorType((5, BATCH, 2), float32)


@rule.fast(
    at=[
        (Contract("ab", "bc", "ac"), Take(0), EMBEDDING, INDICES, WEIGHT),
        (Contract("abc", "cd", "bad"), Take(0), EMBEDDING, PAIRS, WEIGHT),
        (Contract("ab", "ac", "bc"), Take(0), EMBEDDING, INDICES, VECTORS),
        (Contract("abc", "bad", "cd"), Take(0), EMBEDDING, PAIRS, TURNED),
    ]
)
def rows_times(f: Contract, look: Take, e: Node, i: Node, w: Node) -> Equation:
    return apply(f, apply(look, e, i), w), lambda: _of_rows(f, look, e, i, w)


@rule.fast(
    at=[
        (Contract("bc", "ab", "ca"), Take(0), EMBEDDING, INDICES, WEIGHT),
        (Contract("bad", "abc", "cd"), Take(0), EMBEDDING, PAIRS, TURNED),
    ]
)
def times_rows(f: Contract, look: Take, e: Node, i: Node, w: Node) -> Equation:
    return apply(f, w, apply(look, e, i)), lambda: _of_rows(turned(f), look, e, i, w)


@rule.fast(
    alone=True,
    at=[
        (Contract("ab", "bc", "ac"), ScatterAdd(0), SUMS, INDICES, VECTORS, WEIGHT),
        (Contract("bac", "cd", "abd"), ScatterAdd(0), EMBEDDING, PAIRS, TURNED, BACK),
    ],
)
def added_products(f: Contract, add: ScatterAdd, x: Node, i: Node, g: Node, w: Node) -> Equation:
    y = apply(add, x, i, apply(f, g, w))

    def product_of_sums() -> Node | None:
        rows = f.result[: i.ndim]
        if add.axis != 0 or not are_fewer(x.shape[0], i) or set(rows) & set(f.b):
            return None
        found = Indices.within(f.a, rows, i)
        if found is None:
            return None
        of_rows = Contract(found.letters, f.b, rows[0] + f.result[i.ndim :])
        total = apply(of_rows, found.added(g, x.shape[0]), w)
        return total if is_zero(x) else x + total

    return y, product_of_sums


@rule.exact(alone=True, at=[(Take(0), EMBEDDING, INDICES, BIAS), (Take(0), EMBEDDING, PAIRS, BIAS)])
def rows_plus(look: Take, e: Node, i: Node, b: Node) -> Equation:
    def of_rows() -> Node | None:
        if look.axis != 0 or b.ndim >= e.ndim or not are_fewer(e.shape[0], i):
            return None
        return take(e + b, i)

    return apply(look, e, i) + b, of_rows


def is_zero(x: Node) -> bool:
    """Is it known to be 0 everywhere?"""
    if isinstance(x.op, BroadcastTo):
        return is_zero(x.inputs[0])
    return isinstance(x.op, Constant) and not np.any(x.op.value.array)


class Indices:
    """Indices among the axes of an operand or a result, which the rows take the place of.

    Attributes:
        letters: with one letter for the rows in the place of those of the indices.
        axis: where it stands.
        order: indices, their axes as they stand there.
    """

    def __init__(self, letters: str, axis: int, order: Node) -> None:
        self.letters, self.axis, self.order = letters, axis, order

    @classmethod
    def within(cls, letters: str, rows: str, indices: Node) -> Indices | None:
        """None if they are not all there, or not side by side."""
        places = [letters.find(row) for row in rows]
        first = min(places, default=-1)
        if first < 0 or sorted(places) != list(range(first, first + len(rows))):
            return None
        found = reordered(indices, rows, letters[first : first + len(rows)])
        return cls(letters[:first] + rows[0] + letters[first + len(rows) :], first, found)

    def added(self, g: Node, rows: Dim) -> Node:
        """What has these axes, added up at the indices."""
        end = self.axis + self.order.ndim
        shape = (*g.shape[: self.axis], rows, *g.shape[end:])
        zeros = broadcast_to(constant(0, g.type.dtype), shape)
        return scatter_add(zeros, self.order, g, self.axis)


def turned(f: Contract) -> Contract:
    """With its operands the other way round."""
    return Contract(f.b, f.a, f.result)


def _of_rows(f: Contract, look: Take, e: Node, i: Node, w: Node) -> Node | None:
    """A contraction of rows that are looked up, with what is contracted before."""
    rows = f.a[: i.ndim]
    if look.axis != 0 or not are_fewer(e.shape[0], i):
        return None
    if not set(rows) & set(f.b):
        kept = Indices.within(f.result, rows, i)
        if kept is None:
            return None
        product = apply(Contract(rows[0] + f.a[i.ndim :], f.b, kept.letters), e, w)
        return take(product, kept.order, kept.axis)
    summed = Indices.within(f.b, rows, i) if not set(rows) & set(f.result) else None
    if summed is None:
        return None
    of_rows = Contract(rows[0] + f.a[i.ndim :], summed.letters, f.result)
    return apply(of_rows, e, summed.added(w, e.shape[0]))


def reordered(x: Node, letters: str, wanted: str) -> Node:
    """Axes in another order."""
    return x if letters == wanted else permute_dims(x, [letters.index(each) for each in wanted])


def are_fewer(rows: Dim, indices: Node) -> bool:
    """Are there fewer rows than indices?"""
    if not isinstance(rows, int):
        return False
    count = product(indices.shape)
    fewest: int = coefficient_of(count) * FEWEST ** len(names_of(count))
    return rows <= fewest
