"""Rules of `simplify` about reductions and contractions."""

from __future__ import annotations

from dataclasses import replace

from chainc.ir import Node, apply
from chainc.ir.types import Axes, TensorType, float32, int32, named
from chainc.ops.reduce import Extremum, Max, Sum
from chainc.rewriting.rules import Equation, RuleSet

rule = RuleSet()


ROWS = TensorType((named("batch"), 3), float32)  # operands to test rules with
BLOCK = TensorType((2, 3, 4), float32)
SCALE = TensorType((), float32)
INDICES = TensorType((named("batch"),), int32)


@rule.exact(at=[(Max((1,)), Max((1,)), BLOCK)])
def extremum_twice(outer: Extremum, inner: Extremum, x: Node) -> Equation:

    def once() -> Node | None:
        if type(outer) is not type(inner) or inner.keepdims or outer.keepdims:
            return None
        return apply(replace(inner, axes=_joined(inner, outer.axes)), x)

    return apply(outer, apply(inner, x)), once


@rule.fast(exact_for="i", at=[(Sum((0,)), Sum((2,)), BLOCK)])
def sum_twice(outer: Sum, inner: Sum, x: Node) -> Equation:
    """Other order of terms."""

    def once() -> Node | None:
        if inner.keepdims or outer.keepdims:
            return None
        return apply(Sum(_joined(inner, outer.axes)), x)

    return apply(outer, apply(inner, x)), once


def _joined(inner: Extremum | Sum, outer: Axes) -> Axes:
    """All axes of the operand that one reduction after the other folds."""
    rank = len(inner.axes) + len(outer) + max(outer, default=0) + 1
    kept = [axis for axis in range(rank) if axis not in inner.axes]
    return tuple(sorted((*inner.axes, *(kept[axis] for axis in outer))))


@rule.fast(exact_for="i", at=[(Sum((0,)), ROWS)])
def sum_of_minus(f: Sum, x: Node) -> Equation:
    """They differ in the sign of a zero."""
    return apply(f, -x), -apply(f, x)


@rule.fast(exact_for="i", alone=True, at=[(Sum((0,)), ROWS, SCALE)])
def sum_of_multiples(f: Sum, x: Node, c: Node) -> Equation:
    return apply(f, x * c), lambda: apply(f, x) * c if c.ndim == 0 < x.ndim else None


@rule.fast(alone=True, at=[(Sum((0,)), ROWS, SCALE)])
def sum_of_quotients(f: Sum, x: Node, c: Node) -> Equation:
    return apply(f, x / c), lambda: apply(f, x) / c if c.ndim == 0 < x.ndim else None
