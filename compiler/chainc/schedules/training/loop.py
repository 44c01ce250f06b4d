"""The training loop: epochs, shuffled minibatches, totals, validation.

    train.steps(arena, table, job, first, until, thread, threads): false if nothing shall follow

    epoch, start = first / steps_per_epoch, first % steps_per_epoch * BATCH
    for step in first..until:
        the first thread: GO = STOP == 0
        rows = min(BATCH, count - start)
        if start is past what is known of the order: make more of it
        gather those rows of every input into its batch
        barrier
        leave unless GO
        STEP
        barrier
        leave if FAILURE, with FAILED_STEP = step
        the first thread: totals += outputs, STEPS += 1
        start += BATCH
        if start >= count: record the epoch, epoch += 1, start = 0
    if rows have been seen since the last record:
        record the epoch if the run is stopped, else leave its totals to the next steps

Every thread runs it and decides the same: what they share lies before a barrier when it is
written and after it when it is read. Each makes the whole order of the rows for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from chainc.dataclass import dataclass
from chainc.ir.types import int32, int64
from chainc.loops.language import Routine
from chainc.loops.routine_builder import Number
from chainc.loops.values import Address, Register, affine
from chainc.schedules.program import control_block
from chainc.schedules.training import layout as words
from chainc.schedules.training.author import Author, TrainingParts
from chainc.schedules.training.evaluation import EvaluateAll
from chainc.schedules.training.layout import LANES, keys_at, order_rows
from chainc.schedules.training.order import order_keys, order_of_rows, slot_of
from chainc.schedules.training.pace import Pace
from chainc.schedules.training.record import EPOCH, PARTIAL, RUN, Record


@dataclass(frozen=True)
class TrainingRoutines(TrainingParts):
    """The loop around a step and an evaluation.

    If it is `paced`, it finds out on how many threads steps are quickest.
    """

    paced: bool = True

    @cached_property
    def evaluate_all(self) -> Routine:
        return EvaluateAll(self).routine()

    @cached_property
    def record(self) -> Routine:
        return Record(self, "seen", "phase").routine(self.evaluate_all)

    @cached_property
    def steps(self) -> Routine:
        return _Steps(self).routine()

    @cached_property
    def train(self) -> Routine:
        return Pace(self, self.steps).routine(paced=self.paced)


@dataclass(frozen=True)
class _State:
    """What a pass hands to the next one.

    Rows known … until - 1 of this epoch's order are known, and of the orders after it, a slot
    apart each: for few rows those of several epochs are made at once.
    """

    epoch: Register
    start: Register
    known: Register
    until: Register
    orders: Register
    seen: Register  # rows since the last record

    @property
    def registers(self) -> tuple[Register, ...]:
        return self.epoch, self.start, self.known, self.until, self.orders, self.seen


class _Steps(Author):
    def __init__(self, parts: TrainingRoutines) -> None:
        super().__init__(parts, "first", "until")
        self.record = parts.record

    def routine(self) -> Routine:
        to = self.to
        first, self.until = self.given
        self.rows, self.last = self.of_job(words.COUNT, "count"), self.of_job(words.LAST, "last")
        self.kinds = self.of_job(words.BYTES, "bytes")
        self.order = self.own_order(0)
        self.shuffled = _Shuffled(self) if self.layout.shuffle else None
        with to.when(to.is_less(first, self.until, "any"), [to.truth(True)]) as some:
            some.change(self._steps(first))
        return to.routine("train.steps", "some steps of all epochs", result=some.results[0])

    def _steps(self, first: Register) -> Register:
        """May others follow?"""
        to, batch = self.to, self.layout.batch_size
        steps = to.quotient(to.plus(self.rows, batch - 1), batch, "steps")
        epoch = to.quotient(first, steps, "epoch")
        start = to.times(to.minus(first, to.times(epoch, steps)), batch, "start")
        none = [to.integer(0, name) for name in ("known", "until", "orders")]
        seen = self.of_job(words.SEEN, "seen")
        neither = to.truth(False, "failed"), to.truth(False, "stopped")
        with to.repeat([first, epoch, start, *none, seen, *neither]) as loop:
            now, *values, _, _ = loop.values
            following = to.plus(now, 1)
            *values, failed, again, stopped = self._step(_State(*values), following)
            loop.carry(following, *values, failed, stopped, again=again)
        after, *values, failed, stopped = loop.results
        failed = self._left(_State(*values).seen, stopped, failed)
        with to.when(to.both(failed, self.leads)):
            place = self.team.word(to, control_block.FAILED_STEP, "failed_step")
            to.release(to.minus(after, 1), place)
        return to.both(to.opposite(stopped), to.opposite(failed), "goes_on")

    def _left(self, seen: Register, stopped: Register, failed: Register) -> Register:
        """Rows of an epoch that has not ended are recorded if it is stopped: has that failed?"""
        to = self.to
        with to.when(self.leads):
            to.store(to.either(stopped, 0, seen), Address(self.job, affine(words.SEEN)))
        some = to.both(to.is_less(0, seen), to.both(stopped, to.opposite(failed)), "partial")
        with to.when(some, [failed]) as partial:
            phase = to.integer(PARTIAL)
            partial.change(to.opposite(self._recorded(seen, phase)))
        return partial.results[0]

    def _step(self, state: _State, following: Register) -> Sequence[Register]:
        """The state after it; has something failed, is there another step, has it been stopped?

        The first thread may be ahead, alone, and decide about other steps: each looks once.
        """
        to = self.to
        with to.when(self.leads):
            self._decide()
        state = self._ordered(state)
        rows = to.smaller(to.minus(self.rows, state.start), self.layout.batch_size, "rows")
        place = affine(to.minus(state.start, state.known)) * int64.itemsize
        chosen = to.within(self.order, place, "chosen", int64)
        self.gather(self.parts.step, chosen, rows, self.kinds)
        goes = to.is_equal(to.load(self.team.word(to, control_block.GO, "go")), 1, "goes")
        fine, ended = to.truth(False, "failed"), to.truth(False, "again")
        with to.when(goes, [*state.registers, fine, ended]) as going:
            failed = to.truth(True, "failed")
            with to.when(self.run(self.parts.step, rows), [*state.registers, failed, ended]) as ran:
                ran.change(*self._counted(state, rows, following))
            going.change(*ran.results)
        return *going.results, to.opposite(goes)

    def _decide(self) -> None:
        """For this step, and all threads."""
        to, team = self.to, self.team
        stop = to.acquire(team.word(to, control_block.STOP, "stop"))
        go = to.cast(to.is_equal(stop, 0), int64)
        to.store(go, team.word(to, control_block.GO, "go"))

    def _ordered(self, state: _State) -> _State:
        """The rows of this step are known."""
        to = self.to
        kept = (state.known, state.until, state.orders)
        with to.when(to.is_at_most(state.until, state.start, "unknown"), kept) as made:
            made.change(*self._made(state))
        known, until, orders = made.results
        return replace(state, known=known, until=until, orders=orders)

    def _made(self, state: _State) -> Sequence[Register]:
        to = self.to
        if self.shuffled is not None:
            return self.shuffled.made(state)
        to.run(self.parts.given_order, self.order, state.start, self.rows)
        until = to.plus(state.start, order_rows(self.layout.batch_size))
        return state.start, until, to.integer(1)

    def _counted(self, state: _State, rows: Register, following: Register) -> Sequence[Register]:
        """After a step."""
        to, batch = self.to, self.layout.batch_size
        with to.when(self.leads):
            to.run(self.parts.step.add, self.team.arena, rows)
            self.count(control_block.STEPS, "steps_done")
        start, seen = to.plus(state.start, batch, "start"), to.plus(state.seen, rows, "seen")
        state = replace(state, start=start, seen=seen)
        fine = to.truth(False, "failed")
        over = to.is_at_most(self.rows, start, "over")
        with to.when(over, [*state.registers, fine]) as epoch:
            epoch.change(*self._next_epoch(state, following))
        *values, failed = epoch.results
        more = to.is_less(following, self.until, "more")
        return *values, failed, to.both(more, to.opposite(failed), "again")

    def _next_epoch(self, state: _State, following: Register) -> Sequence[Register]:
        """An epoch is complete."""
        to = self.to
        last = to.is_at_most(self.last, following, "last")
        ends = to.both(last, to.is_equal(self.of_job(words.ENDS, "ends"), 1))
        failed = to.opposite(self._recorded(state.seen, to.either(ends, RUN, EPOCH, "phase")))
        apart: Number = 0 if self.shuffled is None else self.shuffled.slot
        orders = to.minus(state.orders, 1, "orders")
        new = _State(
            epoch=to.plus(state.epoch, 1, "epoch"),
            start=to.integer(0),
            known=to.minus(state.known, apart, "known"),
            until=to.either(to.is_equal(orders, 0, "used_up"), 0, state.until, "until"),
            orders=orders,
            seen=to.integer(0),
        )
        return *new.registers, failed

    def _recorded(self, seen: Register, phase: Register) -> Register:
        """Has no kernel failed?"""
        team = self.team
        given = (team.arena, team.table, self.job, seen, phase, team.thread, team.threads)
        return self.to.result_of(self.record, *given)


class _Shuffled:
    """The order of the rows, made when it is needed."""

    def __init__(self, author: _Steps) -> None:
        self.to = to = author.to
        self.order, self.rows = author.order, author.rows
        self.seed = author.of_job(words.SEED, "seed")
        batch = author.layout.batch_size
        self.batch_rows = order_rows(batch)
        self.slot = to.result_of(slot_of(), self.rows)
        self.together = to.quotient(LANES, self.slot, "together")
        self.few = to.is_at_most(self.rows, LANES, "few")
        self.keys = to.within(self.order, keys_at(batch), "keys", int32)
        self.of_keys = order_keys(author.layout.order_stream)
        self.of_rows = order_of_rows(self.batch_rows, author.parts.lanes)

    def made(self, state: _State) -> Sequence[Register]:
        """From which row to which it is known then, and for how many epochs."""
        to = self.to
        with to.when(to.is_equal(state.orders, 0, "used_up")):
            to.run(self.of_keys, self.keys, self.seed, state.epoch, self.slot)
        known = to.either(self.few, 0, state.start, "known")
        to.run(self.of_rows, self.order, self.keys, known, self.rows, self.slot)
        part = to.plus(state.start, self.batch_rows)
        return known, to.either(self.few, self.rows, part, "until"), self.together
