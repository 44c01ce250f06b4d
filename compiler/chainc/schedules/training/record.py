"""The end of an epoch: evaluation on other data, a record in the history, and what follows from it.

    record(arena, table, job, seen, phase, thread, threads): false if a kernel has failed

    totals of the step become its part of the record
    if there are validation data: evaluate them, and their totals become the other part
    if an epoch is over: END, which updates states and may end the training
    the first thread: the record goes to the history

A record is a row of float64: rows seen, the sum over them of each number that is reported, rows of
the validation data, the sum over those of each. Of a number that is no mean over rows the sum is
the number times the rows.
"""

from __future__ import annotations

from chainc.ir.types import float64
from chainc.loops.language import Routine
from chainc.loops.values import Address, Register, affine
from chainc.schedules.program import control_block
from chainc.schedules.training import layout as words
from chainc.schedules.training.author import Author
from chainc.schedules.training.layout import EndLayout

PARTIAL, EPOCH, RUN = range(3)  # phases: what ends, and is recorded


class Record(Author):
    """Writes the routine."""

    def routine(self, evaluate_all: Routine) -> Routine:
        to = self.to
        self.held_out = self.of_job(words.HELD_OUT, "held_out")
        seen, phase = self.given
        self.finish(self.parts.step, seen)
        with to.when(to.is_less(0, self.held_out), [to.truth(True, "complete")]) as evaluated:
            team = self.team
            given = (team.arena, team.table, self.job, team.thread, team.threads)
            evaluated.change(to.result_of(evaluate_all, *given))
        (complete,) = evaluated.results
        if self.layout.end is not None:
            with to.when(to.both(complete, to.is_less(PARTIAL, phase))):
                self._end(self.layout.end, phase)
        with to.when(to.both(complete, self.leads)):
            self._write()
        return to.routine("record", "the end of an epoch", result=complete)

    def _end(self, end: EndLayout, phase: Register) -> None:
        """All threads see the record, do what follows from it, and see what that leaves."""
        to, team = self.to, self.team
        assert self.parts.end is not None
        with to.when(self.leads):
            last = to.cast(to.is_equal(phase, RUN), float64)
            place = to.within(team.arena, end.last, "last", float64)
            to.store(last, Address(place, affine(0)))
        team.wait(to)
        to.run(self.parts.end, team.arena, team.table, to.integer(1), team.thread, team.threads)
        team.wait(to)
        over = to.within(team.arena, end.over.offset, "over", end.over.dtype)
        found = to.load(Address(over, affine(0)))
        with to.when(to.both(self.leads, found)):
            for word in (control_block.ENDED, control_block.STOP):
                to.release(to.integer(1), team.word(to, word, "ended"))

    def _write(self) -> None:
        """A row of the history."""
        to, layout = self.to, self.layout
        history = to.entry(self.team.table, layout.history, "history", float64)
        done = to.load(self.team.word(to, control_block.EPOCHS, "epochs"))
        row = affine(to.times(done, layout.columns, "row"))
        record = to.within(self.team.arena, layout.record, "record", float64)
        with to.loop("column", 0, to.integer(layout.columns)) as loop:
            column = affine(loop.index)
            to.store(to.load(Address(record, column)), Address(history, row + column))
        self.count(control_block.EPOCHS, "epochs")
