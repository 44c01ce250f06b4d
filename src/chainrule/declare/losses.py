"""Losses: scalars to minimise, each the mean over its elements, computed from logits.

A logit is a score before the softmax or the sigmoid. From logits a loss stays finite, and so does
its gradient, where a probability would round to 0 or 1.
"""

from __future__ import annotations

from chainc.ir import Node, current_origin, describe, scope
from chainc.ir.errors import DTypeError, ShapeError
from chainc.ir.types import format_shape
from chainc.ops import abs, exp, log, mean, pick, softplus, square, sum
from chainc.ops.reduce import largest_exponent

__all__ = ["absolute_error", "binary_cross_entropy", "cross_entropy", "squared_error"]


def __dir__() -> list[str]:
    return list(__all__)


def cross_entropy(logits: Node, labels: Node) -> Node:
    """The mean of -ln softmax(logits)[label], as ln Σ e^z - z[label], z less the largest of them.

    A logit of -∞ is a class that cannot be; it counts nowhere, unless it is the label's.

    Args:
        logits: floating-point (..., classes).
        labels: class numbers from 0, of an integer type, (...).

    Raises:
        DTypeError: the logits are not floating-point, or the labels no integers.
        ShapeError: the labels do not have the shape of the logits without its last axis, or the
            number of classes is a named size.
    """
    check_labels("cross_entropy", logits, labels)
    _check_classes("cross_entropy", logits, labels)
    with scope("cross_entropy"):
        # exp(z - max) and its sum serve the loss and its gradient, softmax - one_hot, alike
        z = logits - largest_exponent(logits, axis=-1)
        return mean(log(sum(exp(z), axis=-1)) - pick(z, labels))


def binary_cross_entropy(logits: Node, targets: Node) -> Node:
    """The mean of -t ln σ(z) - (1 - t) ln(1 - σ(z)), as softplus(z) - z t.

    Args:
        logits: floating-point, any shape.
        targets: probabilities from 0 to 1, of the same shape and kind.

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: the shapes differ.
    """
    check_alike("binary_cross_entropy", "logits", logits, targets)
    with scope("binary_cross_entropy"):
        return mean(softplus(logits) - logits * targets)


def squared_error(predictions: Node, targets: Node) -> Node:
    """The mean of (prediction - target)².

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: the shapes differ.
    """
    check_alike("squared_error", "predictions", predictions, targets)
    with scope("squared_error"):
        return mean(square(predictions - targets))


def absolute_error(predictions: Node, targets: Node) -> Node:
    """The mean of |prediction - target|.

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: the shapes differ.
    """
    check_alike("absolute_error", "predictions", predictions, targets)
    with scope("absolute_error"):
        return mean(abs(predictions - targets))


def check_labels(function: str, logits: Node, labels: Node) -> None:
    _check_float(function, "logits", logits)
    _check_node(function, "labels", labels)
    if labels.type.dtype.kind != "i":
        raise DTypeError(
            f"{function}: the labels are {labels.type}, not integers",
            where=_where(logits=logits, labels=labels),
            hint='declare them with dtype="int32", as class numbers from 0',
        )
    if logits.ndim < 1 or labels.shape != logits.shape[:-1]:
        raise ShapeError(
            f"{function}: labels {format_shape(labels.shape)} do not fit logits "
            f"{format_shape(logits.shape)}: there must be one label for each row of logits",
            where=_where(logits=logits, labels=labels),
            hint=f"give labels of shape {format_shape(logits.shape[:-1])}: class numbers, not "
            "one-hot rows",
        )


def _check_classes(function: str, logits: Node, labels: Node) -> None:
    if not isinstance(logits.shape[-1], int):
        raise ShapeError(
            f"{function}: the number of classes is the named size {logits.shape[-1]}",
            where=_where(logits=logits, labels=labels),
            hint="give the last axis of the logits a known size",
        )


def check_alike(function: str, name: str, given: Node, targets: Node) -> None:
    _check_float(function, name, given)
    _check_float(function, "targets", targets)
    if given.shape != targets.shape:
        # broadcasting [batch,1] with [batch] would pair every prediction with every target
        raise ShapeError(
            f"{function}: {name} {format_shape(given.shape)} and targets "
            f"{format_shape(targets.shape)} differ",
            where=_where(**{name: given, "targets": targets}),
            hint=f"give targets of shape {format_shape(given.shape)}; cr.squeeze and "
            "cr.expand_dims remove and add axes of size 1",
        )


def _check_node(function: str, name: str, given: object) -> None:
    if not isinstance(given, Node):
        raise DTypeError(
            f"{function}: the {name} are a {type(given).__name__}, not a node",
            hint="give a node, such as model(x) or cr.input(...)",
        )


def _check_float(function: str, name: str, node: Node) -> None:
    _check_node(function, name, node)
    if not node.type.dtype.is_float:
        raise DTypeError(
            f"{function}: the {name} are {node.type}, not floating-point",
            where=_where(**{name: node}),
            hint='convert them with cr.astype(x, "float32")',
        )


def _where(**operands: Node) -> str:
    """The line of the call, then that of each operand."""
    lines = [f"\n         {name}: {describe(node)}" for name, node in operands.items()]
    return f"{current_origin().location}{''.join(lines)}"
