"""`cr.Trainer`: a model, a loss and an optimizer, and the verbs to use them."""

from __future__ import annotations

import os
from dataclasses import KW_ONLY, dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from chainc.backends.target import Target
from chainc.ir.errors import InputError, StateError
from chainc.ops.movement import as_flag
from chainrule.compiled.callbacks.checkpoint import newest_checkpoint
from chainrule.compiled.history import History, Result
from chainrule.compiled.starting import arrays_for
from chainrule.compiled.state import State
from chainrule.compiled.training import TrainingProgram
from chainrule.declare.arguments import count, path_of
from chainrule.fitting.callbacks import Callbacks, Watched, callbacks_for_batches, sorted_callbacks
from chainrule.fitting.declared import Declared, Predicted
from chainrule.fitting.folds import CrossValidation
from chainrule.fitting.network import Model
from chainrule.fitting.objective import Losses, Metrics, Objective
from chainrule.fitting.parts import arrays_in
from chainrule.fitting.rows import Rows, rows_given, split
from chainrule.fitting.splits import folds_of
from chainrule.fitting.streaming import (
    Streaming,
    batches_in,
    batches_to_validate,
    refuse_exhausted,
    refuse_for_batches,
)
from chainrule.fitting.weighting import class_weights
from chainrule.nn.module import Module
from chainrule.optim.optimizers.minimizer import Minimizer
from chainrule.reports.columns import Value
from chainrule.steps.stopping import StoppingRule
from chainrule.writing.terminal import progress_bar, stop_on_interrupt

if TYPE_CHECKING:
    from chainrule.nn.summary import Summary

BATCH_SIZE = 32  # unless told otherwise


@dataclass(eq=False)
class Trainer:
    """Fits a model to data, and uses it: a thin layer over `cr.training` and `cr.compile`.

        trainer = cr.Trainer(model, losses.cross_entropy, optim.AdamW(1e-3), metrics=[metrics.f1])
        history = trainer.fit(x, y, epochs=20, validation=0.2)
        labels = trainer.predict(x)

    Inputs are declared from the first data: as many axes, and whole numbers where the model takes
    indices. An output of a single column is a vector, and so is a target. A program is compiled
    once for each batch size, and every `fit` goes on from where the last one ended.

    Attributes:
        model: a layer, or a function from one or more nodes to a node, a tuple of nodes, or nodes
            by name.
        loss: called as loss(model(x), y); of several outputs one for each, as a tuple or by name,
            whose sum is minimised, or one function of all outputs and all targets.
        optimizer: such as optim.Adam(1e-3).
        metrics: functions from outputs and targets to what is reported, such as metrics.accuracy,
            or such functions by name; of several outputs those of each, by the output's name.
        shuffle: visit the rows in a new order each epoch.
        seed: of first values, the order of the rows, splits, and all random ops.
        target: "llvm" or "numpy", as for `cr.compile`.
        threads: as for `cr.compile`.
        progress: show a bar when a fit takes longer than a second.
        result: what the last `fit` on arrays left, also metrics that are no scalars.
        program: that of the last `fit` or `evaluate`, for what the trainer has no verb for.

    Raises:
        InputError: something is no function or no optimizer, or the seed is no whole number.
    """

    model: Model
    loss: Losses
    optimizer: Minimizer
    _: KW_ONLY
    metrics: Metrics = ()
    shuffle: bool = True
    seed: int = 0
    target: str | Target = "llvm"
    threads: int | None = None
    progress: bool = True
    result: Result | None = field(default=None, init=False, repr=False)
    program: TrainingProgram | None = field(default=None, init=False, repr=False)
    _state: State | None = field(default=None, init=False, repr=False)
    _resumed: Path | None = field(default=None, init=False, repr=False)
    _objective: Objective | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        hint = "begin with cr.Trainer(model, losses.cross_entropy, optim.Adam(1e-3))"
        if not callable(self.model):
            raise InputError(f"Trainer: {self.model!r} is no model", hint=hint)
        if not isinstance(self.optimizer, Minimizer):
            raise InputError(f"Trainer: {self.optimizer!r} is no optimizer", hint=hint)
        as_flag("Trainer", "shuffle", self.shuffle)
        as_flag("Trainer", "progress", self.progress)
        count("Trainer", "seed", self.seed, at_least=0, hint="give a seed such as 0")
        self._declared = Declared(
            self.model, self.loss, self.optimizer, self.metrics, self.target, self.threads
        )

    def fit(
        self,
        x: object,
        y: object = None,
        *,
        epochs: int = 10,
        batch_size: int = BATCH_SIZE,
        validation: object = None,
        callbacks: Callbacks = (),
        class_weight: object = None,
        sample_weight: object = None,
        **hyperparameters: float,
    ) -> History:
        """Train, from the present state on.

        Args:
            x: rows: an array, a table, or a file in memory; several for a model of several inputs,
                as a tuple or by name. Without y an iterable of minibatches, each (x, y) or
                (x, y, weights), for data that are read while one trains.
            y: a target for each row, an array or several: class numbers, or numbers.
            epochs: passes over the rows.
            batch_size: rows a step; where there are fewer, all of them.
            validation: a share of the rows to hold out, drawn, of labels with each class in the
                same share; of arrays in files the last rows, so that nothing is copied. Or rows
                of your own: (x, y).
            callbacks: rules that end the training, such as cr.EarlyStopping, which the compiled
                loop follows by itself; and what Python does between epochs, such as
                cr.Checkpoint, or any function of a `FinishedEpoch`.
            class_weight: "balanced", or weights by class number, 1 for the others.
            sample_weight: a weight for each row.
            hyperparameters: other values for those of the optimizer, such as lr=0.01.

        Returns:
            The loss and the metrics by name, a number an epoch; those of the validation rows
            begin with `val_`.

        Raises:
            InputError: something does not fit; nothing has been computed then.
        """
        if y is None:
            refuse_for_batches(class_weight, sample_weight, hyperparameters)
            return self._fit_batches(x, validation, epochs, callbacks)
        given = rows_given("fit", x, y, sample_weight)
        wanted = count("fit", "batch_size", batch_size, hint="take at least one row")
        rows, others = split(given, validation, self.seed)
        network = self._declared.network_over(rows.x)
        classes = class_weights(class_weight, network.outputs, rows.y)
        objective = self._declared.objective(network, rows.y, classes, weighted=rows.weighted)
        rules, between = sorted_callbacks(callbacks)
        program = self._program(objective, min(wanted, len(rows)), rules)
        steps = -(-len(rows) // min(wanted, len(rows)))
        if self._is_done(epochs, steps):
            return History()
        result = program.run(
            rows.by_input(network, objective),
            validation=None if others is None else others.by_input(network, objective),
            state=self._start(program),
            epochs=epochs,
            progress=self.progress,
            callbacks=between,
            resume=self._resumed,
            **hyperparameters,
        )
        self._resumed = None
        self.program, self._objective = program, objective
        self.result, self._state = result, result.state
        return result.history

    def evaluate(
        self, x: object, y: object = None, *, sample_weight: object = None
    ) -> dict[str, Value]:
        """The loss and the metrics on other rows, or an iterable of batches; nothing is changed.

        Raises:
            StateError: nothing has been trained or loaded.
            InputError: something does not fit.
        """
        state = self._trained("evaluate")
        if y is None:
            return self._evaluate_batches(x, state)
        given = rows_given("evaluate", x, y, sample_weight)
        program, objective = self._ready(given)
        network = self._declared.network_over(given.x)
        return program.report(given.by_input(network, objective), self._filled(program, state))

    def predict(self, x: object) -> Predicted:
        """For each row the class number, where the loss is one of classes; else the output.

        Of several outputs a tuple, or a dictionary, as the model gives them.

        Raises:
            StateError: nothing has been trained or loaded.
            InputError: the rows do not fit.
        """
        return self._computed("predict", "predictions", x)

    def predict_proba(self, x: object) -> Predicted:
        """For each row the probabilities of all classes; of a single logit that of the positive.

        Raises:
            StateError: nothing has been trained or loaded.
            InputError: the rows do not fit, or the loss is none of probabilities.
        """
        return self._computed("predict_proba", "probabilities", x)

    @property
    def state(self) -> State:
        """All values now: parameters, statistics, the optimizer's slots, the counter of steps.

        Raises:
            StateError: nothing has been trained or loaded.
        """
        return self._trained("state")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all values now as a safetensors file, whole or not at all.

        Raises:
            StateError: there are none yet, or the file cannot be written.
        """
        self._trained("save").save(path)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Go on with the values of a file: predict, evaluate, or fit further.

        Raises:
            StateError: the file cannot be read, or is of another model; nothing changes then.
        """
        state = State.load(path)
        if isinstance(self._declared.model, Module):
            arrays_for(self._declared.model.states(), state)
        self._state = state

    def resume(self, path: str | os.PathLike[str]) -> None:
        """Go on with a fit that was interrupted, from what a `Checkpoint` or `save` has written.

        The next `fit`, on the same arrays, does what is left of its epochs: its bits are those of
        one that was not interrupted. Where there is no file yet, it begins as it would have.

        Args:
            path: as it was given to `Checkpoint`; the newest file is read.

        Raises:
            StateError: the file cannot be read, or is of another model; nothing changes then.
        """
        newest = newest_checkpoint(path_of("resume", path))
        if newest is not None:
            self.load(newest)
            self._resumed = newest

    def summary(self) -> Summary:
        """The layers of the model, with shapes, parameters and the work of a row.

        Raises:
            InputError: the model does not tell the shape of its input, and there were no data yet.
        """
        from chainrule.fitting.summary import summary_of

        return summary_of(self._declared.model, self._declared.network)

    def cross_validate(
        self,
        x: object,
        y: object,
        *,
        folds: int = 5,
        epochs: int = 10,
        batch_size: int = BATCH_SIZE,
        **hyperparameters: float,
    ) -> CrossValidation:
        """Train from the beginning once for each fold, on all other folds, and measure on it.

        Folds are drawn, of labels with each class in the same share. The trainer's own state stays.

        Raises:
            InputError: something does not fit; nothing has been computed then.
        """
        given = rows_given("cross_validate", x, y)
        wanted = count("cross_validate", "batch_size", batch_size, hint="take at least one row")
        network = self._declared.network_over(given.x)
        objective = self._declared.objective(network, given.y, None, weighted=False)
        measured: list[dict[str, float]] = []
        for seen, tested in list(folds_of(given.y, folds, self.seed)):
            program = self._program(objective, min(wanted, len(seen)))
            result = program.run(
                given.chosen(seen).by_input(network, objective),
                validation=None,
                state=None,
                epochs=epochs,
                progress=False,
                callbacks=(),
                resume=None,
                **hyperparameters,
            )
            others = given.chosen(tested).by_input(network, objective)
            measured.append(program.evaluate(others, result.state))
        return CrossValidation(measured)

    def _fit_batches(
        self,
        batches: object,
        validation: object,
        epochs: int,
        callbacks: Callbacks,
    ) -> History:
        count("fit", "epochs", epochs, hint="run at least one epoch")
        refuse_exhausted(batches, epochs)
        between = callbacks_for_batches(callbacks, resumed=self._resumed is not None)
        others = batches_to_validate(validation)
        ahead = batches_in("fit", batches)
        first = next(ahead)
        streaming = self._streaming(first)
        walks = chain([chain([first], ahead)],
                      (batches_in("fit", batches) for _ in range(epochs - 1)))  # fmt: skip
        with stop_on_interrupt() as stop, progress_bar(epochs, self.progress) as tick:
            start = streaming.start(self._state, self.seed)
            history, self._state = streaming.fit(
                walks, others, start, Watched(epochs, between, tick, stop)
            )
        return history

    def _evaluate_batches(self, batches: object, state: State) -> dict[str, Value]:
        ahead = batches_in("evaluate", batches)
        first = next(ahead)
        streaming = self._streaming(first)
        return streaming.evaluate(chain([first], ahead), streaming.start(state, self.seed))

    def _streaming(self, first: Rows) -> Streaming:
        network = self._declared.network_over(first.x)
        return self._declared.streaming(network, first.y, None, weighted=first.weighted)

    def _program(
        self, objective: Objective, batch_size: int, rules: tuple[StoppingRule, ...] = ()
    ) -> TrainingProgram:
        return self._declared.program(
            objective, batch_size, rules, shuffle=self.shuffle, seed=self.seed
        )

    def _is_done(self, epochs: int, steps: int) -> bool:
        """Has what is resumed no epochs left? Of so many steps each."""
        if self._resumed is None or self._state is None:
            return False
        return int(self._state["step"]) >= epochs * steps

    def _ready(self, given: Rows) -> tuple[TrainingProgram, Objective]:
        """The last program, or a first one to measure with."""
        if self.program is None or self._objective is None:
            network = self._declared.network_over(given.x)
            self._objective = self._declared.objective(network, given.y, None, weighted=False)
            self.program = self._program(self._objective, BATCH_SIZE)
        return self.program, self._objective

    def _start(self, program: TrainingProgram) -> State:
        if self._state is None:
            return program.initial_state()
        return self._filled(program, self._state)

    def _filled(self, program: TrainingProgram, state: State) -> State:
        """A state with first values of the slots that it does not have, such as an optimizer's."""
        missing = [slot for slot in program.slots if slot.op.label not in state]
        return State({**program.initial_state(), **state}) if missing else state

    def _trained(self, function: str) -> State:
        if self._state is None:
            raise StateError(
                f"{function}: nothing has been trained yet",
                hint="call trainer.fit(x, y) or trainer.load(path) first",
            )
        return self._state

    def _computed(self, function: str, of: str, x: object) -> Predicted:
        state = self._trained(function)
        return self._declared.computed(of, arrays_in(function, "x", x), state)
