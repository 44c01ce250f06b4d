"""What a loss refuses: element types, shapes and numbers that do not fit."""

from __future__ import annotations

from chainc.ir import Node, current_origin, describe
from chainc.ir.errors import DTypeError, InputError, ShapeError
from chainc.ir.types import format_shape
from chainrule.declare.arguments import is_one_of, number

REDUCTIONS = ("mean", "sum", "none")


def check_labels(function: str, logits: Node, labels: Node) -> None:
    """Logits (..., classes) and class numbers (...)."""
    check_float(function, "logits", logits)
    check_node(function, "labels", labels)
    if labels.type.dtype.kind != "i":
        raise DTypeError(
            f"{function}: the labels are {labels.type}, not integers",
            where=where_of(logits=logits, labels=labels),
            hint='declare them with dtype="int32", as class numbers from 0',
        )
    if logits.ndim < 1 or labels.shape != logits.shape[:-1]:
        raise ShapeError(
            f"{function}: labels {format_shape(labels.shape)} do not fit logits "
            f"{format_shape(logits.shape)}: there must be one label for each row of logits",
            where=where_of(logits=logits, labels=labels),
            hint=f"give labels of shape {format_shape(logits.shape[:-1])}: class numbers, not "
            "one-hot rows",
        )


def known_classes(function: str, logits: Node, labels: Node) -> int:
    """How many classes there are, as a number."""
    classes = logits.shape[-1]
    if isinstance(classes, int):
        return classes
    raise ShapeError(
        f"{function}: the number of classes is the named size {classes}",
        where=where_of(logits=logits, labels=labels),
        hint="give the last axis of the logits a known size",
    )


def check_alike(function: str, name: str, given: Node, targets: Node) -> None:
    """Floating-point nodes of one shape."""
    check_float(function, name, given)
    check_float(function, "targets", targets)
    if given.shape != targets.shape:
        # broadcasting [batch,1] with [batch] would pair every prediction with every target
        raise ShapeError(
            f"{function}: {name} {format_shape(given.shape)} and targets "
            f"{format_shape(targets.shape)} differ",
            where=where_of(**{name: given, "targets": targets}),
            hint=f"give targets of shape {format_shape(given.shape)}; cr.squeeze and "
            "cr.expand_dims remove and add axes of size 1",
        )


def check_node(function: str, name: str, given: object) -> None:
    if not isinstance(given, Node):
        raise DTypeError(
            f"{function}: the {name} are a {type(given).__name__}, not a node",
            hint="give a node, such as model(x) or cr.input(...)",
        )


def check_float(function: str, name: str, node: Node) -> None:
    check_node(function, name, node)
    if not node.type.dtype.is_float:
        raise DTypeError(
            f"{function}: the {name} are {node.type}, not floating-point",
            where=where_of(**{name: node}),
            hint='convert them with cr.astype(x, "float32")',
        )


def check_reduction(function: str, reduction: object) -> None:
    if not is_one_of(reduction, REDUCTIONS):
        raise InputError(
            f"{function}: there is no reduction {reduction!r}",
            hint='give "mean", "sum", or "none" for the loss of each element',
        )


def smoothing_of(function: str, label_smoothing: object) -> float:
    hint = "give the share of the target that all classes divide, such as 0.1, or 0 for none"
    return number(function, "label_smoothing", label_smoothing, at_least=0, below=1, hint=hint)


def where_of(**operands: Node) -> str:
    """The line of the call, then that of each operand."""
    lines = [f"\n         {name}: {describe(node)}" for name, node in operands.items()]
    return f"{current_origin().location}{''.join(lines)}"
