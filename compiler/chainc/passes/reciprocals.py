"""Many quotients by one number: its reciprocal is computed once.

    e / sum(e)      →   e * (1 / sum(e))       rows of a softmax
    d / n           →   d * (1 / n)            a mean over a named size

A division takes several times as long as a product. The reciprocal is rounded and so is the
product, which may change the last bit. Nothing else changes, for the divisors are known to lie
where a reciprocal neither overflows nor underflows: a named size, and a sum of exponentials of
which the largest is 1.

Needs: no rule that looks for quotients comes later. Leaves: other divisions as they are.
"""

from __future__ import annotations

from chainc.ir import Graph, Node, apply
from chainc.ir.leaves import SizeOf
from chainc.ir.types import Shape, TensorType, float32, named
from chainc.ops import exp
from chainc.ops.logic import Cast
from chainc.ops.movement import Reshape
from chainc.ops.reduce import Max, Sum
from chainc.passes.rules.softmax import finite_maximum
from chainc.rewriting.rewrite import rewrite
from chainc.rewriting.rules import Equation, RuleSet

rule = RuleSet()

Axes = tuple[int, ...]

ROWS = TensorType((named("batch"), 3), float32)  # operands to test rules with


def reciprocals(graph: Graph) -> Graph:
    """Products in the place of quotients of many elements by one."""
    return rewrite(graph, rule, fast_math=True)


@rule.fast(at=[((1,), ROWS, ROWS)])
def over_softmax_denominator(axes: Axes, g: Node, x: Node) -> Equation:
    return _multiplied(g, apply(Sum(axes, True), exp(x - finite_maximum(x, axes))))


@rule.fast(at=[((1,), (named("batch"), 1), ROWS, ROWS)])
def over_reshaped_denominator(axes: Axes, shape: Shape, g: Node, x: Node) -> Equation:
    """Where the logarithm of the same sum is needed too, it has no axis of length 1."""
    s = apply(Sum(axes, False), exp(x - finite_maximum(x, axes)))
    divisor = apply(Reshape(shape), s)
    y = g / divisor
    return y, lambda: g * apply(Reshape(shape), 1 / s) if divisor.shape != y.shape else None


@rule.fast(at=[((1,), ROWS, ROWS)])
def over_shifted_denominator(axes: Axes, g: Node, x: Node) -> Equation:
    return _multiplied(g, apply(Sum(axes, True), exp(x - apply(Max(axes, True), x))))


@rule.fast(at=[(SizeOf(named("batch")), Cast(float32), ROWS)])
def over_size(size: SizeOf, cast: Cast, x: Node) -> Equation:
    return _multiplied(x, apply(cast, apply(size)))


def _multiplied(x: Node, divisor: Node) -> Equation:
    y = x / divisor
    return y, lambda: x * (1 / divisor) if divisor.shape != y.shape else None
