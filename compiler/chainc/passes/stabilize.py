"""Formulas that lose accuracy, or overflow, in a form that does not.

    log(softmax(x))              →   x - max - log(sum(exp(x - max)))
    log(1 + exp(x))              →   softplus(x)
    log(1 - sigmoid(x))          →   -softplus(x)
    exp(x) - 1, log(1 + x)       →   expm1(x), log1p(x)
    where(c, g, 0) / x           →   where(c, g / x, 0)      in a gradient

and their derivatives, which were taken before: the gradient of a cross-entropy becomes
(softmax - target) / n. The rules are exact in this sense: for finite cotangents the right side is
at least as close to the true value (in units of its largest element, where there is a sum) and
finite wherever the left side is. A zero may change its sign, and a probability that is smaller
than the smallest normal number may become 0.
"""

from __future__ import annotations

import math

import numpy as np

from chainc.ir import Graph, Node, apply
from chainc.ir.leaves import Constant, SizeOf, constant
from chainc.ir.types import Shape, TensorType, broadcast, float32, int32, named
from chainc.ops import abs, exp, expm1, less, log, log1p, sigmoid, softplus, sqrt, tanh, where
from chainc.ops.arithmetic import Add, Divide, Multiply, Subtract
from chainc.ops.index import OneHot
from chainc.ops.logic import Cast, Where
from chainc.ops.movement import Reshape, broadcast_to, reshape
from chainc.ops.reduce import Max, Sum
from chainc.passes.canonicalize import canonical
from chainc.rewriting.rewrite import rewrite
from chainc.rewriting.rules import Equation, RuleSet
from chainc.rewriting.trace import in_gradient

rule = RuleSet()

Axes = tuple[int, ...]

LOGITS = TensorType((named("batch"), 3), float32)  # operands to test rules with
SCALE = TensorType((), float32)
LABELS = TensorType((named("batch"),), int32)


def stabilize(graph: Graph) -> Graph:
    """Replace unstable formulas and their derivatives.

    Needs: the canonical form. Leaves: the canonical form.
    """
    return rewrite(graph, (*rule, *canonical()))


# ----- logarithm and exponential


@rule.exact
def log_of_exp(x: Node) -> Equation:
    return log(exp(x)), x


@rule.exact
def log_of_sigmoid(x: Node) -> Equation:
    return log(sigmoid(x)), -softplus(-x)


@rule.exact
def log_of_one_minus_sigmoid(x: Node) -> Equation:
    return log(1 - sigmoid(x)), -softplus(x)


@rule.exact
def log1p_of_minus_sigmoid(x: Node) -> Equation:
    return log1p(-sigmoid(x)), -softplus(x)


@rule.exact
def log_of_one_plus(x: Node) -> Equation:
    return log(1 + x), log1p(x)


@rule.exact
def log_of_one_minus(x: Node) -> Equation:
    return log(1 - x), log1p(-x)


@rule.exact
def exp_minus_one(x: Node) -> Equation:
    return exp(x) - 1, expm1(x)


@rule.exact
def one_minus_exp(x: Node) -> Equation:
    return 1 - exp(x), -expm1(x)


@rule.exact
def root_of_square(x: Node) -> Equation:
    """The square may overflow, or vanish."""
    return sqrt(x * x), abs(x)


# The square of a root is smooth where the root is not: its derivative is 0 / 0 at 0, which is 1.


@rule.exact(at=[(SCALE, 2.0, 2.0)])
def cancel_root(x: Node, c: Constant, d: Constant) -> Equation:
    y = sqrt(x)
    quotient = broadcast_to(apply(c) / apply(d), x.shape)
    return y * apply(c) / (y * apply(d)), lambda: quotient if in_gradient() else None


@rule.exact(at=[(SCALE, 2.0)])
def cancel_root_alone(x: Node, d: Constant) -> Equation:
    y = sqrt(x)
    return y / (
        y * apply(d)
    ), lambda: broadcast_to(1 / apply(d), x.shape) if in_gradient() else None


@rule.exact(at=[(SCALE, SCALE, 2.0)])
def cancel_root_in_product(a: Node, x: Node, d: Constant) -> Equation:
    y = sqrt(x)
    return a * y / (y * apply(d)), lambda: a / apply(d) if in_gradient() else None


@rule.exact(at=[(SCALE, SCALE, 3.0, 2.0)])
def cancel_root_in_power(a: Node, x: Node, c: Constant, d: Constant) -> Equation:
    y = sqrt(x)

    def lower() -> Node | None:
        above = bool(np.all(np.greater(c.value.array, 1)))
        return y ** (apply(c) - 1) * a / apply(d) if above and in_gradient() else None

    return y ** apply(c) * a / (y * apply(d)), lower


# ----- sigmoid, softplus, tanh


@rule.exact
def softplus_of_log1p(x: Node) -> Equation:
    return log1p(exp(x)), softplus(x)


@rule.exact
def softplus_minus_operand(x: Node) -> Equation:
    return softplus(x) - x, softplus(-x)


@rule.exact
def sigmoid_of_reciprocal(x: Node) -> Equation:
    return 1 / (1 + exp(x)), sigmoid(-x)


@rule.exact
def sigmoid_of_quotient(x: Node) -> Equation:
    return exp(x) / (1 + exp(x)), sigmoid(x)


@rule.exact
def sigmoid_of_product(x: Node) -> Equation:
    return exp(x) * sigmoid(-x), sigmoid(x)


@rule.exact
def scaled_sigmoid(a: Node, x: Node) -> Equation:
    """Also the derivative of log(1 + exp(x)), and of 1 / (1 + exp(x))."""
    return a / (1 + exp(x)) * exp(x), a * sigmoid(x)


@rule.exact
def tanh_of_exponentials(x: Node) -> Equation:
    return (exp(x) - exp(-x)) / (exp(x) + exp(-x)), tanh(x)


# The derivative of t log(σ) + (1 - t) log(1 - σ) divides by σ and 1 - σ, which σ (1 - σ) cancels.


@rule.exact
def cancel_sigmoid(a: Node, x: Node) -> Equation:
    s = sigmoid(x)
    return a / s * ((1 - s) * s), a * (1 - s)


@rule.exact
def cancel_one_minus_sigmoid(a: Node, x: Node) -> Equation:
    s = sigmoid(x)
    return a / (1 - s) * ((1 - s) * s), a * s


@rule.exact
def cancel_both(a: Node, b: Node, x: Node) -> Equation:
    s = sigmoid(x)
    return (a / (1 - s) - b / s) * ((1 - s) * s), a * s - b * (1 - s)


@rule.exact
def sigmoid_minus_target(w: Node, t: Node, x: Node) -> Equation:
    s = sigmoid(x)
    return w * (1 - t) * s - w * t * (1 - s), (s - t) * w


# ----- softmax


@rule.exact(at=[((1,), LOGITS), ((0, 1), LOGITS)])
def softmax_shifted(axes: Axes, x: Node) -> Equation:
    """The largest exponent becomes 0, so that none overflows."""

    def shifted() -> Node | None:
        if _is_shifted(x, axes) or _is_empty(x, axes):
            return None
        e = exp(x - _finite_maximum(x, axes))
        return e / apply(Sum(axes, True), e)

    return exp(x) / apply(Sum(axes, True), exp(x)), shifted


@rule.exact(at=[((1,), True, LOGITS), ((1,), False, LOGITS)])
def log_of_sum_of_exp(axes: Axes, keepdims: bool, x: Node) -> Equation:
    y = log(apply(Sum(axes, keepdims), exp(x)))

    def shifted() -> Node | None:
        if _is_shifted(x, axes) or _is_empty(x, axes):
            return None
        m = _finite_maximum(x, axes)
        return reshape(log(apply(Sum(axes, True), exp(x - m))) + m, y.shape)

    return y, shifted


def _finite_maximum(x: Node, axes: Axes) -> Node:
    """The maximum, or 0 in place of an infinite one, which would give ∞ - ∞."""
    largest = apply(Max(axes, True), x)
    return where(less(abs(largest), math.inf), largest, 0)


def _is_empty(x: Node, axes: Axes) -> bool:
    """Is there no element along the axes, and so no largest one?"""
    return any(x.shape[axis] == 0 for axis in axes)


def _is_shifted(x: Node, axes: Axes) -> bool:
    """Is x a difference from its maximum?"""
    if not isinstance(x.op, Subtract):
        return False
    base, shift = x.inputs
    if isinstance(shift.op, Where):
        shift = shift.inputs[1]
    return shift.op == Max(axes, True) and shift.inputs[0] is base


@rule.exact(at=[((0,), LOGITS, LOGITS), ((0, 1), LOGITS, LOGITS)])
def softmax_with_kept_axes(axes: Axes, g: Node, x: Node) -> Equation:
    """The first axes may be left out, for the shapes then fit as if they had been kept."""

    def with_kept_axes() -> Node | None:
        if axes != tuple(range(len(axes))) or g.ndim != x.ndim:
            return None
        return g / apply(Sum(axes, True), exp(x))

    return g / apply(Sum(axes, False), exp(x)), with_kept_axes


@rule.exact(at=[((1,), True, LOGITS), ((1,), False, LOGITS)])
def minus_out_of_sum(axes: Axes, keepdims: bool, x: Node) -> Equation:
    return apply(Sum(axes, keepdims), -x), -apply(Sum(axes, keepdims), x)


@rule.exact(at=[((1,), LOGITS)])
def log_of_softmax(axes: Axes, x: Node) -> Equation:
    return log(exp(x) / apply(Sum(axes, True), exp(x))), x - log(apply(Sum(axes, True), exp(x)))


@rule.exact(at=[((1,), LOGITS)])
def log_softmax(axes: Axes, x: Node) -> Equation:
    """The difference from the maximum is small, and there already."""
    d = x - apply(Max(axes, True), x)
    total = apply(Sum(axes, True), exp(d))
    return x - (log(total) + apply(Max(axes, True), x)), d - log(total)


@rule.exact(at=[((1,), LOGITS)])
def log_softmax_of_finite(axes: Axes, x: Node) -> Equation:
    m = _finite_maximum(x, axes)
    total = apply(Sum(axes, True), exp(x - m))
    return x - (log(total) + m), x - m - log(total)


# The derivative of a softmax p = e / s, e = exp(x), s = sum(e), for the cotangent g is
# e (g / s - sum(g p / s)): s is taken out of it, and p put together.


@rule.exact(at=[((1,), (1,), LOGITS, LOGITS)])
def sum_over_softmax_denominator(outer: Axes, axes: Axes, g: Node, x: Node) -> Equation:
    s = apply(Sum(axes, True), exp(x))
    y = apply(Sum(outer, True), g / s)
    return y, lambda: apply(Sum(axes, True), g) / s if outer == axes and g.ndim == x.ndim else None


@rule.exact(at=[((1,), LOGITS, LOGITS, LOGITS)])
def difference_over_softmax_denominator(axes: Axes, a: Node, b: Node, x: Node) -> Equation:
    s = apply(Sum(axes, True), exp(x))
    return a / s - b / s, (a - b) / s


@rule.exact(at=[((1,), LOGITS, LOGITS, LOGITS)])
def sum_of_two_over_softmax_denominator(axes: Axes, a: Node, b: Node, x: Node) -> Equation:
    s = apply(Sum(axes, True), exp(x))
    return a / s + b / s, (a + b) / s


@rule.exact(at=[((1,), LOGITS, LOGITS), ((1,), SCALE, LOGITS)])
def softmax_times(axes: Axes, g: Node, x: Node) -> Equation:
    """Also the derivative of log(sum(exp(x)))."""
    s = apply(Sum(axes, True), exp(x))
    again = g.op == exp and g.inputs[0] is x  # both sides are the same
    return g / s * exp(x), lambda: None if again else exp(x) / s * g


@rule.exact(at=[((1,), False, (named("batch"), 1), SCALE, LOGITS)])
def softmax_times_reshaped(axes: Axes, keepdims: bool, shape: Shape, g: Node, x: Node) -> Equation:
    s = apply(Sum(axes, keepdims), exp(x))
    total = apply(Sum(axes, True), exp(x))

    def with_kept_axes() -> Node | None:
        if shape != total.shape:
            return None
        return exp(x) / total * reshape(broadcast_to(g, s.shape), shape)

    return apply(Reshape(shape), g / s) * exp(x), with_kept_axes


@rule.exact(at=[((1,), LOGITS, LOGITS), ((1,), SCALE, LOGITS)])
def cancel_softmax(axes: Axes, g: Node, x: Node) -> Equation:
    p = exp(x) / apply(Sum(axes, True), exp(x))
    return g / p * p, lambda: broadcast_to(g, broadcast(g.shape, x.shape) or ())


@rule.exact(at=[((1,), LOGITS, LOGITS, LOGITS)])
def cancel_softmax_on_the_left(axes: Axes, a: Node, g: Node, x: Node) -> Equation:
    p = exp(x) / apply(Sum(axes, True), exp(x))
    return (g / p - a) * p, g - a * p


@rule.exact(at=[((1,), LOGITS, LOGITS, LOGITS)])
def cancel_softmax_on_the_right(axes: Axes, a: Node, g: Node, x: Node) -> Equation:
    p = exp(x) / apply(Sum(axes, True), exp(x))
    return (a - g / p) * p, a * p - g


@rule.exact(at=[((1,), SCALE, SCALE, LOGITS)])
def number_over_softmax_denominator(axes: Axes, c: Node, g: Node, x: Node) -> Equation:
    s = apply(Sum(axes, True), exp(x))
    return g / s * c, lambda: g * c / s if c.ndim == g.ndim == 0 else None


@rule.exact(at=[((1,), LOGITS, LOGITS, SCALE)])
def softmax_minus_target(axes: Axes, x: Node, t: Node, w: Node) -> Equation:
    p = exp(x) / apply(Sum(axes, True), exp(x))
    return p * w - t * w, (p - t) * w


@rule.exact(at=[((1,), True, OneHot(3), LABELS, 2.0), ((1,), False, OneHot(3), LABELS, 2.0)])
def sum_of_one_hot(axes: Axes, keepdims: bool, code: OneHot, i: Node, c: Node) -> Equation:
    """There is one 1 in each row; the other products are 0, for c is finite."""
    y = apply(Sum(axes, keepdims), apply(code, i) * c)

    def picked() -> Node | None:
        if axes != (i.ndim,) or c.ndim or not _is_finite(c):
            return None
        return broadcast_to(c, y.shape)

    return y, picked


@rule.exact(at=[((1,), True, OneHot(3), LABELS), ((1,), False, OneHot(3), LABELS)])
def sum_of_one_hot_alone(axes: Axes, keepdims: bool, code: OneHot, i: Node) -> Equation:
    y = apply(Sum(axes, keepdims), apply(code, i))
    return y, lambda: _ones(y) if axes == (i.ndim,) else None


def _ones(like: Node) -> Node:
    return broadcast_to(constant(1, like.type.dtype), like.shape)


@rule.exact(at=[(OneHot(3), LABELS, 2.0)])
def where_one_hot(code: OneHot, i: Node, c: Node) -> Equation:
    """Products with 1 and 0, for c is finite: in the derivative of a loss, one subtraction."""
    target = apply(code, i)
    return where(0 < target, c, 0), lambda: target * c if not c.ndim and _is_finite(c) else None


@rule.exact
def where_minus(c: Node, a: Node) -> Equation:
    return where(c, -a, 0), -where(c, a, 0)


def _is_finite(x: Node) -> bool:
    """Is it finite whatever the inputs are? Known of what is made of positive numbers and sizes."""
    waiting = [x]
    while waiting:
        node = waiting.pop()
        if isinstance(node.op, Constant):
            array = node.op.value.array
            if not (np.all(np.greater(array, 0)) and np.all(np.isfinite(array))):
                return False
        elif not isinstance(node.op, SizeOf | Cast | Add | Multiply | Divide):
            return False
        waiting.extend(node.inputs)
    return True


# ----- the derivative of where: 0 where the branch was not taken, though its factor be infinite


@rule.exact
def times_where_taken(c: Node, a: Node, b: Node) -> Equation:
    return where(c, a, 0) * b, lambda: where(c, a * b, 0) if in_gradient() else None


@rule.exact
def times_where_not_taken(c: Node, a: Node, b: Node) -> Equation:
    return where(c, 0, a) * b, lambda: where(c, 0, a * b) if in_gradient() else None


@rule.exact
def where_taken_over(c: Node, a: Node, b: Node) -> Equation:
    return where(c, a, 0) / b, lambda: where(c, a / b, 0) if in_gradient() else None


@rule.exact
def where_not_taken_over(c: Node, a: Node, b: Node) -> Equation:
    return where(c, 0, a) / b, lambda: where(c, 0, a / b) if in_gradient() else None


@rule.exact
def sum_where_taken(c: Node, a: Node, b: Node) -> Equation:
    return where(c, a, 0) + where(c, b, 0), where(c, a + b, 0)


@rule.exact
def sum_where_not_taken(c: Node, a: Node, b: Node) -> Equation:
    return where(c, 0, a) + where(c, 0, b), where(c, 0, a + b)
