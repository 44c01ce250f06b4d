"""A run of a compiled training, epoch by epoch: what it records, and when it ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field

import numpy as np

from chainc.backends.epochs import EpochPlace, Epochs, TrainingRunner
from chainc.dataclass import dataclass
from chainc.driver import LoopForm
from chainc.ir import Node, describe
from chainc.ir.errors import InputError, NonFiniteWarning, warn
from chainc.ir.types import Array
from chainc.ops.families.philox import permutation
from chainrule.compiled.callbacks.calling import Callback, FinishedEpoch, end_all
from chainrule.compiled.callbacks.turns import Turns
from chainrule.compiled.history import History
from chainrule.declare.calls import answering
from chainrule.evaluation.values import with_nan
from chainrule.reports.columns import Columns, Value
from chainrule.reports.whole_rows import WholeRows
from chainrule.steps.ending import VALIDATION


@dataclass
class Record:
    """What a run has reported so far."""

    columns: Columns
    history: dict[str, list[float]] = field(default_factory=dict)
    latest: dict[str, Value] = field(default_factory=dict)

    def add(self, finished: Epochs) -> None:
        """One or more epochs."""
        self._add("", finished.means)
        if finished.validation is not None:
            self._add(VALIDATION, finished.validation)

    def _add(self, prefix: str, rows: Array) -> None:
        for name, column in self.columns.scalars.items():
            self.history.setdefault(prefix + name, []).extend(rows[:, column].tolist())
        values = self.columns.values(rows[-1])
        self.latest |= {prefix + name: value for name, value in values.items()}

    @property
    def newest(self) -> dict[str, float]:
        """The scalars of the last epoch."""
        return {name: numbers[-1] for name, numbers in self.history.items()}

    def kept(self) -> History:
        return History({name: tuple(numbers) for name, numbers in self.history.items()})


@dataclass
class Run:
    """Epochs over rows; `values` are the state, updated in place.

    Attributes:
        before: epochs of the run that is resumed, which are counted with those of this one.
        done: epochs that this one has finished.
        stopped: a rule of the loop has ended it, or a callback.
    """

    runner: TrainingRunner
    whole: WholeRows
    rows: Mapping[str, Array]
    held_out: Mapping[str, Array] | None
    values: dict[str, Array]
    epochs: int
    record: Record
    callbacks: Sequence[Callback]
    before: int = 0
    done: int = 0
    stopped: bool = False
    _after_epochs: Turns = field(init=False)
    _after_steps: Turns = field(init=False)

    def __post_init__(self) -> None:
        self._after_epochs = Turns.after_epochs(self.callbacks)
        self._after_steps = Turns.after_steps(self.callbacks, self._step)

    def finished(self, stop: Callable[[], bool]) -> Iterator[int]:
        """How many epochs have been recorded, again and again, until there are no more."""
        try:
            yield from self._finished(stop)
        finally:
            end_all(self.callbacks)

    def _finished(self, stop: Callable[[], bool]) -> Iterator[int]:
        goes_on = True
        while goes_on:
            steps = self._after_steps.left(self._step)
            for piece in self._until_called(steps, lambda: stop() or self.stopped):
                self.record.add(self._corrected(piece))
                self.done += len(piece.means)
                self.stopped = piece.ended
                yield len(piece.means)
                if not stop():
                    self._call(self._after_epochs.taken(self.done, over=self._is_over))
            if steps is None or stop():
                return
            self._call(self._after_steps.taken(self._step, over=self._is_over))
            goes_on = not self._is_over

    @property
    def _step(self) -> int:
        return int(self.values["step"])

    @property
    def _is_over(self) -> bool:
        return self.stopped or self.done == self.epochs

    def _until_called(self, steps: int | None, stop: Callable[[], bool]) -> Iterator[Epochs]:
        """Epochs until the end, or until so many steps after which a callback is to be called."""
        left = self.epochs - self.done
        given = (self.rows, self.held_out, self.values, left, stop)
        return self.runner.run(*given, every=self._every(), steps=steps)

    def _every(self) -> Callable[[], int] | None:
        """Until a callback's turn, asked again after each."""
        if self._needs_all_rows:
            return lambda: 1
        if self._after_epochs.left(self.done) is None:
            return None
        return lambda: self._after_epochs.left(self.done) or 1

    @property
    def _needs_all_rows(self) -> bool:
        return self.whole.concern(held_out=self.held_out is not None)

    def _corrected(self, piece: Epochs) -> Epochs:
        if not self._needs_all_rows:
            return piece
        return self.whole.after_epoch(piece, self.rows, self.held_out, self.values)

    def _call(self, callbacks: Sequence[Callback]) -> None:
        for callback in callbacks:
            numbers = self.before + self.done, self.before + self.epochs
            epoch = FinishedEpoch(*numbers, dict(self.record.latest), self.values)
            self.stopped = bool(answering(callback, "a callback")(epoch)) or self.stopped


def warn_of_divergence(
    rows: Mapping[str, Array],
    history: Mapping[str, Sequence[float]],
    parameters: Sequence[Node],
    values: Mapping[str, Array],
) -> None:
    """Once a run, from what it leaves: to look at every step is `watch`.

    Of NaN in the data the run has warned already.
    """
    found = _not_finite(history.get("loss", ()), parameters, values)
    if found is not None and not with_nan(rows):
        warn(
            NonFiniteWarning,
            f"the run has diverged: {found}",
            hint="declare the training with watch=True to see the step, the node and its "
            "line where it begins; a smaller lr often helps",
        )


def _not_finite(
    losses: Sequence[float], parameters: Sequence[Node], values: Mapping[str, Array]
) -> str | None:
    """Where a run shows NaN or infinity first; None if nowhere."""
    for epoch, loss in enumerate(losses, start=1):
        if not math.isfinite(loss):
            return f"the loss is {loss} in epoch {epoch} of {len(losses)}"
    for parameter in parameters:
        if not np.isfinite(values[parameter.op.label]).all():
            return f"{describe(parameter)} holds NaN or infinity after it"
    return None


def run_to_step(
    runner: TrainingRunner,
    form: LoopForm,
    rows: Mapping[str, Array],
    held_out: Mapping[str, Array] | None,
    values: dict[str, Array],
    epochs: int,
    step: int,
) -> Array:
    """Do all steps of a run before this one; `values` are the state, updated in place.

    Returns:
        The numbers of the rows that the step visits, in its order.

    Raises:
        InputError: the run does not have this step.
    """
    count = len(rows[form.batch_inputs[0]])
    place = EpochPlace.of(values, count, form.batch_size)
    epoch, done = divmod(place.first + step - place.step, place.steps)
    begun = place.first // place.steps
    behind = place.step + (begun + epochs) * place.steps - place.first
    if not place.step <= step < behind:
        raise InputError(
            f"replay: the run has no step {step}: it does the steps {place.step} to {behind - 1}",
            hint="give one of these; more epochs with epochs=, an earlier one from another state",
        )
    passes, steps = epoch - begun + 1, step - place.step
    finished = list(runner.run(rows, held_out, values, passes, _never, steps=steps))
    if any(each.ended for each in finished):
        raise InputError(
            f"replay: the training has ended by its rules after {values['step']} steps, so there "
            f"is no step {step}",
            hint="give an earlier one",
        )
    start = done * form.batch_size
    order = permutation(count, form.order_stream, int(values["seed"]), epoch)
    visited = order if form.shuffle else np.arange(count)
    return visited[start : start + form.batch_size]


def _never() -> bool:
    return False
