"""Trains one model by several rules from the same first values, and measures on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from math import prod
from time import perf_counter

from chainc.backends.target import Target
from chainc.dataclass import dataclass
from chainc.driver import target_named
from chainc.ir import Graph, Node
from chainc.ir.leaves import run_seed
from chainc.ir.types import static
from chainrule.compiled.callbacks.calling import FinishedEpoch
from chainrule.compiled.compilation import compile
from chainrule.compiled.function import Function, Numbers
from chainrule.compiled.history import History
from chainrule.compiled.state import State
from chainrule.compiled.training import TrainingProgram
from chainrule.declare.arguments import count
from chainrule.declare.leaves import step_counter
from chainrule.learning.comparing.angles import Compass
from chainrule.learning.comparing.comparison import Comparison
from chainrule.learning.comparing.given import (
    Accuracy,
    GivenData,
    Optimizers,
    Rows,
    Rules,
    given_metrics,
    named_rules,
    optimizer_for,
    rows_of,
)
from chainrule.learning.comparing.row import Row
from chainrule.nn.module import Module
from chainrule.optim.signals.rule import Rule
from chainrule.optim.signals.rules import parameters_of
from chainrule.steps.ending import VALIDATION
from chainrule.steps.loop import Training, training
from chainrule.steps.step import Step


def compare(
    model: Module,
    loss: Node,
    rules: Rules,
    data: GivenData,
    epochs: int = 10,
    *,
    optimizer: Optimizers | None = None,
    batch_size: int = 32,
    seed: int = 0,
    metrics: Mapping[str, Node] | None = None,
    target: str | Target = "llvm",
) -> Comparison:
    """Train the model by each rule from the same first values, in the same order of rows.

    After each epoch the loss and the metrics are computed on all rows, and the angle between the
    rule's signals and the gradient on a batch that stays the same. The time of an epoch is that of
    the training alone.

    Args:
        model: the layers whose result the loss judges.
        loss: to minimise.
        rules: learning rules, or a dictionary with names of your own.
        data: a data set; arrays by input; or two of these, to train on and held out.
        epochs: passes over the data.
        optimizer: for all rules, or by the name of the rule; by default `optim.Adam(lr=1e-3)`.
        batch_size: rows a step.
        seed: of the first values, the order of the rows and all random numbers.
        metrics: scalars by name; by default the accuracy, where the loss reads labels. Forward-
            forward is then judged by its scores, if it learns from labels.
        target: of the training, as for `cr.compile`.

    Raises:
        GraphError: a rule cannot train the model, which is found before any begins.
        InputError: data that does not fit, rules of one name, or a number out of range.
    """
    passes = count("compare", "epochs", epochs, hint="run at least one epoch: epochs=10")
    size = count("compare", "batch_size", batch_size, hint="take at least one row: batch_size=32")
    chosen = target_named(target)
    parameters = parameters_of(loss, None)
    named = named_rules(rules)
    steps = {
        name: optimizer_for(name, optimizer).minimize(loss, rule=rule, model=model)
        for name, rule in named.items()
    }
    judged = _judged(loss, model, named, metrics)
    contests = [
        _Contest(
            name,
            training(step, epochs=passes, batch_size=size, seed=seed),
            judged[name],
            parameters,
        )
        for name, step in steps.items()
    ]
    read = [node for each in contests for node in each.judged.values()]
    rows = rows_of(data, read, model, some=size)
    judges = dict.fromkeys(tuple(each.judged.values()) for each in contests)
    made = {nodes: compile(list(nodes), target="numpy") for nodes in judges}
    return Comparison(
        tuple(each.held(rows, chosen, made[tuple(each.judged.values())]) for each in contests)
    )


def _judged(
    loss: Node, model: Module, rules: Mapping[str, Rule], metrics: Mapping[str, Node] | None
) -> dict[str, dict[str, Node]]:
    """What is measured, by rule."""
    if metrics is not None:
        given = {"loss": loss, **given_metrics(metrics)}
        return dict.fromkeys(rules, given)
    usual = Accuracy(loss, model)
    return {name: {"loss": loss, **usual.for_rule(rule)} for name, rule in rules.items()}


Judge = Function[tuple[Numbers, ...]]


@dataclass(frozen=True, eq=False)
class _Contest:
    """A rule at its training."""

    name: str
    training: Training
    judged: Mapping[str, Node]
    parameters: tuple[Node, ...]

    @property
    def step(self) -> Step:
        return self.training.step

    def held(self, rows: Rows, target: Target, judge: Judge) -> Row:
        began = perf_counter()
        program = compile(self.training, target=target)
        seconds = perf_counter() - began
        compass = Compass(self.step, self.parameters, rows.some)
        watch = _Watch(tuple(self.judged), judge, compass, rows)
        first = program.initial_state()
        watch.look(first)
        result = program.run(rows.train, state=first, progress=False, callbacks=[watch])
        return Row(
            self.name,
            History({name: tuple(values[1:]) for name, values in watch.history.items()}),
            tuple(watch.seconds),
            seconds,
            memory_of(program),
            self._kept(),
            {name: tuple(values) for name, values in watch.angles.items()},
            result.state,
        )

    def _kept(self) -> int:
        """Numbers of the slots that the signals read and the loss does not."""
        shared = {*Graph((self.step.loss,)).leaves("state"), step_counter(), run_seed()}
        own = [each for each in Graph(self.step.gradients).leaves("state") if each not in shared]
        return sum(prod(static(each.shape)) for each in own)


def memory_of(program: TrainingProgram) -> int | None:
    """Bytes that a run allocates beside the data; None where the target does not tell."""
    return program.summary().arena_bytes


@dataclass(eq=False)
class _Watch:
    """Between epochs: what the one before took, and what it has led to, which takes no part in it.

    Attributes:
        seconds: of each epoch.
        history: before the first epoch and after each.
        angles: the same by layer.
    """

    names: tuple[str, ...]
    judge: Judge
    compass: Compass
    rows: Rows
    seconds: list[float] = field(default_factory=list)
    history: dict[str, list[float]] = field(default_factory=dict)
    angles: dict[str, list[float]] = field(default_factory=dict)
    began: float = 0.0

    def begin(self) -> None:
        """See `Callback`."""
        self.began = perf_counter()

    def __call__(self, epoch: FinishedEpoch) -> None:
        self.seconds.append(perf_counter() - self.began)
        self.look(epoch.state)
        self.began = perf_counter()

    def look(self, state: State) -> None:
        judge = self.judge.bind(state)
        parts = {"": self.rows.train, VALIDATION: self.rows.held_out}
        for prefix, rows in parts.items():
            if rows is not None:
                for name, value in zip(self.names, judge(rows), strict=True):
                    self.history.setdefault(f"{prefix}{name}", []).append(float(value))
        for layer, angle in self.compass.angles(state).items():
            self.angles.setdefault(layer, []).append(angle)
