"""What a network is trained for: losses and metrics of its outputs and targets."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, describe
from chainc.ir.errors import DTypeError, InputError, ShapeError
from chainc.ir.leaves import constant
from chainc.ir.types import Array
from chainc.ops import take
from chainrule.declare.arguments import several
from chainrule.declare.calls import answering
from chainrule.declare.leaves import input as declare_input
from chainrule.fitting.network import BATCH, first_that_fits, whole_type
from chainrule.fitting.parts import ONE, Parts, parts_of

Loss = Callable[..., Node]  # (outputs, targets) -> a scalar
Metric = Callable[..., Node]
Losses = Loss | Mapping[str, Loss] | tuple[Loss, ...]
Metrics = Metric | Sequence[Metric] | Mapping[str, Metric | Sequence[Metric]]


@dataclass(frozen=True, eq=False)
class Objective:
    """Losses and metrics over the outputs of a network.

    Attributes:
        targets: by the names of the parts of y.
        weights: the input with a weight for each row, where rows have weights.
        loss: a scalar: the sum of all losses.
        metrics: by the names under which they are reported.
    """

    targets: Parts[Node]
    weights: Node | None
    loss: Node
    metrics: Mapping[str, Node]


def objective_of(
    outputs: Parts[Node],
    y: Parts[Array],
    loss: Losses,
    metrics: Metrics,
    *,
    class_weights: Array | None = None,
    weighted_rows: bool = False,
) -> Objective:
    """Targets of the shapes and types of the data, and what is computed from them.

    Whole numbers stay so for a loss that takes labels, and are converted for one that does not.

    Raises:
        InputError: outputs, targets, losses and metrics do not fit each other.
    """
    names = {key: _free(name, outputs) for key, name in y.named("y").items()}
    float_type = next(iter(outputs.by_name.values())).type.dtype.name

    def declared(types: Mapping[str, str]) -> Objective:
        targets = {key: declare_input(names[key], (BATCH, *array.shape[1:]), types[key])
                   for key, array in y.by_name.items()}  # fmt: skip
        weights = declare_input("weights", (BATCH,), float_type) if weighted_rows else None
        given = y.with_values(targets)
        parts = _losses(loss, outputs, given, _weights_of(weights, class_weights, given))
        reported = {f"{key}_loss": each for key, each in parts.items() if len(parts) > 1}
        total, *others = parts.values()
        for other in others:
            total = total + other
        found = {**reported, **_metrics(metrics, outputs, given)}
        return Objective(given, weights, total, found)

    choices = {key: _types_of(array, float_type) for key, array in y.by_name.items()}
    try:
        return first_that_fits(choices, declared)
    except DTypeError:
        _refuse_labels_as_numbers(y, declared)
        raise


def _refuse_labels_as_numbers(
    y: Parts[Array], declared: Callable[[Mapping[str, str]], Objective]
) -> None:
    """Refuse class numbers in a floating-point type, where a loss would take whole ones.

    Raises:
        InputError: that is what the data are.
    """
    are_labels = [array.dtype.kind == "f" and bool((array == np.floor(array)).all())
                  for array in y.by_name.values()]  # fmt: skip
    if not any(are_labels):
        return
    try:
        declared(dict.fromkeys(y.by_name, "int64"))
    except (DTypeError, ShapeError):
        return
    raise InputError(
        "Trainer: y holds class numbers in a floating-point type",
        hint="convert them: y.astype(numpy.int64)",
    )


def _types_of(array: Array, float_type: str) -> list[str]:
    if array.dtype.kind in "iu":
        return [whole_type(array), float_type]
    return [float_type, "int32"] if array.dtype.kind == "b" else [float_type]


def _free(name: str, outputs: Parts[Node]) -> str:
    """A target may be called as an input is, which then keeps the name."""
    taken = {leaf.op.label for node in outputs.by_name.values() for leaf in _inputs(node)}
    return f"{name}_target" if name in taken else name


def _inputs(node: Node) -> tuple[Node, ...]:
    return Graph((node,)).leaves("input")


def _losses(
    loss: Losses, outputs: Parts[Node], targets: Parts[Node], weights: Node | Array | None
) -> dict[str, Node]:
    given = parts_of(loss)
    if given.form == "one":
        return {ONE: _called(loss, outputs.whole, targets.whole, weights)}
    for name, parts in (("losses", given), ("targets", targets)):
        if set(parts.by_name) != set(outputs.by_name):
            raise InputError(
                f"Trainer: the {name} are {_listed(parts)}, the outputs are {_listed(outputs)}",
                hint="give the model's outputs, the losses and y in one form and under one name",
            )
    return {
        name: _called(function, outputs.by_name[name], targets.by_name[name], weights)
        for name, function in given.by_name.items()
    }


def _listed(parts: Parts[Node] | Parts[object]) -> str:
    return "a single one" if parts.form == "one" else ", ".join(parts.by_name)


def _called(loss: object, outputs: object, targets: object, weights: Node | Array | None) -> Node:
    if not callable(loss):
        raise InputError(
            f"Trainer: {loss!r} is no loss",
            hint="give a function of outputs and targets, such as losses.cross_entropy",
        )
    if weights is not None and not _takes_weights(loss):
        raise InputError(
            f"Trainer: the loss {name_of(loss)} takes no weights",
            hint="give one that does, such as losses.cross_entropy, or one with a parameter "
            "`weights`: a node, one number a row",
        )
    further = {} if weights is None else {"weights": weights}
    value = answering(loss, "a loss of a Trainer")(outputs, targets, **further)
    if not isinstance(value, Node) or value.ndim:
        told = describe(value) if isinstance(value, Node) else f"a {type(value).__name__}"
        raise InputError(
            f"Trainer: the loss {name_of(loss)} gives {told}, not a scalar",
            hint="return a node of no axes, such as cr.mean(errors)",
        )
    return value


def _takes_weights(loss: Loss) -> bool:
    try:
        return "weights" in inspect.signature(loss).parameters
    except ValueError:  # one that is not written in Python
        return False


def _weights_of(
    rows: Node | None, classes: Array | None, targets: Parts[Node]
) -> Node | Array | None:
    """Those of the rows, of the classes, or their product for each row."""
    if rows is None or classes is None:
        return classes if rows is None else rows
    labels, of_classes = targets.by_name[ONE], constant(classes)
    if labels.type.dtype.kind == "i":
        return rows * take(of_classes, labels)
    return rows * (of_classes[1] * labels + of_classes[0] * (1.0 - labels))


def _metrics(metrics: Metrics, outputs: Parts[Node], targets: Parts[Node]) -> dict[str, Node]:
    named = metrics if isinstance(metrics, Mapping) else by_own_names(_listed_metrics(metrics))
    found: dict[str, Node] = {}
    for name, metric in named.items():
        if outputs.form == "one" or name not in outputs.by_name:
            found[name] = _measured(metric, outputs.whole, targets.whole)
            continue
        for own, each in by_own_names(_listed_metrics(metric)).items():
            value = _measured(each, outputs.by_name[name], targets.by_name[name])
            found[f"{name}_{own}"] = value
    return found


def _listed_metrics(metrics: object) -> Sequence[object]:
    if callable(metrics):
        return [metrics]
    return several("Trainer", "metrics", metrics, hint="give functions: [metrics.accuracy]")


def _measured(metric: object, outputs: object, targets: object) -> Node:
    named = answering(metric, "a metric of a Trainer") if callable(metric) else None
    value = named(outputs, targets) if named else None
    if not isinstance(value, Node):
        raise _no_metric(metric)
    return value


def _no_metric(given: object) -> InputError:
    return InputError(
        f"Trainer: {given!r} is no metric",
        hint="give functions from outputs and targets to a node, such as metrics.accuracy",
    )


def by_own_names(metrics: Sequence[object]) -> dict[str, object]:
    """Functions by the names under which they were defined.

    Raises:
        InputError: one has no name, or two have the same.
    """
    named: dict[str, object] = {}
    for metric in metrics:
        if not callable(metric):
            raise _no_metric(metric)
        name = name_of(metric)
        if name in named or not name.isidentifier():
            raise InputError(
                f"Trainer: {'two metrics are' if name in named else 'a metric is'} called {name!r}",
                hint='name them: metrics={"top3": lambda z, y: metrics.top_k(z, y, 3)}',
            )
        named[name] = metric
    return named


def name_of(function: object) -> str:
    """The name under which a function was defined; of a partial one, that of the function in it."""
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))
