"""Compiled training loops: what runs them, and what a run returns."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from chainc import driver
from chainc.backends.target import GeneratedCode
from chainc.ir import Node
from chainc.ir.errors import InputError, StateError
from chainc.ir.types import Array
from chainc.ops.movement import as_flag
from chainrule.compiled.callbacks.calling import Callback, checked_callbacks
from chainrule.compiled.callbacks.checkpoint import resumed
from chainrule.compiled.compiled import Compiled, not_compiled
from chainrule.compiled.history import Result
from chainrule.compiled.lowering import NO_DATA
from chainrule.compiled.running import Record, Run, run_to_step, warn_of_divergence
from chainrule.compiled.starting import FirstValues, values_to_continue
from chainrule.compiled.state import HasState, State, holding, state_of
from chainrule.declare.arguments import count
from chainrule.declare.calls import answers_calls
from chainrule.declare.graphs import refuse_small
from chainrule.evaluation.values import (
    Data,
    as_arrays,
    by_key,
    check_hyperparameters,
    check_indices,
    sizes_from,
    warn_of_nan,
)
from chainrule.reports.columns import Columns, Value
from chainrule.reports.whole_rows import WholeRows
from chainrule.steps.ending import VALIDATION
from chainrule.steps.loop import Training
from chainrule.writing.phrases import counted
from chainrule.writing.short_text import program_text
from chainrule.writing.terminal import progress_bar, stop_on_interrupt

if TYPE_CHECKING:
    from chainrule.views.profile import Profile
    from chainrule.views.replay import Replay, Replaying


@answers_calls
class TrainingProgram(Compiled):
    """A compiled training loop."""

    def __init__(self, declared: Training, compiled: driver.CompiledTraining) -> None:
        parts: list[tuple[object, type]] = [
            (declared, Training),
            (compiled, driver.CompiledTraining),
        ]
        for part, kind in parts:
            if not isinstance(part, kind):
                raise not_compiled("TrainingProgram", part, "cr.compile(cr.training(step, ...))")
        super().__init__(compiled.target, compiled.declared.step)
        self._training = declared
        self._compiled = compiled
        self._signature = compiled.signature
        self._columns = Columns.of(declared.names, compiled.declared.evaluation.outputs)
        self._whole = WholeRows(compiled, self._columns, len(declared.step.outputs))
        ending = declared.ending
        if ending is not None:
            self._whole.refuse_rules([n.removeprefix(VALIDATION) for n in ending.reported])

    @property
    def _stages(self) -> Sequence[driver.Stage]:
        return self._compiled.stages

    def __repr__(self) -> str:
        loop, trained = self._training.loop, self._training.step.parameters
        return program_text(self._declared, loop, trained, self.target.name)

    def _generated(self) -> GeneratedCode:
        return self._compiled.executable.generated

    def shown_sizes(self) -> Mapping[str, int]:
        """A whole batch."""
        return dict.fromkeys(self._signature.size_names, self._training.batch_size)

    @property
    def slots(self) -> tuple[Node, ...]:
        """Parameters, optimizer slots, counters, and what rules keep from epoch to epoch."""
        return (*self._declared.leaves("state"), *self._rule_slots)

    @cached_property
    def _rule_slots(self) -> tuple[Node, ...]:
        ending = self._training.ending
        known = set(self._declared.leaves("state"))
        updates = () if ending is None else ending.verdict.updates
        return tuple(slot for slot in updates if slot not in known)

    @cached_property
    def _first_values(self) -> FirstValues:
        return FirstValues(self.slots, self.target)

    def initial_state(self, seed: int | None = None) -> State:
        """The values before the first step."""
        chosen = self._training.seed if seed is None else seed
        return holding({**self._first_values.state(chosen), "seed": np.array(chosen, np.int64)})

    def run(
        self,
        data: Data = (),
        *others: object,
        validation: Data | None = None,
        state: State | HasState | None = None,
        epochs: int | None = None,
        progress: bool = True,
        callbacks: Sequence[Callback] = (),
        resume: str | os.PathLike[str] | None = None,
        **hyperparameters: float,
    ) -> Result:
        """Train.

        Args:
            data: an array for every input, by node or name, or a list of them in the order in
                which the program's text declares the inputs; rows along the first axis.
            others: none: all inputs are given at once.
            validation: other data on which the loss and metrics are computed after each epoch.
            state: continue from these values, step counter and randomness included: the bits
                are those of one long run. By default the initial state.
            epochs: another number of epochs than declared. A state from the middle of an epoch
                first finishes that epoch; all others pass over all rows, whatever the data.
            progress: show a bar on a terminal when the run takes longer than a second.
            callbacks: what to call in Python between epochs, such as `cr.Checkpoint`, or any
                function of a `FinishedEpoch`; one that returns True ends the run.
            resume: the path of a `Checkpoint`. If there is a file, the run continues from the
                newest, for what is left of the epochs; `data` must be the same rows.
            hyperparameters: other values for the scalar inputs with defaults, such as lr=0.01.

        Raises:
            InputError: data that does not fit; nothing has been computed then.
            StateError: a state that does not fit.
        """
        _check_nothing_else("run", others)
        rows = self._check(data, hyperparameters)
        held_out = None if validation is None else self._check(validation, hyperparameters)
        self._check_rules(validated=held_out is not None)
        asked = total = self._training.epochs if epochs is None else epochs
        count("run", "epochs", asked, hint="run at least one epoch")
        shown = as_flag("run", "progress", progress)
        if resume is not None:
            steps = -(-self._count(rows) // self._training.batch_size)
            state, total = resumed(resume, state, steps, asked)
        values = self._starting_values(state)
        self._check_batch(rows)
        chosen = checked_callbacks(callbacks)
        record = Record(self._columns)
        runner = self._compiled.executable.runner
        run = Run(
            runner, self._whole, rows, held_out, values, total, record, chosen, before=asked - total
        )
        told = self._count(rows) if self._training.reads_rows else 0
        with (
            np.errstate(all="ignore"),
            stop_on_interrupt() as stop,
            progress_bar(total, shown, told) as tick,
        ):
            for finished in run.finished(stop):
                tick(finished, record.newest)
            interrupted = stop()
        warn_of_divergence(rows, record.history, self._training.step.parameters, values)
        return Result(holding(values), record.kept(), record.latest, interrupted, run.stopped)

    def _check_rules(self, *, validated: bool) -> None:
        ending = self._training.ending
        if ending is not None and ending.needs_validation and not validated:
            (name, *_) = (name for name in ending.reported if name.startswith(VALIDATION))
            raise InputError(
                f"run: the training stops by {name!r}, and there are no validation data",
                hint="give them, validation=[x, y], or let stop read the loss of the training",
            )

    def evaluate(
        self, data: Data = (), state: State | HasState | None = None, **hyperparameters: float
    ) -> dict[str, float]:
        """The loss and the metrics that are scalars on data, nothing updated.

        They are exact over all rows: means and what follows from sums are added up batch by batch;
        anything else, such as the largest element, is computed from all rows at once.

        Args:
            data: as for `run`.
            state: what a run has left; has to be given.
            hyperparameters: as for `run`.
        """
        values = self._reported(data, state, hyperparameters)
        return {name: float(values[column]) for name, column in self._columns.scalars.items()}

    def report(
        self, data: Data = (), state: State | HasState | None = None, **hyperparameters: float
    ) -> dict[str, Value]:
        """The same with the metrics that are no scalars, such as a confusion matrix."""
        return self._columns.values(self._reported(data, state, hyperparameters))

    def _reported(
        self, data: Data, state: State | HasState | None, hyperparameters: Mapping[str, float]
    ) -> Array:
        if state is None:
            raise StateError(
                "evaluate: there is no state",
                hint="give what a run has left: program.evaluate(data, result.state)",
            )
        rows = self._check(data, hyperparameters)
        values = self._starting_values(state)
        with np.errstate(all="ignore"):
            means = self._compiled.executable.runner.evaluate(rows, values)
            return self._whole.evaluated(means, rows, values)

    def profile(
        self,
        data: Data = (),
        *others: object,
        state: State | HasState | None = None,
        steps: int | None = None,
        **hyperparameters: float,
    ) -> Profile:
        """Time every kernel of a step, on whole batches of the data; nothing of it is kept.

        The steps are done on a copy of the state, on one thread, by code that reads a clock before
        and after each kernel; the program itself takes turns with it. A reading takes some 10 ns
        of machine code and 0.1 µs of NumPy. A small training is a single kernel.

        Args:
            data: as for `run`.
            others: none, as for `run`.
            state: begin with these values; by default the initial state.
            steps: how many are timed; by default as many as take some tenths of a second.
            hyperparameters: as for `run`.

        Raises:
            InputError: data that does not fit.
            StateError: a state that does not fit.
            GraphError: the program's target does not say what a kernel takes.
        """
        from chainrule.views.profiling import profile_of_training

        _check_nothing_else("profile", others)
        rows = self._check(data, hyperparameters)
        self._check_batch(rows)
        values = self._starting_values(state)
        graphs = [stage.graph for stage in self._stages]
        return profile_of_training(self.target, self._compiled.loop, graphs, rows, values, steps)

    def replay(
        self,
        data: Data = (),
        *others: object,
        step: int,
        validation: Data | None = None,
        state: State | HasState | None = None,
        epochs: int | None = None,
        **hyperparameters: float,
    ) -> Replay[State]:
        """One step again, with every value: randomness is counted, not drawn.

        The loop runs up to the step, bit for bit as it did; then the graph of the step, as the
        passes have changed it, is computed node by node in the declared element types.

        Args:
            data: as for `run`.
            others: none, as for `run`.
            step: which, counted from 0: as many as the state has behind it before the step.
            validation: as for `run`, where the training stops by what is reported of it.
            state: what the run began with, or left at any earlier step; by default the initial
                state.
            epochs: as for `run`.
            hyperparameters: as for `run`.

        Raises:
            InputError: data that does not fit, or the run has no such step.
            StateError: a state that does not fit.
        """
        _check_nothing_else("replay", others)
        count("replay", "step", step, at_least=0, hint="count from 0: step=0 is the first")
        passes = self._training.epochs if epochs is None else epochs
        count("replay", "epochs", passes, hint="give 1 or more, as for run")
        rows = self._check(data, hyperparameters)
        held_out = None if validation is None else self._check(validation, hyperparameters)
        self._check_rules(validated=held_out is not None)
        self._check_batch(rows)
        values = self._starting_values(state)
        runner, form = self._compiled.executable.runner, self._compiled.declared.form
        visited = run_to_step(runner, form, rows, held_out, values, passes, step)
        return self._replaying.step(rows, visited, State(values))

    @cached_property
    def _replaying(self) -> Replaying:
        from chainrule.views.replay import Replaying

        return Replaying(self._training, self._compiled)

    def export(
        self,
        folder: str | os.PathLike[str],
        *,
        name: str,
        predict: Node | None = None,
        processor: str | None = None,
    ) -> tuple[Path, ...]:
        """Write the training loop as files that need no Python.

        `NAME.o` and a library hold machine code that takes no memory and calls no other library;
        `NAME.h` says what they offer, and `main.c` trains with them on a data file, or for as many
        epochs as it is told where steps read no data. With processor="native" a run leaves the
        same bits as one of target "llvm". A program of target "wasm" becomes modules for browsers,
        `NAME.js`, which calls them, and a page that trains; with processor="portable" the script
        and the one module for every browser alone. One of target "c" becomes `NAME.c`, for a C
        compiler of one's own, with the same header.

        Args:
            folder: made if it does not exist; files of these names are replaced.
            name: an identifier of C, with which every name in it begins.
            predict: a node with a result for each row, such as the logits, to be computed from
                the parameters.
            processor: "portable", or None, for any x86-64 with AVX2 and FMA under Linux, "native"
                for this one, or another by its name, such as "aarch64" or "cortex-m4". Source in C
                is for none.

        Returns:
            The files' paths.

        Raises:
            InputError: the name is no identifier, or there is no such processor.
            GraphError: `predict` needs what the training does not have, or the training cannot
                be native code.
            LinkingError: there is no linker; install a C compiler or the extra "aot".
            ExportError: a file cannot be written.
        """
        from chainrule.compiled.exporting import OF_TRAINING, export, files_for

        return export(
            folder,
            name=name,
            declared=self._declared,
            slots=self.slots,
            loop=self._compiled.loop,
            training=self._training,
            predict=predict,
            files=files_for(OF_TRAINING, self.target, processor),
        )

    def _check(self, data: Data, hyperparameters: Mapping[str, float]) -> dict[str, Array]:
        check_hyperparameters(self._declared, hyperparameters)
        given = by_key(self._declared, data, hyperparameters)
        arrays = as_arrays(self._declared, given, self._compiled.executable.runner.byte_inputs)
        sizes = sizes_from(self._declared, arrays)
        if not all(each.fit(arrays[each.key], sizes) for each in self._signature.indices):
            loop = self._compiled.loop
            check_indices((*loop.step.index_bounds, *loop.evaluate.index_bounds), arrays, sizes)
        warn_of_nan(arrays)
        return arrays if self._training.reads_rows else {**arrays, NO_DATA: np.zeros(1, np.uint8)}

    def _count(self, rows: Mapping[str, Array]) -> int:
        return len(rows[self._compiled.declared.form.batch_inputs[0]])

    def _check_batch(self, rows: Mapping[str, Array]) -> None:
        batch_size, found = self._training.batch_size, self._count(rows)
        if found < batch_size:
            raise InputError(
                f"the data has {found} rows, fewer than one batch of {batch_size}",
                hint=f"declare the training with batch_size={found} or less",
            )
        for size in filter(None, (batch_size, found % batch_size)):
            refuse_small(self._declared, dict.fromkeys(self._signature.size_names, size))

    def _starting_values(self, state: State | HasState | None) -> dict[str, Array]:
        if state is None:
            return {name: np.array(array) for name, array in self.initial_state().items()}
        return values_to_continue(self.slots, self._with_rule_slots(state), self._training.seed)

    def _with_rule_slots(self, state: State | HasState) -> State | HasState:
        """A state of a run without the rules begins with what they begin with."""
        known = state_of(state)
        missing = [slot for slot in self._rule_slots if slot.op.label not in known]
        if not missing:
            return state
        first = self.initial_state()
        return State({**known, **{slot.op.label: first[slot] for slot in missing}})


def _check_nothing_else(function: str, others: Sequence[object]) -> None:
    if others:
        values = counted(1 + len(others), "value")
        raise InputError(
            f"{function}: {values} by position: the data of all inputs is one",
            hint=f"give the inputs' arrays as a list, {function}([x, y]), or by name, "
            f'{function}({{"x": ..., "y": ...}}); held-out data is validation=... of run',
        )
