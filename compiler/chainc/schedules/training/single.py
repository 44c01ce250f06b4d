"""What a caller in C asks of a training, beside the loop: first values, a plan, one step, means.

    first(arena, table, seed, mark)
    plan(arena, rows, held_out, epochs, bytes, held_out_bytes, ends)
    single.step(arena, table, outputs, rows, bytes)
    single.means(arena, table, outputs, rows, bytes)

What they are given has been checked. Bit i of `bytes` says that array i of the caller's holds
uint8, in the caller's order. A step and means are done by one thread, and if a kernel has failed
there are no outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainc.dataclass import dataclass
from chainc.ir.types import DType, float64, int64, uint8
from chainc.loops.language import Routine
from chainc.loops.routine_builder import Number, RoutineBuilder
from chainc.loops.values import Address, Kind, Parameter, Register, affine
from chainc.schedules.program import control_block
from chainc.schedules.training import layout as words
from chainc.schedules.training.layout import TrainingLayout, Visit
from chainc.schedules.training.loop import TrainingRoutines


@dataclass(frozen=True)
class Places:
    """Offsets in the arena, and places in the table of the caller's arrays in the caller's order.

    `defaults` are numbers that stand in the arena from the beginning.
    """

    plan: int
    seed: int
    mark: int
    step: int
    data: Sequence[int]
    validation: Sequence[int]
    defaults: Sequence[tuple[int, DType, float | int]]


@dataclass(frozen=True)
class SingleRoutines:
    """Each is written when it is asked for."""

    parts: TrainingRoutines
    places: Places

    def first(self, prepare: Sequence[Routine], rows: int) -> Routine:
        """The rest of the arena is zero, and `prepare` is called once, for so many rows."""
        to = _Writer()
        table, seed, mark = to.buffer("table", uint8), to.number("seed"), to.number("mark")
        to.put(self.places.seed, seed, "kept_seed")
        to.put(self.places.mark, mark, "kept_mark")
        for offset, dtype, value in self.places.defaults:
            place = to.within(to.arena, offset, "default", dtype)
            to.store(to.constant(value, Kind(dtype)), Address(place, affine(0)))
        most = to.integer(rows)
        for routine in prepare:
            to.run(routine, to.arena, table, most, to.integer(0), to.integer(1))
        return to.routine("first", "the values before the first step")

    def plan(self) -> Routine:
        """A job for `train.loop`, and what it finds at the beginning."""
        to, batch = _Writer(), self._layout.batch_size
        rows, held_out, epochs = (to.number(name) for name in ("rows", "held_out", "epochs"))
        given, held_out_given = to.number("bytes"), to.number("held_out_bytes")
        ends = to.number("ends")
        to.clear(0, control_block.CONTROL_BYTES, "control")
        first = to.got(self.places.step, "step")
        steps = to.quotient(to.plus(rows, batch - 1), batch, "steps")
        job: dict[int, Number] = {
            words.COUNT: rows,
            words.FIRST: first,
            words.LAST: to.times(to.plus(to.quotient(first, steps), epochs), steps, "last"),
            words.SEED: to.got(self.places.seed, "seed"),
            words.HELD_OUT: held_out,
            words.BYTES: self._kinds(to, self._layout.step, given, self.places.data),
            words.HELD_OUT_BYTES: self._kinds(
                to, self._layout.evaluate, held_out_given, self.places.validation
            ),
            words.ENDS: ends,
            words.SEEN: 0,
        }
        self._job(to, job)
        self._begin(to)
        to.clear(self._layout.record, 8 * self._layout.columns, "record")  # of other data, earlier
        return to.routine("plan", "what a run is to do")

    def step(self) -> Routine:
        """On the rows of the table, in their order."""
        to, visit = _Writer(), self.parts.step
        table, outputs = to.buffer("table", uint8), to.buffer("outputs", float64)
        rows, given = to.number("rows"), to.number("bytes")
        alone = (to.integer(0), to.integer(1))
        kinds = self._kinds(to, self._layout.step, given, self.places.data)
        to.put(control_block.FAILURE, 0, "no_failure")
        self._begin(to)
        order = to.within(to.arena, self._layout.orders, "order", int64, padded=True)
        to.run(self.parts.given_order, order, to.integer(0), rows)
        to.run(visit.gather, to.arena, table, order, rows, kinds, *alone)
        to.run(visit.run, to.arena, table, rows, *alone)
        to.run(visit.add, to.arena, rows)
        to.run(visit.finish, to.arena, table, rows, *alone)
        with to.when(to.has_not_failed()):
            record = to.within(to.arena, self._layout.record, "record", float64)
            to.means(outputs, record, 1, rows, self._layout.reported)
        return to.routine("single.step", "one step, and what it reports")

    def means(self) -> Routine:
        """Of the validation data of the table; the only row of the history receives the sums."""
        to, layout = _Writer(), self._layout
        table, outputs = to.buffer("table", uint8), to.buffer("outputs", float64)
        rows, given = to.number("rows"), to.number("bytes")
        kinds = self._kinds(to, layout.evaluate, given, self.places.validation)
        none, one = to.integer(0), to.integer(1)
        to.put(control_block.FAILURE, 0, "no_failure")
        to.put(control_block.EPOCHS, 0, "no_records")
        job = self._job(to, {words.HELD_OUT: rows, words.HELD_OUT_BYTES: kinds})
        self._begin(to)
        given_to_record = (to.arena, table, job, none, none, none, one)
        with to.when(to.result_of(self.parts.record, *given_to_record)):
            history = to.entry(table, layout.history, "history", float64)
            to.means(outputs, history, 2 + layout.reported, rows, layout.reported)
        to.put(control_block.EPOCHS, 0, "records")
        return to.routine("single.means", "what is reported of other data")

    @property
    def _layout(self) -> TrainingLayout:
        return self.parts.layout

    def _job(self, to: _Writer, values: dict[int, Number]) -> Parameter:
        job = to.within(to.arena, self.places.plan, "job", int64)
        for word, value in values.items():
            to.store(to.integer(value), Address(job, affine(word)))
        return job

    def _begin(self, to: _Writer) -> None:
        """Nothing has been added up."""
        for visit in (self._layout.step, self._layout.evaluate):
            to.clear(visit.totals, 8 * visit.added, "totals")

    def _kinds(self, to: _Writer, visit: Visit, given: Register, arrays: Sequence[int]) -> Register:
        """Which arrays hold uint8, in the order of the visit."""
        sources = [arrays.index(each.array) for each in visit.inputs]
        if sources == list(range(len(arrays))):
            return given
        kinds = to.integer(0)
        for target, source in enumerate(sources):
            moved = to.compute("shift_right", given, to.integer(source))
            bit = to.compute("bit_and", moved, to.integer(1))
            kinds = to.compute("bit_or", kinds, to.compute("shift_left", bit, to.integer(target)))
        return kinds


class _Writer(RoutineBuilder):
    """A routine whose first argument is the arena."""

    def __init__(self) -> None:
        super().__init__()
        self.arena = self.buffer("arena", uint8)

    def word(self, offset: int, name: str) -> Address:
        return Address(self.within(self.arena, offset, name, int64), affine(0))

    def put(self, offset: int, value: Number, name: str) -> None:
        self.store(self.integer(value), self.word(offset, name))

    def got(self, offset: int, name: str) -> Register:
        return self.load(self.word(offset, name), name=name)

    def clear(self, offset: int, count: int, name: str) -> None:
        """So many bytes."""
        place = self.within(self.arena, offset, name, int64)
        with self.loop("i", 0, self.integer(count // 8)) as loop:
            self.store(self.integer(0), Address(place, affine(loop.index)))

    def has_not_failed(self) -> Register:
        return self.is_equal(self.acquire(self.word(control_block.FAILURE, "failure")), 0)

    def means(
        self, outputs: Parameter, sums: Parameter, first: int, rows: Register, count: int
    ) -> None:
        """The sums from a place on, by the number of rows."""
        divisor = self.cast(rows, float64)
        with self.loop("output", 0, self.integer(count)) as loop:
            total = self.load(Address(sums, affine(loop.index) + first))
            mean = self.compute("divide", total, divisor)
            self.store(mean, Address(outputs, affine(loop.index)))
