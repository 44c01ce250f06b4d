"""Algebra. Exact rules keep every bit, or round less; fast rules hold for real numbers.

    x / 1, abs(-x), where(c, a, a) →   x, abs(x), a     exact
    x * (1 / y)                    →   x / y            exact: rounded once, not twice
    x * 0, x - x, x / x            →   0, 0, 1          fast: NaN for an infinite x
    a * c + b * c                  →   (a + b) * c      fast: other rounding

The rules about reductions stand in `rules/sums.py`, those about one-hot codes in `rules/codes.py`,
about windows in `rules/windows.py`, about logic and selection in `rules/logic.py`.
"""

from __future__ import annotations

import numpy as np

from chainc.ir import Graph, Node, apply
from chainc.ir.leaves import Constant, ConstantArray, constant
from chainc.ir.types import TensorType, float32, named
from chainc.ops import (
    abs,
    broadcast_to,
    exp,
    log,
    maximum,
    minimum,
    relu,
    softplus,
    sqrt,
)
from chainc.passes.canonicalize import canonical
from chainc.passes.rules import codes, logic, sums, windows
from chainc.rewriting.rewrite import rewrite
from chainc.rewriting.rules import Equation, Rule, RuleSet

rule = RuleSet()


BATCH = named("batch")
ROWS = TensorType((BATCH, 3), float32)  # operands to test rules with
SCALE = TensorType((), float32)


def simplify(graph: Graph) -> Graph:
    """Apply the exact rules.

    Needs: the canonical form. Leaves: the canonical form.
    """
    return rewrite(graph, _rules())


def simplify_fast(graph: Graph) -> Graph:
    """Apply all rules, also those that may change NaN, infinities, signed zeros or rounding.

    Needs: the canonical form. Leaves: the canonical form.
    """
    return rewrite(graph, _rules(), fast_math=True)


def _rules() -> tuple[Rule, ...]:
    return (*rule, *logic.rule, *sums.rule, *codes.rule, *windows.rule, *canonical())


def _filled(value: int, like: Node) -> Node:
    """A tensor of one number, of another's type."""
    return broadcast_to(constant(value, like.type.dtype), like.shape)


# ----- zero and one


@rule.exact
def over_one(x: Node) -> Equation:
    return x / 1, x


@rule.exact
def minus_zero(x: Node) -> Equation:
    return x - 0, x


@rule.fast(exact_for="i")
def plus_zero(x: Node) -> Equation:
    """-0 + 0 is 0."""
    return x + 0, x


@rule.fast(exact_for="i")
def zero_minus(x: Node) -> Equation:
    """0 - 0 is 0, not -0."""
    return 0 - x, -x


@rule.fast(exact_for="i")
def times_zero(x: Node) -> Equation:
    """0 times infinity is NaN."""
    return x * 0, lambda: _filled(0, x)


@rule.fast
def zero_over(x: Node) -> Equation:
    return 0 / x, lambda: _filled(0, x)


@rule.fast(exact_for="i")
def minus_itself(x: Node) -> Equation:
    return x - x, lambda: _filled(0, x)


@rule.fast
def over_itself(x: Node) -> Equation:
    return x / x, lambda: _filled(1, x)


# ----- powers


@rule.exact
def power_zero(x: Node) -> Equation:
    """IEEE: 1 also for 0 and NaN."""
    return x**0, lambda: _filled(1, x)


@rule.exact
def power_one(x: Node) -> Equation:
    return x**1, x


@rule.exact
def power_minus_one(x: Node) -> Equation:
    return x**-1, lambda: 1 / x if x.type.dtype.is_float else None


@rule.fast
def power_half(x: Node) -> Equation:
    """They differ at -0 and minus infinity."""
    return x**0.5, sqrt(x)


@rule.fast(exact_for="i")
def cube(x: Node) -> Equation:
    return x**3, x * x * x


# ----- quotients


@rule.exact
def times_reciprocal(x: Node, y: Node) -> Equation:
    """Rounded once, not twice."""
    return x * (1 / y), x / y


@rule.exact
def over_reciprocal(x: Node, y: Node) -> Equation:
    return x / (1 / y), x * y


@rule.exact
def reciprocal_of_quotient(x: Node, y: Node) -> Equation:
    return 1 / (x / y), y / x


@rule.exact(at=[(ROWS, 2.0), (ROWS, 0.125)])
def over_power_of_two(x: Node, c: Constant) -> Equation:
    return x / apply(c), lambda: x * _reciprocal(c) if _is_power_of_two(c) else None


@rule.fast(at=[(ROWS, 3.0)])
def over_number(x: Node, c: Constant) -> Equation:
    return x / apply(c), lambda: x * _reciprocal(c) if np.all(c.value.array) else None


def _reciprocal(c: Constant) -> Node:
    return apply(Constant(ConstantArray(np.reciprocal(c.value.array))))


def _is_power_of_two(c: Constant) -> bool:
    """Are c and 1 / c both exact?"""
    array = c.value.array.astype(np.float64)
    mantissas = np.frexp(array)[0]
    return bool(np.all(mantissas == 0.5) and np.all(np.abs(np.log2(array)) < 120))


@rule.fast
def quotient_over(x: Node, y: Node, z: Node) -> Equation:
    return x / y / z, x / (y * z)


@rule.fast
def over_quotient(x: Node, y: Node, z: Node) -> Equation:
    return x / (y / z), x * z / y


@rule.fast
def quotient_times_denominator(x: Node, y: Node) -> Equation:
    return x / y * y, x


@rule.fast
def product_over_factor(x: Node, y: Node) -> Equation:
    return x * y / y, x


@rule.fast(at=[(ROWS, SCALE, 2.0)])
def quotient_times_number(x: Node, y: Node, c: Constant) -> Equation:
    """One product for each element in place of two operations."""
    return x / y * apply(c), lambda: x * (apply(c) / y) if y.ndim == 0 < x.ndim else None


# ----- signs, absolute values, extremes


@rule.fast(exact_for="i")
def minus_difference(a: Node, b: Node) -> Equation:
    """They differ in the sign of a zero."""
    return -(a - b), b - a


@rule.fast(exact_for="i")
def minus_minus_operand_first(a: Node, b: Node) -> Equation:
    """They differ in the sign of a zero."""
    return -a - b, -(a + b)


@rule.exact
def abs_of_minus(x: Node) -> Equation:
    return abs(-x), abs(x)


@rule.exact
def abs_of_abs(x: Node) -> Equation:
    return abs(abs(x)), abs(x)


@rule.exact
def abs_of_square(x: Node) -> Equation:
    return abs(x * x), lambda: x * x if x.type.dtype.is_float else None  # integers may overflow


@rule.exact
def abs_of_exp(x: Node) -> Equation:
    return abs(exp(x)), exp(x)


@rule.exact
def square_of_abs(x: Node) -> Equation:
    return abs(x) * abs(x), x * x


@rule.exact
def relu_of_relu(x: Node) -> Equation:
    return relu(relu(x)), relu(x)


@rule.exact
def maximum_of_same(x: Node) -> Equation:
    return maximum(x, x), x


@rule.exact
def minimum_of_same(x: Node) -> Equation:
    return minimum(x, x), x


# ----- exponentials


@rule.fast
def exp_of_log(x: Node) -> Equation:
    return exp(log(x)), x


@rule.fast(alone=True)
def product_of_exp(a: Node, b: Node) -> Equation:
    return exp(a) * exp(b), exp(a + b)


@rule.fast(alone=True)
def quotient_of_exp(a: Node, b: Node) -> Equation:
    return exp(a) / exp(b), exp(a - b)


@rule.fast
def log_of_power(x: Node, y: Node) -> Equation:
    """For positive x."""
    return log(x**y), log(x) * y


@rule.fast
def square_of_root(x: Node) -> Equation:
    return sqrt(x) * sqrt(x), x


@rule.fast
def cross_entropy_of_two(t: Node, x: Node) -> Equation:
    """One softplus in place of two, since softplus(-x) = softplus(x) - x."""
    return t * softplus(-x) + (1 - t) * softplus(x), softplus(x) - t * x


# ----- numbers meet, factors come out


@rule.fast(exact_for="i", at=[(ROWS, 2.0, 3.0)])
def sum_of_numbers(x: Node, c: Constant, d: Constant) -> Equation:
    return x + apply(c) + apply(d), x + (apply(c) + apply(d))


@rule.fast(exact_for="i", at=[(ROWS, 2.0, 3.0)])
def sum_and_difference_of_numbers(x: Node, c: Constant, d: Constant) -> Equation:
    return x + apply(c) - apply(d), x + (apply(c) - apply(d))


@rule.fast(exact_for="i", at=[(ROWS, 2.0, 3.0)])
def difference_and_sum_of_numbers(x: Node, c: Constant, d: Constant) -> Equation:
    return x - apply(c) + apply(d), x + (apply(d) - apply(c))


@rule.fast(exact_for="i", at=[(ROWS, 2.0, 3.0)])
def difference_of_numbers(x: Node, c: Constant, d: Constant) -> Equation:
    return x - apply(c) - apply(d), x - (apply(c) + apply(d))


@rule.fast(exact_for="i", at=[(ROWS, 2.0, 3.0)])
def product_of_numbers(x: Node, c: Constant, d: Constant) -> Equation:
    return x * apply(c) * apply(d), x * (apply(c) * apply(d))


@rule.fast(exact_for="i", alone=True)
def common_factor_of_sum(a: Node, b: Node, c: Node) -> Equation:
    return a * c + b * c, (a + b) * c


@rule.fast(exact_for="i", alone=True)
def common_factor_of_difference(a: Node, b: Node, c: Node) -> Equation:
    return a * c - b * c, (a - b) * c
