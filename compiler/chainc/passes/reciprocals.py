"""Many quotients by one number: its reciprocal is computed once.

    e / sum(e)      →   e * (1 / sum(e))       rows of a softmax
    d / n           →   d * (1 / n)            a mean over a named size
    d / √v          →   d * (1 / √v)           a feature that is normalised

A division takes several times as long as a product. The reciprocal is rounded and so is the
product, which may change the last bit. Nothing else changes, for the divisors are known to lie
where a reciprocal neither overflows nor underflows: a named size, a sum of exponentials of which
the largest is 1, and a root, which has half the exponents there are.

Needs: no rule that looks for quotients comes later. Leaves: other divisions as they are.
"""

from __future__ import annotations

from chainc.ir import Graph, Node, apply
from chainc.ir.leaves import SizeOf
from chainc.ir.types import Axes, Shape, TensorType, float32, named
from chainc.ops import exp, sqrt
from chainc.ops.logic import Cast
from chainc.ops.movement import Reshape
from chainc.ops.reduce import Max, Sum
from chainc.passes.rules.softmax import finite_maximum
from chainc.rewriting.rewrite import rewrite
from chainc.rewriting.rules import Equation, RuleSet

rule = RuleSet()


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


@rule.fast(at=[(ROWS, TensorType((3,), float32))])
def over_root(x: Node, v: Node) -> Equation:
    return _multiplied(x, sqrt(v))


@rule.fast(at=[((3,), ROWS, TensorType((1, 3), float32))])
def over_reshaped_root(shape: Shape, x: Node, v: Node) -> Equation:
    root = sqrt(v)
    divisor = apply(Reshape(shape), root)
    y = x / divisor
    return y, lambda: x * apply(Reshape(shape), 1 / root) if divisor.shape != y.shape else None


def _multiplied(x: Node, divisor: Node) -> Equation:
    y = x / divisor
    return y, lambda: x * (1 / divisor) if divisor.shape != y.shape else None
