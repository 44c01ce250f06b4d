"""Rules of `simplify` about one-hot codes: their products with 0 vanish.

    one_hot(i) @ w     →   take(w, i)
    one_hot(i).T @ g   →   scatter_add(0, i, g)

The axes of the indices may stand anywhere, as long as they stay together.
"""

from __future__ import annotations

from chainc.ir import Node, apply
from chainc.ir.types import TensorType, float32
from chainc.ops import take
from chainc.ops.contract import Contract
from chainc.ops.index import OneHot
from chainc.passes.rules.rows import INDICES, PAIRS, TURNED, VECTORS, Indices, reordered, turned
from chainc.rewriting.rules import Equation, RuleSet

rule = RuleSet()

TABLE = TensorType((4, 2), float32)  # an operand to test rules with


@rule.fast(
    at=[
        (Contract("ab", "bc", "ac"), OneHot(4), INDICES, TABLE),
        (Contract("abc", "cd", "bad"), OneHot(4), PAIRS, TABLE),
        (Contract("ab", "ac", "bc"), OneHot(4), INDICES, VECTORS),
        (Contract("abc", "bad", "dc"), OneHot(4), PAIRS, TURNED),
    ]
)
def codes_times(f: Contract, code: OneHot, i: Node, w: Node) -> Equation:
    return apply(f, apply(code, i), w), lambda: _of_codes(f, code, i, w)


@rule.fast(at=[(Contract("bc", "ab", "ac"), OneHot(4), INDICES, TABLE)])
def times_codes(f: Contract, code: OneHot, i: Node, w: Node) -> Equation:
    return apply(f, w, apply(code, i)), lambda: _of_codes(turned(f), code, i, w)


def _of_codes(f: Contract, code: OneHot, i: Node, w: Node) -> Node | None:
    """A contraction of one-hot codes: it looks up, or adds up."""
    rows, depth = f.a[:-1], f.a[-1]
    if not rows or {*rows, depth} <= {*f.b} or {*rows, depth} <= {*f.result}:
        return None
    if depth in f.b:
        kept = Indices.within(f.result, rows, i)
        if kept is None:
            return None
        table = reordered(w, f.b, kept.letters.replace(rows[0], depth))
        return take(table, kept.order, kept.axis)
    summed = Indices.within(f.b, rows, i)
    if summed is None:
        return None
    return reordered(summed.added(w, code.depth), summed.letters.replace(rows[0], depth), f.result)
