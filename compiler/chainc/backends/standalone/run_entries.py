"""The functions that C calls to train, to do one step, to evaluate and to predict.

Tables of pointers are there while a call lasts; the plan of a run lies in the arena, where every
thread finds it. A data set is a struct of rows, a pointer for each array, and the word whose bit i
says that array i holds uint8. A job is the data, the validation data, the number of epochs, and the
history. Steps that read no rows are counted by one row that is not there: of a job without data
there is only said whether that row is evaluated after each epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from chainc.backends.epochs import MOST_STEPS
from chainc.backends.standalone.entry_points import Prepared
from chainc.backends.standalone.guards import CheckedWriter
from chainc.backends.standalone.interface import (
    C_TYPES,
    MOST_EPOCHS,
    MOST_ROWS,
    Interface,
    Prediction,
    RowArray,
)
from chainc.backends.standalone.outside import ARENA, Field, Given, Outside
from chainc.dataclass import dataclass
from chainc.ir.types import float64, int64, uint8
from chainc.loops.language import Routine
from chainc.loops.routine_builder import Number
from chainc.loops.values import Parameter, Register, affine
from chainc.schedules.program import control_block
from chainc.schedules.training.single import Places

OUTPUTS = Given("double *outputs")


@dataclass(frozen=True)
class RunRoutines:
    """What the functions do when all is fine; see `chainc.schedules.training.single`."""

    train: Routine
    job: Routine
    step: Routine
    means: Routine
    predict: Routine | None


@dataclass(frozen=True)
class DataSet:
    """A data set as a routine knows it; `given` is what it is given of it, in order."""

    rows: Register
    arrays: Sequence[Parameter]
    bytes: Register
    given: Sequence[Parameter | Register]


@dataclass(frozen=True)
class Running:
    """`table` is where the routines look for the caller's arrays, `history` that of means."""

    prepared: Prepared
    routines: RunRoutines
    places: Places
    table: Mapping[str, int]
    history: int

    @property
    def interface(self) -> Interface:
        return self.prepared.interface

    def functions(self) -> Sequence[Outside]:
        """`train`, `begin` and `train_thread`, `step`, `evaluate`, and perhaps `predict`."""
        name, outside = self.interface.name, self.prepared.outside
        job = Given(f"const {name}_job *job", tuple(self._job()))
        batch, data = (self._data_set(word) for word in ("batch", "data"))
        thread = (Given("int64_t thread"), Given("int64_t threads"))
        return [
            outside("train", (ARENA, job), self._train()),
            outside("begin", (ARENA, job), self._begin),
            outside("train_thread", (ARENA, job, *thread), self._work),
            outside("step", (ARENA, *batch, OUTPUTS), self._step()),
            outside("evaluate", (ARENA, *data, OUTPUTS), self._evaluate()),
            *self._predictions(),
        ]

    # structs

    def _data_set(self, word: str) -> Sequence[Given]:
        if not self.interface.reads_rows:
            return ()
        return [Given(f"const {self.interface.name}_data *{word}", tuple(self._data(0, "")))]

    def _data(self, start: int, path: str) -> Iterator[Field]:
        inputs = self.interface.inputs
        yield Field(start, f"{path}rows")
        for i, each in enumerate(inputs):
            yield Field(start + 1 + i, f"{path}{each.word}_data", is_pointer=True)
        yield Field(start + 1 + len(inputs), f"{path}bytes")

    def _job(self) -> Iterator[Field]:
        if self.interface.reads_rows:
            words = len(self.interface.inputs) + 2  # of a data set
            yield from self._data(0, "training.")
            yield from self._data(words, "validation.")
            first = 2 * words
        else:
            yield Field(0, "validates")
            first = 1
        yield Field(first, "epochs")
        yield Field(first + 1, "history", is_pointer=True)
        if self.interface.end is not None:
            yield Field(first + 2, "continues")

    def _given_data(
        self, to: CheckedWriter, rows: str = "rows", arrays: str = "data", kinds: str = "bytes"
    ) -> DataSet:
        """No array is called as a number is, whatever the caller calls it."""
        if not self.interface.reads_rows:
            return DataSet(to.integer(1, rows), (), to.integer(0, kinds), given=())
        count, found = to.number(rows), []
        for each in self.interface.inputs:
            dtype = uint8 if each.may_be_bytes else each.dtype
            found.append(to.buffer(f"{each.word}.{arrays}", dtype))
        flags = to.number(kinds)
        return DataSet(count, found, flags, given=(count, *found, flags))

    def _given_job(self, to: CheckedWriter) -> tuple[DataSet, DataSet, Register, Parameter]:
        training = self._given_data(to)
        if self.interface.reads_rows:
            held_out = self._given_data(to, "held_out", "held_out", "held_out_bytes")
        else:
            validates = to.number("validates")
            held_out = DataSet(validates, (), training.bytes, given=(validates,))
        return training, held_out, to.number("epochs"), to.buffer("history", float64)

    # what is checked

    @cached_property
    def _check_data(self) -> Routine:
        to, inputs = CheckedWriter(), self.interface.inputs
        data = self._given_data(to)
        to.in_range(data.rows, 1, MOST_ROWS)
        to.given(*data.arrays)
        allowed = sum(1 << i for i, each in enumerate(inputs) if each.may_be_bytes)
        to.no_other_bits(data.bytes, allowed)
        for each, array in zip(inputs, data.arrays, strict=True):
            to.indices(each, array, data.rows)
        return to.checked("data.check", "may a data set be used?", inlined=False)

    def _passes(self, to: CheckedWriter, data: DataSet) -> None:
        if self.interface.reads_rows:
            to.passes(self._check_data, to.arena, *data.given)

    @cached_property
    def _begin(self) -> Routine:
        """Check a job and plan it, so that every thread does the same."""
        to, end = CheckedWriter(), self.interface.end
        training, held_out, epochs, history = self._given_job(to)
        to.passes(self.prepared.check, to.arena)
        self._passes(to, training)
        if self.interface.reads_rows:
            with to.when(to.opposite(to.is_equal(held_out.rows, 0, "none"), "some")):
                self._passes(to, held_out)
        else:
            to.in_range(held_out.rows, 0, 1)
        to.in_range(epochs, 1, MOST_EPOCHS)
        to.given(history)
        step = to.load(to.word(self.places.step, "step"), name="step")
        to.in_range(step, 0, MOST_STEPS)
        self._last_batch(to, training.rows)
        if self.interface.must_validate:
            to.in_range(held_out.rows, 1, MOST_ROWS)
        ends: Number = 1
        if end is not None:
            continues = to.number("continues")
            to.in_range(continues, 0, 1)
            ends = to.minus(1, continues, "ends")
        given = (training.rows, held_out.rows, epochs, training.bytes, held_out.bytes)
        to.run(self.routines.job, to.arena, *given, to.integer(ends))
        return to.checked("checked.begin", "check a job, and plan it", inlined=False)

    def _last_batch(self, to: CheckedWriter, rows: Register) -> None:
        """The rows that whole batches leave over are none, or at least so many."""
        batch, least = self.interface.batch_size, self.interface.least_rows
        if least > 1:
            rest = to.minus(rows, to.times(to.quotient(rows, batch), batch), "rest")
            with to.when(to.is_less(0, rest, "some")):
                to.refuse(to.is_less(rest, least, "too_few"))

    # what is done

    @cached_property
    def _work(self) -> Routine:
        """What one thread does of the job."""
        to = CheckedWriter()
        training, held_out, _, history = self._given_job(to)
        if self.interface.end is not None:
            to.number("continues")
        thread, threads = to.number("thread"), to.number("threads")
        to.passes(self.prepared.check, to.arena)
        to.in_range(threads, 1, self.interface.threads)
        to.in_range(thread, 0, to.minus(threads, 1, "last"))
        places = self.places
        table = self._table(to, [(places.data, training), (places.validation, held_out)], history)
        plan = to.within(to.arena, places.plan, "plan", int64)
        to.run(self.routines.train, to.arena, table, plan, thread, threads)
        return to.checked(
            "checked.work", "the part of a thread in a job", to.outcome(), inlined=False
        )

    def _train(self) -> Routine:
        to = CheckedWriter()
        training, held_out, epochs, history = self._given_job(to)
        job = [*training.given, *held_out.given, epochs, history]
        job += [] if self.interface.end is None else [to.number("continues")]
        to.passes(self._begin, to.arena, *job)
        alone = (to.integer(0), to.integer(1))
        result = to.result_of(self._work, to.arena, *job, *alone)
        return to.checked("checked.train", "a job, on one thread", result)

    def _step(self) -> Routine:
        """One step over the rows given, in their order."""
        to = CheckedWriter()
        data, outputs = self._one_data_set(to)
        if self.interface.reads_rows:
            to.in_range(data.rows, self.interface.least_rows, self.interface.batch_size)
        table = self._table(to, [(self.places.data, data)])
        to.run(self.routines.step, to.arena, table, outputs, data.rows, data.bytes)
        return to.checked("checked.step", "one step", to.outcome())

    def _evaluate(self) -> Routine:
        """The mean of each output over the rows given."""
        to = CheckedWriter()
        data, outputs = self._one_data_set(to)
        history = to.within(to.arena, self.history, "history", float64)
        table = self._table(to, [(self.places.validation, data)], history)
        to.run(self.routines.means, to.arena, table, outputs, data.rows, data.bytes)
        return to.checked("checked.evaluate", "means over rows", to.outcome())

    def _one_data_set(self, to: CheckedWriter) -> tuple[DataSet, Parameter]:
        data, outputs = self._given_data(to), to.buffer("outputs", float64)
        to.passes(self.prepared.check, to.arena)
        self._passes(to, data)
        to.given(outputs)
        return data, outputs

    def _table(
        self,
        to: CheckedWriter,
        sets: Sequence[tuple[Sequence[int], DataSet]],
        history: Parameter | None = None,
    ) -> Parameter:
        """The pointers of data sets, each at its place."""
        found = {
            place: array
            for places, data in sets
            for place, array in zip(places, data.arrays, strict=True)
        }
        if history is not None:
            found[self.table["history"]] = history
        return to.table("table", found, len(self.table))

    def _predictions(self) -> Iterator[Outside]:
        prediction, routine = self.interface.prediction, self.routines.predict
        if prediction is None or routine is None:
            return
        result = prediction.output
        given = [
            Given(f"const {C_TYPES[each.dtype]} *{each.word}_data") for each in prediction.inputs
        ]
        results = Given(f"{C_TYPES[result.dtype]} *{result.word}")
        arguments = (ARENA, *given, Given("int64_t rows"), results)
        yield self.prepared.outside("predict", arguments, self._predict(prediction, routine))

    def _predict(self, prediction: Prediction, predict: Routine) -> Routine:
        to, batch = CheckedWriter(), self.interface.batch_size
        inputs = [to.buffer(f"{each.word}.data", each.dtype) for each in prediction.inputs]
        rows, output = to.number("rows"), prediction.output
        results = to.buffer(f"{output.word}.data", output.dtype)
        to.passes(self.prepared.check, to.arena)
        to.given(*inputs, results)
        to.in_range(rows, 1, MOST_ROWS if prediction.by_row else batch)
        for each, array in zip(prediction.inputs, inputs, strict=True):
            to.indices(each, array, rows)
        arrays = [*zip(prediction.inputs, inputs, strict=True), (output, results)]
        in_parts(to, [predict], arrays, rows, batch)
        return to.checked("checked.predict", "a result for each row", to.outcome())


def in_parts(
    to: CheckedWriter,
    routines: Sequence[Routine],
    arrays: Sequence[tuple[RowArray | None, Parameter]],
    rows: Register,
    batch: int,
) -> None:
    """So many rows at once, which each routine finds in a table.

    An array without rows is the same for all parts.
    """
    to.store(to.integer(0), to.word(control_block.FAILURE, "failure"))
    none, one = to.integer(0), to.integer(1)
    with to.repeat([to.integer(0, "start")]) as part:
        (start,) = part.values
        count = to.smaller(to.minus(rows, start, "left"), batch, "count")
        table = to.table(
            "table", dict(enumerate(_from(to, start, *each) for each in arrays)), len(arrays)
        )
        for routine in routines:
            to.run(routine, to.arena, table, count, none, one)
        following = to.plus(start, batch, "start")
        part.carry(following, again=to.is_less(following, rows, "more"))


def _from(to: CheckedWriter, start: Register, rows: RowArray | None, array: Parameter) -> Parameter:
    """An array, from the row on that is next if it has rows."""
    if rows is None:
        return array
    row_bytes = rows.row_elements * rows.dtype.itemsize
    return to.within(array, affine(start) * row_bytes, array.name, array.dtype)
