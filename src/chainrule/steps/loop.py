"""The loop around a step, as it is declared: epochs, minibatches, metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from chainc.ir import Graph, Node, describe
from chainc.ir.errors import GraphError, InputError, user_frame
from chainc.ops.movement import as_flag
from chainrule.declare.arguments import count, part_name
from chainrule.declare.graphs import graph_of
from chainrule.declare.leaves import step_counter
from chainrule.steps.step import Step
from chainrule.writing.phrases import counted


@dataclass(frozen=True, eq=False)
class Training:
    """A declared training loop: compile it with `cr.compile`."""

    step: Step
    epochs: int
    batch_size: int
    shuffle: bool
    seed: int
    metrics: Mapping[str, Node] = field(default_factory=dict)
    watch: bool = False

    def __repr__(self) -> str:
        loop = f"{counted(self.epochs, 'epoch')} in batches of {self.batch_size}"
        updates = counted(len(self.step.updates), "update")
        return f"<Training of {describe(self.step.loss)}; {loop}; {updates}>"

    @property
    def outputs(self) -> tuple[Node, ...]:
        """The loss and the metrics."""
        return (self.step.loss, *self.metrics.values())

    @property
    def updates(self) -> Mapping[Node, Node]:
        """Those of the step."""
        return self.step.updates

    @property
    def names(self) -> tuple[str, ...]:
        """What the outputs are called."""
        return ("loss", *self.metrics)

    @property
    def graph(self) -> Graph:
        """One step: the loss, the metrics, and the updates."""
        return graph_of(self, "train")

    @property
    def evaluation(self) -> Graph:
        """The loss and the metrics alone."""
        return graph_of(self, "infer")


def training(
    step: Step,
    *,
    epochs: int | None = None,
    batch_size: int | None = None,
    shuffle: bool = True,
    seed: int = 0,
    metrics: Mapping[str, Node] | Sequence[Node] | None = None,
    watch: bool = False,
) -> Training:
    """A loop over minibatches around a step.

    Args:
        step: from an optimizer's `minimize`.
        epochs: passes over the data that one run makes. It has to be given.
        batch_size: rows a step; the last batch of an epoch may be smaller, and is exact. It has
            to be given.
        shuffle: visit the rows in a new order each epoch.
        seed: of the initial values, the order and all random ops.
        metrics: further scalars to report beside the loss, by name; those of a list have the
            names of the variables that hold them. A mean over rows is that of
            the rows of an epoch, each as its step found it; any other, such as the root of a mean
            or the largest element, is computed from all rows at once after the epoch.
        watch: look through every result for NaN and infinities: a run stops at the first one,
            with a `NonFiniteError` that names the step, the node and its line. It takes longer,
            and needs machine code.

    Raises:
        InputError: a number is out of range, or a metric has a name that is taken.
        GraphError: a metric is no scalar, or the step does not count steps.
    """
    _check_step(step)
    if step_counter() not in step.updates:
        raise GraphError(
            "training: the step does not update the step counter",
            hint="let updates hold cr.step_counter(): cr.step_counter() + 1, as minimize does",
        )
    passes = count("training", "epochs", epochs, hint="run at least one epoch: epochs=10")
    rows = count("training", "batch_size", batch_size, hint="take at least one row: batch_size=32")
    count("training", "seed", seed, at_least=0, hint="give a seed such as 0")
    mixed, watched = as_flag("training", "shuffle", shuffle), as_flag("training", "watch", watch)
    chosen = _named_metrics(metrics, user_frame())
    for name, node in chosen.items():
        _check_metric(name, node)
    return Training(step, passes, rows, mixed, seed, chosen, watched)


def _check_step(step: object) -> None:
    if not isinstance(step, Step):
        given = "a loss" if isinstance(step, Node) else f"a {type(step).__name__}"
        raise GraphError(
            f"training: {given} is no step",
            hint="say how to minimise what: cr.training(optim.SGD(lr=0.1).minimize(loss), ...)",
        )


def _named_metrics(given: object, frame: FrameType | None) -> dict[str, Node]:
    """Metrics by name; those of a list are called as the variables of the caller."""
    if given is None or isinstance(given, Mapping):
        return dict(given or {})
    listed = given if isinstance(given, list | tuple) else [given]
    variables = {**frame.f_globals, **frame.f_locals} if frame else {}
    named: dict[str, Node] = {}
    for metric in listed:
        if not isinstance(metric, Node):
            raise _no_metric(metric)
        held_by = (name for name, value in variables.items() if value is metric)
        name = next(held_by, metric.origin.scope.split("/")[-1] or metric.op.label)
        if name in named:
            raise InputError(
                f"training: two metrics are called {name!r}",
                hint='name them: metrics={"first": ..., "second": ...}',
            )
        named[name] = metric
    return named


def _no_metric(given: object) -> GraphError:
    return GraphError(
        f"training: {given!r} is no metric",
        hint='give nodes: metrics={"accuracy": metrics.accuracy(logits, labels)}',
    )


def _check_metric(name: str, node: Node) -> None:
    part_name("training: metric", name)
    if not isinstance(node, Node):
        raise _no_metric(node)
    if name == "loss" or name.startswith("val_"):
        raise InputError(
            f"training: the metric name {name!r} is taken",
            hint='choose a name other than "loss" that does not start with "val_"',
        )
    if node.shape != ():
        raise GraphError(
            f"training: the metric {name!r} is no scalar: {describe(node)}",
            hint="reduce it first, such as cr.mean(metric)",
        )
