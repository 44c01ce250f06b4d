"""Rules of `stabilize` about softmax, the logarithm of a sum of exponentials, and one-hot codes."""

from __future__ import annotations

import numpy as np

from chainc.ir import Node, apply
from chainc.ir.leaves import Constant, SizeOf, constant
from chainc.ir.types import Axes, Shape, TensorType, broadcast, float32, int32, named
from chainc.ops import exp, log, where
from chainc.ops.arithmetic import Add, Divide, Multiply, Subtract
from chainc.ops.index import OneHot, pick
from chainc.ops.logic import Cast, Where
from chainc.ops.movement import Reshape, broadcast_to, reshape
from chainc.ops.reduce import Max, Sum, zero_unless_finite
from chainc.rewriting.rules import Equation, RuleSet

rule = RuleSet()


LOGITS = TensorType((named("batch"), 3), float32)  # operands to test rules with
SCALE = TensorType((), float32)
LABELS = TensorType((named("batch"),), int32)


@rule.exact(at=[((1,), LOGITS), ((0, 1), LOGITS)])
def softmax_shifted(axes: Axes, x: Node) -> Equation:
    """The largest exponent becomes 0, so that none overflows."""

    def shifted() -> Node | None:
        if _is_shifted(x, axes) or _is_empty(x, axes):
            return None
        e = exp(x - finite_maximum(x, axes))
        return e / apply(Sum(axes, True), e)

    return exp(x) / apply(Sum(axes, True), exp(x)), shifted


@rule.exact(at=[((1,), True, LOGITS), ((1,), False, LOGITS)])
def log_of_sum_of_exp(axes: Axes, keepdims: bool, x: Node) -> Equation:
    y = log(apply(Sum(axes, keepdims), exp(x)))

    def shifted() -> Node | None:
        if _is_shifted(x, axes) or _is_empty(x, axes):
            return None
        m = finite_maximum(x, axes)
        return reshape(log(apply(Sum(axes, True), exp(x - m))) + m, y.shape)

    return y, shifted


def finite_maximum(x: Node, axes: Axes) -> Node:
    """The maximum, or 0 in place of an infinite one."""
    return zero_unless_finite(apply(Max(axes, True), x))


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
    m = finite_maximum(x, axes)
    total = apply(Sum(axes, True), exp(x - m))
    return x - (log(total) + m), x - m - log(total)


# The derivative of a softmax p = e / s, e = exp(x), s = sum(e), for the cotangent g is
# e (g / s - sum(g p / s)): s is taken out of it, and p put together.


@rule.exact(at=[((1,), (1,), LOGITS, LOGITS)])
def sum_over_softmax_denominator(outer: Axes, axes: Axes, g: Node, x: Node) -> Equation:
    s = apply(Sum(axes, True), exp(x))
    y = apply(Sum(outer, True), g / s)

    def divided_once() -> Node | None:
        """Of an empty axis the sum is 0, and so is the denominator."""
        if outer != axes or g.ndim != x.ndim or any(x.shape[axis] == 0 for axis in axes):
            return None
        return apply(Sum(axes, True), g) / s

    return y, divided_once


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


@rule.exact(at=[((1,), LOGITS, LABELS)])
def picked_from_difference(axes: Axes, x: Node, i: Node) -> Equation:
    """The maximum is taken off one element of a row, not off all."""
    m = finite_maximum(x, axes)

    def picked() -> Node | None:
        if axes != (i.ndim,):
            return None
        return pick(x, i) - reshape(m, i.shape)

    return pick(x - m, i), picked


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
