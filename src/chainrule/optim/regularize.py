"""Regularisation: penalties to be added to a loss, and constraints on weights.

    weights = [p for p in model.parameters() if p.ndim > 1]
    step = optim.SGD(lr=0.1).minimize(loss + regularize.l2(1e-4, weights))
    held = optim.SGD(lr=0.1, constraints=[regularize.max_norm(3.0)]).minimize(loss)

A penalty is a scalar node. In `signal=` of an optimizer it changes the signals alone, and the loss
that is reported is without it.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainc.autodiff import grad
from chainc.ir import Node, describe, scope
from chainc.ir.errors import DTypeError, GradientError, GraphError, InputError, ShapeError
from chainc.ops import abs, equal, mean, sqrt, square, sum, where
from chainrule.declare.arguments import number
from chainrule.optim.constraints import Constraint, Nodes, max_norm, non_negative, unit_norm

__all__ = [
    "Constraint",
    "activity",
    "elastic_net",
    "gradient_penalty",
    "l1",
    "l2",
    "max_norm",
    "non_negative",
    "unit_norm",
]


def __dir__() -> list[str]:
    return list(__all__)


Rate = float | Node


def l1(rate: Rate, weights: Nodes) -> Node:
    """Rate · Σ |w|: each step takes the same off every weight, and small ones arrive near 0.

    The derivative is rate · sign(w), 0 at 0 (Tibshirani 1996, the lasso).

    Args:
        rate: a number, at least 0, or a scalar node.
        weights: a node or several.

    Raises:
        InputError: the rate is negative.
        GraphError: there is no weight.
        DTypeError: a weight is not floating-point.
    """
    strength, nodes = _rate("l1", rate), _nodes("l1", weights)
    with scope("l1"):
        return strength * _total([sum(abs(node)) for node in nodes])


def l2(rate: Rate, weights: Nodes) -> Node:
    """Rate / 2 · Σ w²: each step shrinks every weight by a share of itself.

    The half makes the derivative rate · w, which is PyTorch's weight_decay=rate of SGD and Adam;
    Keras's l2 is without the half (Hoerl and Kennard 1970, ridge regression).

    Args:
        rate: a number, at least 0, or a scalar node.
        weights: a node or several.

    Raises:
        InputError: the rate is negative.
        GraphError: there is no weight.
        DTypeError: a weight is not floating-point.
    """
    strength, nodes = _rate("l2", rate), _nodes("l2", weights)
    with scope("l2"):
        return 0.5 * strength * _total([sum(square(node)) for node in nodes])


def elastic_net(rate: Rate, weights: Nodes, l1_ratio: float = 0.5) -> Node:
    """Rate · (ρ Σ |w| + (1 - ρ)/2 Σ w²), ρ the part of L1 (Zou and Hastie 2005).

    As in scikit-learn's ElasticNet; 1 is `l1`, 0 is `l2`.

    Args:
        rate: a number, at least 0, or a scalar node.
        weights: a node or several.
        l1_ratio: ρ, from 0 to 1.

    Raises:
        InputError: the rate is negative, or the ratio not from 0 to 1.
        GraphError: there is no weight.
        DTypeError: a weight is not floating-point.
    """
    strength, nodes = _rate("elastic_net", rate), _nodes("elastic_net", weights)
    ratio = number("elastic_net", "l1_ratio", l1_ratio, at_least=0, hint=RATIO)
    if ratio > 1:
        raise InputError(f"elastic_net: l1_ratio must be at most 1, got {l1_ratio!r}", hint=RATIO)
    with scope("elastic_net"):
        lengths = _total([sum(abs(node)) for node in nodes])
        squares = _total([sum(square(node)) for node in nodes])
        return strength * (ratio * lengths + 0.5 * (1.0 - ratio) * squares)


RATIO = "give a number from 0 to 1, such as l1_ratio=0.5"


def activity(rate: Rate, activations: Nodes) -> Node:
    """Rate · Σ |a| / rows: what makes activations sparse (Glorot, Bordes and Bengio 2011).

    Divided by the rows, as in Keras, so that it does not depend on the size of a batch.

    Args:
        rate: a number, at least 0, or a scalar node.
        activations: a node (batch, ...), or several.

    Raises:
        InputError: the rate is negative.
        GraphError: there is no node.
        DTypeError: a node is not floating-point.
        ShapeError: a node has no rows.
    """
    strength, nodes = _rate("activity", rate), _nodes("activity", activations)
    for node in nodes:
        _check_rows("activity", node)
    with scope("activity"):
        return strength * _total([mean(_over_features(abs(node))) for node in nodes])


def gradient_penalty(
    critic_output: Node, inputs: Node, rate: Rate = 10.0, target: float = 1.0
) -> Node:
    """Rate · the mean over rows of (‖∂ output / ∂ inputs‖ - target)²: WGAN-GP.

        mixed = share * real + (1 - share) * fake
        loss = critic_loss + regularize.gradient_penalty(critic(mixed), mixed)

    It holds the slope of a critic near 1 between real and generated rows (Gulrajani et al. 2017,
    equation 3). At a row whose gradient is 0 the derivative of its length is taken as 0, as in
    PyTorch. No row may have a part in the output of another.

    Args:
        critic_output: a number for each row, floating-point.
        inputs: what it was computed from, (batch, ...).
        rate: a number, at least 0, or a scalar node.
        target: the length that is not punished, at least 0.

    Raises:
        InputError: the rate or the target is negative.
        DTypeError: the output or the inputs are not floating-point.
        ShapeError: the inputs have no rows.
        GradientError: the output does not depend on the inputs.
    """
    name = "gradient_penalty"
    strength = _rate(name, rate)
    wanted = number(name, "target", target, at_least=0, hint="give target=1.0, or 0")
    (output,), (rows,) = _nodes(name, [critic_output]), _nodes(name, [inputs])
    _check_rows(name, rows)
    with scope(name):
        try:
            slopes = grad(sum(output), rows)
        except GradientError as error:
            hint = "give the nodes that the critic was called with: critic(mixed), mixed"
            raise GradientError(f"{name}: {error.what}", where=error.where, hint=hint) from None
        squares = _over_features(square(slopes))
        flat = equal(squares, 0.0)
        lengths = where(flat, 0.0, sqrt(where(flat, 1.0, squares)))
        return strength * mean(square(lengths - wanted))


def _over_features(x: Node) -> Node:
    """The sum of each row."""
    return sum(x, tuple(range(1, x.ndim)))


def _total(terms: Sequence[Node]) -> Node:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _rate(function: str, rate: object) -> Rate:
    if not isinstance(rate, Node):
        hint = "give a small number, such as 1e-4, or a scalar node"
        return number(function, "rate", rate, at_least=0, hint=hint)
    if rate.shape != () or not rate.type.dtype.is_float:
        raise ShapeError(
            f"{function}: the rate {describe(rate)} is no floating-point scalar",
            hint='give a number, or cr.input("rate", default=1e-4)',
        )
    return rate


def _nodes(function: str, given: object) -> tuple[Node, ...]:
    listed = given if isinstance(given, list | tuple) else [given]
    if not listed:
        raise GraphError(
            f"{function}: there is nothing to penalise",
            hint="give weights, such as [p for p in model.parameters() if p.ndim > 1]",
        )
    for node in listed:
        if not isinstance(node, Node) or not node.type.dtype.is_float:
            shown = describe(node) if isinstance(node, Node) else f"a {type(node).__name__}"
            raise DTypeError(
                f"{function}: {shown} is no floating-point node",
                hint="give nodes, such as [p for p in model.parameters() if p.ndim > 1]",
            )
    return tuple(listed)


def _check_rows(function: str, node: Node) -> None:
    if node.ndim == 0:
        raise ShapeError(
            f"{function}: {describe(node)} has no rows",
            hint='give a node whose first axis is of rows, such as ("batch", 64)',
        )
