"""Training on minibatches as they come: from a loader, a generator, files that are read in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field

import numpy as np

from chainc.backends.epochs import EPOCH_START, EPOCH_SUMS
from chainc.backends.target import Target
from chainc.dataclass import dataclass
from chainc.ir import Graph, Node
from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainrule.compiled.callbacks.calling import end_all
from chainrule.compiled.compilation import compile
from chainrule.compiled.function import Function, Numbers
from chainrule.compiled.history import History
from chainrule.compiled.state import State
from chainrule.declare.arguments import shown
from chainrule.fitting.callbacks import Watched
from chainrule.fitting.network import Network
from chainrule.fitting.objective import Objective
from chainrule.fitting.parts import Parts
from chainrule.fitting.rows import Rows, rows_given, values_by_input
from chainrule.reports.columns import Value
from chainrule.steps.step import Step


def batches_in(function: str, given: object) -> Iterator[Rows]:
    """Each (x, y) or (x, y, weights) of an iterable.

    Raises:
        InputError: it is none, holds something else, or nothing.
    """
    if not isinstance(given, Iterable):
        raise InputError(
            f"{function}: there is no y, and a {type(given).__name__} holds no batches",
            hint=f"give targets, trainer.{function}(x, y), or an iterable of (x, y)",
        )
    found = False
    for batch in given:
        if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
            raise InputError(
                f"{function}: there is no y, and x holds a {type(batch).__name__}, not batches",
                hint=f"give targets, trainer.{function}(x, y), or an iterable of (x, y)",
            )
        found = True
        yield rows_given(function, *batch)
    if not found:
        raise InputError(f"{function}: there are no batches", hint="give at least one")


def refuse_exhausted(given: object, epochs: int) -> None:
    """Refuse what can be walked only once, for more than one epoch.

    Raises:
        InputError: it is so.
    """
    if epochs > 1 and isinstance(given, Iterator):
        raise InputError(
            f"fit: the batches can be walked once only, and there are {epochs} epochs",
            hint="give a list, or an object whose __iter__ begins anew; or epochs=1",
        )


def batches_to_validate(given: object) -> Callable[[], Iterable[Rows]] | None:
    """What gives the batches to validate on, for each epoch anew.

    Raises:
        InputError: it is neither rows, (x, y), nor an iterable of batches that begins anew.
    """
    if given is None:
        return None
    if isinstance(given, tuple):
        rows = rows_given("fit", *given)
        return lambda: [rows]
    if not isinstance(given, Iterable) or isinstance(given, Iterator):
        raise InputError(
            f"fit: validation={shown(given)} cannot be held out of an iterable of batches",
            hint="give rows, validation=(x, y), or batches of their own, such as a list",
        )
    return lambda: batches_in("fit", given)


def refuse_for_batches(
    class_weight: object, sample_weight: object, others: Mapping[str, float]
) -> None:
    """Refuse what an iterable of batches says itself, or what needs all rows.

    Raises:
        InputError: such an argument is given.
    """
    given = {"class_weight": class_weight, "sample_weight": sample_weight, **others}
    wrong = [name for name, value in given.items() if value is not None]
    if wrong:
        raise InputError(
            f"fit: {wrong[0]} is for arrays, and without y there are batches",
            hint="let each batch be (x, y, weights), or give arrays: trainer.fit(x, y)",
        )


@dataclass
class Seen:
    """What the batches of an epoch have given so far."""

    outputs: list[Sequence[Array]] = field(default_factory=list)
    rows: list[Rows] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def loss(self) -> float:
        """The mean over the rows, each as its step found it."""
        return float(np.average(self.losses, weights=[len(rows) for rows in self.rows]))


class Streaming:
    """A step for batches of any size, and the metrics of all their rows.

    Metrics are computed at once from the outputs of an epoch, which are kept until then.
    """

    def __init__(
        self,
        network: Network,
        objective: Objective,
        step: Step,
        measured: tuple[Parts[Node], Objective],
        target: str | Target,
    ) -> None:
        """Compile the step, the outputs alone, and what is measured over inputs in their place."""
        outputs = list(network.outputs.by_name.values())
        self._network = network
        self._objective = objective
        self._output_inputs, self._measured = measured
        self._step = compile(Graph((objective.loss, *outputs), step.updates), target=target)
        self._outputs = compile(outputs, target=target)
        measures = [self._measured.loss, *self._measured.metrics.values()]
        self._measures = compile(measures, target=target)

    def start(self, state: State | None, seed: int) -> State:
        """Values of all slots: those of a state, and first ones of the others."""
        first = {**self._step.initial_state(seed), "seed": np.asarray(seed, np.int64)}
        epoch = (EPOCH_START, EPOCH_SUMS)  # of other rows
        known = {name: value for name, value in (state or {}).items() if name not in epoch}
        return State({**first, **known})

    def fit(
        self,
        epochs: Iterable[Iterable[Rows]],
        validation: Callable[[], Iterable[Rows]] | None,
        state: State,
        watched: Watched,
    ) -> tuple[History, State]:
        """Epoch after epoch: what they report, and the state after the last step."""
        history: dict[str, list[float]] = {}
        try:
            for batches in epochs:
                values, state = self.epoch(batches, state, watched)
                if validation is not None and not watched.is_over():
                    others = self.evaluate(validation(), state)
                    values |= {f"val_{name}": value for name, value in others.items()}
                for name, value in values.items():
                    if np.ndim(value) == 0:
                        history.setdefault(name, []).append(float(value))
                if watched.ended(values, state):
                    break
        finally:
            end_all(watched.callbacks)
        return History({name: tuple(numbers) for name, numbers in history.items()}), state

    def epoch(
        self, batches: Iterable[Rows], state: State, watched: Watched
    ) -> tuple[dict[str, Value], State]:
        """A step on each batch: what all of them report, and the state after the last."""
        function, seen = self._step.bind(state), Seen()
        for rows in batches:
            loss, *outputs = function(self._values(rows))
            seen.losses.append(float(loss))
            seen.outputs.append([np.array(each) for each in outputs])
            seen.rows.append(rows)
            if watched.after_step(lambda: State({**state, **function.state})):
                break
        reached = State({**state, **function.state})
        return {**self._report(seen, reached), "loss": seen.loss()}, reached

    def evaluate(self, batches: Iterable[Rows], state: State) -> dict[str, Value]:
        """What is reported of all their rows, nothing updated."""
        function, seen = _bound(self._outputs, state), Seen()
        for rows in batches:
            given = values_by_input(self._network.inputs, rows.x, "x")
            seen.outputs.append([np.array(each) for each in function(given)])
            seen.rows.append(rows)
        return self._report(seen, state)

    def _values(self, rows: Rows) -> dict[Node, object]:
        known = {node.op.label for node in self._step.declared.leaves("input")}
        values = rows.by_input(self._network, self._objective)
        return {node: value for node, value in values.items() if node.op.label in known}

    def _report(self, seen: Seen, state: State) -> dict[str, Value]:
        outputs = map(np.concatenate, zip(*seen.outputs, strict=True))
        targets = (_joined([rows.y.by_name[key] for rows in seen.rows])
                   for key in self._measured.targets.by_name)  # fmt: skip
        values = dict(zip(self._output_inputs.by_name.values(), outputs, strict=True))
        values |= dict(zip(self._measured.targets.by_name.values(), targets, strict=True))
        if self._measured.weights is not None:
            values[self._measured.weights] = _joined([rows.weights for rows in seen.rows])
        known = {node.op.label for node in self._measures.declared.leaves("input")}
        given = {node: value for node, value in values.items() if node.op.label in known}
        found = _bound(self._measures, state)(given)
        names = ["loss", *self._measured.metrics]
        return {name: float(value) if np.ndim(value) == 0 else np.array(value)
                for name, value in zip(names, found, strict=True)}  # fmt: skip


def _joined(arrays: Sequence[Array]) -> Array:
    return np.concatenate(arrays)


def _bound(function: Function[tuple[Numbers, ...]], state: State) -> Function[tuple[Numbers, ...]]:
    return function.bind(state) if function.slots else function
