"""A run of a compiled training, epoch by epoch: what it records, and when it ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from chainc.backends.epochs import Epochs, TrainingRunner
from chainc.ir import Node, describe
from chainc.ir.types import Array
from chainrule.compiled.callbacks import Callback, FinishedEpoch, every_of
from chainrule.compiled.history import History
from chainrule.declare.calls import answering
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
        has_rules: the loop itself may end the training.
        stopped: it has, or a callback.
    """

    runner: TrainingRunner
    whole: WholeRows
    rows: Mapping[str, Array]
    held_out: Mapping[str, Array] | None
    values: dict[str, Array]
    epochs: int
    record: Record
    callbacks: Sequence[Callback]
    has_rules: bool
    before: int = 0
    stopped: bool = False

    def finished(self, stop: Callable[[], bool]) -> Iterator[int]:
        """How many epochs have been recorded, again and again, until there are no more."""
        at_once, done = self._at_once(), 0
        while done < self.epochs and not self.stopped:
            some = min(at_once, self.epochs - done)
            pieces = self._pieces(some, done + some == self.epochs, stop)
            for piece in pieces if at_once >= self.epochs else list(pieces):
                self.record.add(self._corrected(piece, at_once))
                self.stopped = self.stopped or piece.ended
                done += len(piece.means)
                yield len(piece.means)
            if stop():
                return
            self._call_back(done)

    def _pieces(self, some: int, ends: bool, stop: Callable[[], bool]) -> Iterator[Epochs]:
        if self.has_rules and not ends:
            return self.runner.run(self.rows, self.held_out, self.values, some, stop, ends=False)
        return self.runner.run(self.rows, self.held_out, self.values, some, stop)

    def _at_once(self) -> int:
        """How many epochs the compiled loop does before it comes back."""
        if self.whole.concern(held_out=self.held_out is not None):
            return 1
        return math.gcd(*map(every_of, self.callbacks)) or self.epochs

    def _corrected(self, piece: Epochs, at_once: int) -> Epochs:
        if at_once > 1 or not self.whole.concern(held_out=self.held_out is not None):
            return piece
        return self.whole.after_epoch(piece, self.rows, self.held_out, self.values)

    def _call_back(self, done: int) -> None:
        for callback in self.callbacks:
            over = done == self.epochs or self.stopped
            if done % every_of(callback) and not over:
                continue
            numbers = self.before + done, self.before + self.epochs
            epoch = FinishedEpoch(*numbers, dict(self.record.latest), self.values)
            self.stopped = bool(answering(callback, "a callback")(epoch)) or self.stopped


def not_finite(
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
