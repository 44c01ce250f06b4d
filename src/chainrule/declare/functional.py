"""Functions composed of primitive ops, each in a box with its name, stable for all floats."""

from __future__ import annotations

import math

import numpy as np

from chainc.ir import Node, Operand, describe, scope
from chainc.ir.errors import DTypeError, InputError
from chainc.ir.leaves import as_nodes
from chainc.ops import (
    erf,
    exp,
    expm1,
    logsumexp,
    max,
    maximum,
    minimum,
    sigmoid,
    stop_gradient,
    sum,
    tanh,
    where,
)
from chainc.ops.movement import normalize_axes
from chainrule.declare.arguments import is_one_of, number

__all__ = ["elu", "gelu", "leaky_relu", "log_softmax", "silu", "softmax"]

SATURATED = 20.0  # beyond it the tanh of `gelu` is 1 or -1 in every floating-point type


def softmax(x: Operand, axis: int = -1, where: Node | None = None) -> Node:
    """e^x / Σ e^x along `axis`; the largest x is subtracted first, so nothing overflows.

    Args:
        x: any node.
        axis: along which the results add up to 1.
        where: which elements take part, as truth values that broadcast to x. The others are 0, in
            their derivatives too, even where none takes part.

    Raises:
        DTypeError: `where` is of other values.
    """
    (x,) = as_nodes(x)
    axes = normalize_axes("softmax", axis, x.ndim)
    with scope("softmax"):
        return _softmax(x, axes) if where is None else _masked_softmax(x, axes, where)


def _softmax(x: Node, axes: tuple[int, ...]) -> Node:
    exponentials = exp(x - stop_gradient(max(x, axes, keepdims=True)))
    return exponentials / sum(exponentials, axes, keepdims=True)


def _masked_softmax(x: Node, axes: tuple[int, ...], mask: Node) -> Node:
    """What does not take part is very small, not -∞: where nothing does, nothing is NaN either."""
    (mask,) = as_nodes(mask)
    if not mask.dtype.is_bool:
        raise DTypeError(
            f"softmax: where={describe(mask)} is of no truth values",
            hint="compare, such as where=0 < mask",
        )
    lowest = float(np.finfo(x.dtype.name).min) if x.dtype.is_float else 0.0
    return where(mask, _softmax(where(mask, x, lowest), axes), 0.0)


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


def gelu(x: Operand, approximate: str = "none") -> Node:
    """X · Φ(x), Φ the normal distribution function (Hendrycks and Gimpel 2016).

    With "tanh", as in GPT-2, Φ(x) ≈ (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2, within 5e-4.

    Args:
        x: any node.
        approximate: "none" or "tanh", as in PyTorch.

    Raises:
        InputError: there is no such form.
    """
    (x,) = as_nodes(x)
    if not is_one_of(approximate, ("none", "tanh")):
        raise InputError(
            f"gelu: there is no form {approximate!r}",
            hint='give approximate="none" for the exact one, or "tanh"',
        )
    with scope("gelu"):
        if approximate == "none":
            return 0.5 * x * (1.0 + erf(math.sqrt(0.5) * x))
        near = maximum(minimum(x, SATURATED), -SATURATED)  # whose cube does not overflow
        return (
            0.5
            * x
            * (1.0 + tanh(math.sqrt(2 / math.pi) * (near + 0.044715 * (near * near * near))))
        )


def silu(x: Operand) -> Node:
    """X · σ(x), also called swish (Hendrycks and Gimpel 2016; Elfwing et al. 2017)."""
    (x,) = as_nodes(x)
    with scope("silu"):
        return x * sigmoid(x)
