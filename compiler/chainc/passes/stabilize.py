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
than the smallest normal number may become 0. Those about softmax stand in `rules/softmax.py`.
"""

from __future__ import annotations

import numpy as np

from chainc.ir import Graph, Node, apply
from chainc.ir.leaves import Constant
from chainc.ir.types import TensorType, float32
from chainc.ops import abs, exp, expm1, log, log1p, sigmoid, softplus, sqrt, tanh, where
from chainc.ops.movement import broadcast_to
from chainc.passes.canonicalize import canonical
from chainc.passes.rules import softmax
from chainc.rewriting.rewrite import rewrite
from chainc.rewriting.rules import Equation, RuleSet
from chainc.rewriting.trace import in_gradient

rule = RuleSet()

SCALE = TensorType((), float32)  # an operand to test rules with


def stabilize(graph: Graph) -> Graph:
    """Replace unstable formulas and their derivatives.

    Needs: the canonical form. Leaves: the canonical form.
    """
    return rewrite(graph, (*rule, *softmax.rule, *canonical()))


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
