"""The loop around a step, as it is declared: epochs, minibatches, metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from types import FrameType
from typing import TYPE_CHECKING

from chainc import ir
from chainc.dataclass import dataclass
from chainc.ir import Node, describe
from chainc.ir.binding import bind_graph
from chainc.ir.errors import GraphError, InputError, user_frame
from chainc.ir.leaves import EpochSlot, run_seed
from chainc.ir.types import has_named_size
from chainc.ops.movement import as_flag
from chainrule.declare.arguments import count, part_name
from chainrule.declare.graphs import BATCH_ROWS, Turn, graph_of
from chainrule.declare.leaves import step_counter
from chainrule.steps.ending import VALIDATION, Ending, ending_of, rules_of
from chainrule.steps.several import SeveralSteps, one_after_another
from chainrule.steps.step import Step
from chainrule.steps.stopping import StoppingRule
from chainrule.writing.phrases import counted

if TYPE_CHECKING:
    from chainrule.drawing.graph import Graph


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
    ending: Ending | None = None
    reads_rows: bool = True

    def __repr__(self) -> str:
        updates = counted(len(self.step.updates), "update")
        return f"<Training of {describe(self.step.loss)}; {self.loop}; {updates}>"

    @property
    def loop(self) -> str:
        """Epochs, and their steps, in words."""
        epochs = counted(self.epochs, "epoch")
        return f"{epochs} {f'in batches of {self.batch_size}' if self.reads_rows else 'of a step'}"

    @property
    def outputs(self) -> tuple[Node, ...]:
        """The loss and the metrics."""
        return (*self.step.outputs, *self.metrics.values())

    @property
    def updates(self) -> Mapping[Node, Node]:
        """Those of the step."""
        return self.step.updates

    @property
    def names(self) -> tuple[str, ...]:
        """What the outputs are called."""
        return (*self.step.names, *self.metrics)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Of several steps."""
        return self.step.turns if isinstance(self.step, SeveralSteps) else ()

    @property
    def graph(self) -> Graph:
        """One step: the loss, the metrics, and the updates."""
        return _drawn(graph_of(self, "train"))

    @property
    def evaluation(self) -> Graph:
        """The loss and the metrics alone."""
        return _drawn(graph_of(self, "infer"))


def _drawn(graph: ir.Graph) -> Graph:
    from chainrule.drawing.graph import Graph  # who only trains does not wait for pictures

    return Graph.of(graph)


def training(
    step: Step | Sequence[Step] | Mapping[str, Step],
    *,
    epochs: int | None = None,
    batch_size: int | None = None,
    shuffle: bool = True,
    seed: int = 0,
    metrics: Mapping[str, Node] | Sequence[Node] | None = None,
    watch: bool = False,
    stop: StoppingRule | Sequence[StoppingRule] | None = None,
) -> Training:
    """A loop over minibatches around a step.

    Args:
        step: from an optimizer's `minimize`. Several are done one after another on each minibatch,
            each reading what the one before has written; the losses `d_loss` and `g_loss` and
            hyperparameters `d_lr` and `g_lr` have the names of the variables that hold the steps,
            or of a dictionary.
        epochs: passes over the data that one run makes. It has to be given.
        batch_size: rows a step; the last batch of an epoch may be smaller, and is exact. It has
            to be given, but for a step that reads no rows of data and draws what it learns from:
            there an epoch is one step.
        shuffle: visit the rows in a new order each epoch.
        seed: of the initial values, the order and all random ops.
        metrics: what to report beside the loss, by name; those of a list have the names of the
            variables that hold them. They are exact over an epoch, whatever its batches: a mean
            over rows, and what reads the rows through sums over them, such as the root of a mean,
            F1 or a confusion matrix, is of the rows of the epoch, each as its step found it;
            anything else, such as the largest element, is computed from all rows at once after
            the epoch. Scalars stand in the history, others in `Result.metrics`.
        watch: look through every result for NaN and infinities: a run stops at the first one,
            with a `NonFiniteError` that names the step, the node and its line. It takes longer,
            and needs machine code.
        stop: when to end before the last epoch: a rule such as `cr.EarlyStopping`, or several.

    Raises:
        InputError: a number is out of range, a metric has a name that is taken, or `stop` reads
            what is not reported.
        GraphError: a metric has a value for each row, the step does not count steps, or a layer
            goes on from batch to batch and the rows are shuffled.
    """
    caller = user_frame()
    whole = one_after_another(_named_steps(step, caller))
    if step_counter() not in whole.updates:
        raise GraphError(
            "training: the step does not update the step counter",
            hint="let updates hold cr.step_counter(): cr.step_counter() + 1, as minimize does",
        )
    passes = count("training", "epochs", epochs, hint="run at least one epoch: epochs=10")
    computed = ir.Graph((*whole.outputs, *whole.updates.values()))
    reads_rows = batch_size is not None or _read_rows(computed)
    hint = "take at least one row: batch_size=32"
    rows = count("training", "batch_size", batch_size, hint=hint) if reads_rows else 1
    count("training", "seed", seed, at_least=0, hint="give a seed such as 0")
    mixed, watched = as_flag("training", "shuffle", shuffle), as_flag("training", "watch", watch)
    chosen = _named_metrics(metrics, caller)
    for name, node in chosen.items():
        _check_metric(name, node, whole.names)
    rules = rules_of(stop)
    declared = Training(whole, passes, rows, mixed, seed, chosen, watched, reads_rows=reads_rows)
    passing = bind_graph(ir.Graph(_passing(computed, mixed=mixed)), {BATCH_ROWS: rows}).outputs
    if not rules and not passing:
        return declared
    return replace(declared, ending=_ending(declared, rules, passing))


def _read_rows(computed: ir.Graph) -> bool:
    """Does an input have a size that is not known yet?"""
    return any(has_named_size(node.shape) for node in computed.leaves("input"))


def _passing(computed: ir.Graph, *, mixed: bool) -> tuple[Node, ...]:
    """The slots that begin each epoch anew.

    Raises:
        GraphError: what they hold for a row of the next batch would go to another one.
    """
    found = [slot for slot in computed.leaves("state") if isinstance(slot.op, EpochSlot)]
    if found and mixed:
        raise GraphError(
            f"training: {describe(found[0])} goes on from batch to batch, and rows in a new order "
            "each epoch do not follow each other",
            hint="visit them as they are, cr.training(step, ..., shuffle=False), with the rows of "
            "text.streams",
        )
    return tuple(found)


def _ending(declared: Training, rules: Sequence[StoppingRule], passing: Sequence[Node]) -> Ending:
    outputs = dict(zip(declared.names, declared.outputs, strict=True))
    counters = {step_counter(), run_seed()}
    evaluation = graph_of(declared, "infer")
    read = [slot for slot in evaluation.leaves("state") if slot not in counters]
    return ending_of(rules, outputs, read, passing)


def _named_steps(given: object, frame: FrameType | None) -> dict[str, Step]:
    """Steps by name; those of a list are called as the variables of the caller, or by number."""
    if isinstance(given, list | tuple) and given:
        variables = [_variable(step, frame) for step in given]
        names = [name or f"step{i}" for i, name in enumerate(variables, start=1)]
        if len({id(step) for step in given}) < len(given):
            raise GraphError(
                f"training: one step stands twice among {', '.join(names)}",
                hint="give each step once; a step that runs less often is step.every(5)",
            )
        given = dict(zip(names, given, strict=True))
    named = dict(given) if isinstance(given, Mapping) and given else {"step": given}
    found: dict[str, Step] = {}
    for name, step in named.items():
        if not isinstance(step, Step):
            told = "a loss" if isinstance(step, Node) else f"a {type(step).__name__}"
            raise GraphError(
                f"training: {told} is no step",
                hint="say how to minimise what: cr.training(optim.SGD(lr=0.1).minimize(loss), ...)",
            )
        found[name] = step
    return found


def _variable(held: object, frame: FrameType | None) -> str | None:
    """The name of the caller's variable that holds it."""
    variables = {**frame.f_globals, **frame.f_locals} if frame else {}
    return next((name for name, value in variables.items() if value is held), None)


def _named_metrics(given: object, frame: FrameType | None) -> dict[str, Node]:
    """Metrics by name; those of a list are called as the variables of the caller."""
    if given is None or isinstance(given, Mapping):
        return dict(given or {})
    listed = given if isinstance(given, list | tuple) else [given]
    named: dict[str, Node] = {}
    for metric in listed:
        if not isinstance(metric, Node):
            raise _no_metric(metric)
        own = metric.origin.scope.split("/")[-1] or metric.op.label
        name = _variable(metric, frame) or own
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


def _check_metric(name: str, node: Node, losses: Sequence[str]) -> None:
    part_name("training: metric", name)
    if not isinstance(node, Node):
        raise _no_metric(node)
    if name in ("loss", *losses) or name.startswith(VALIDATION):
        raise InputError(
            f"training: the metric name {name!r} is taken",
            hint=f'choose a name other than "{losses[0]}" that does not start with "val_"',
        )
    if has_named_size(node.shape):
        raise GraphError(
            f"training: the metric {name!r} is no scalar but a value for each row: "
            f"{describe(node)}",
            hint="reduce it first, such as cr.mean(metric)",
        )
