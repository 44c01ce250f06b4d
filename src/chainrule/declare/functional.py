"""Functions composed of primitive ops, each in a box with its name, stable for all floats."""

from __future__ import annotations

import math

from chainc.ir import Node, Operand, scope
from chainc.ir.leaves import as_nodes
from chainc.ops import erf, exp, expm1, logsumexp, max, minimum, stop_gradient, sum, where
from chainc.ops.movement import normalize_axes
from chainrule.declare.arguments import number

__all__ = ["elu", "gelu", "leaky_relu", "log_softmax", "softmax"]


def softmax(x: Operand, axis: int = -1) -> Node:
    """e^x / Σ e^x along `axis`; the largest x is subtracted first, so nothing overflows."""
    (x,) = as_nodes(x)
    axes = normalize_axes("softmax", axis, x.ndim)
    with scope("softmax"):
        exponentials = exp(x - stop_gradient(max(x, axes, keepdims=True)))
        return exponentials / sum(exponentials, axes, keepdims=True)


def log_softmax(x: Operand, axis: int = -1) -> Node:
    """Ln softmax(x), as x - ln Σ e^x, which is finite where the softmax itself rounds to 0."""
    (x,) = as_nodes(x)
    axes = normalize_axes("log_softmax", axis, x.ndim)
    with scope("log_softmax"):
        return x - logsumexp(x, axes, keepdims=True)


def leaky_relu(x: Operand, slope: float = 0.01) -> Node:
    """X where x is positive, else slope · x."""
    (x,) = as_nodes(x)
    factor = number("leaky_relu", "slope", slope, hint="give a small number, such as 0.01")
    with scope("leaky_relu"):
        return where(0 < x, x, factor * x)


def elu(x: Operand, scale: float = 1.0) -> Node:
    """X where x is positive, else scale · (e^x - 1) (Clevert, Unterthiner, Hochreiter 2016)."""
    (x,) = as_nodes(x)
    factor = number("elu", "scale", scale, above=0, hint="give a positive number, such as 1")
    with scope("elu"):
        # the branch not taken is kept finite, for its derivative is multiplied by 0; the second
        # operand of a minimum has the derivative where both are equal
        return where(0 < x, x, factor * expm1(minimum(0.0, x)))


def gelu(x: Operand) -> Node:
    """X · Φ(x), Φ the normal distribution function (Hendrycks and Gimpel 2016)."""
    (x,) = as_nodes(x)
    with scope("gelu"):
        return 0.5 * x * (1.0 + erf(x / math.sqrt(2)))
