"""What the routines of a training loop have in common: their arguments, and how they go on."""

from __future__ import annotations

from functools import cached_property

from chainc.dataclass import dataclass
from chainc.ir.types import int64, uint8
from chainc.loops.language import Routine
from chainc.loops.routine_builder import RoutineBuilder
from chainc.loops.values import Address, Parameter, Register, affine
from chainc.schedules.program import control_block
from chainc.schedules.program.call_writing import Team
from chainc.schedules.training.layout import TrainingLayout, order_bytes, order_rows
from chainc.schedules.training.order import given_order
from chainc.schedules.training.visits import VisitRoutines


@dataclass(frozen=True)
class TrainingParts:
    """What the loop calls: of a step, of an evaluation, and at the end of an epoch.

    Rows are ordered so many `lanes` at a time.
    """

    layout: TrainingLayout
    step: VisitRoutines
    evaluate: VisitRoutines
    end: Routine | None
    lanes: int

    @cached_property
    def given_order(self) -> Routine:
        return given_order(order_rows(self.layout.batch_size))


class Author:
    """Writes a routine that is given a job."""

    def __init__(self, parts: TrainingParts, *more: str) -> None:
        self.parts, self.layout = parts, parts.layout
        self.to = to = RoutineBuilder()
        arena, table = to.buffer("arena", uint8), to.buffer("table", uint8)
        self.job = to.buffer("job", int64)
        self.given = [to.number(name) for name in more]
        self.team = Team(arena, table, to.number("thread"), to.number("threads"))
        self.leads = self.team.leads(to)

    def of_job(self, word: int, name: str) -> Register:
        return self.to.load(Address(self.job, affine(word)), name=name)

    def own_order(self, offset: int) -> Parameter:
        """Room for the order of rows of this thread."""
        each = order_bytes(self.layout.batch_size)
        place = affine(self.team.thread) * each + (self.layout.orders + offset)
        return self.to.within(self.team.arena, place, "order", int64, padded=True)

    def gather(
        self, what: VisitRoutines, order: Parameter, rows: Register, kinds: Register
    ) -> None:
        """Rows become a batch, which all threads see."""
        team = self.team
        given = (team.arena, team.table, order, rows, kinds, team.thread, team.threads)
        self.to.run(what.gather, *given)
        team.wait(self.to)

    def run(self, what: VisitRoutines, rows: Register) -> Register:
        """The step or the evaluation; has no kernel failed?"""
        team = self.team
        self.to.run(what.run, team.arena, team.table, rows, team.thread, team.threads)
        team.wait(self.to)
        failure = self.to.acquire(team.word(self.to, control_block.FAILURE, "failure"))
        return self.to.is_equal(failure, 0, "passed")

    def finish(self, what: VisitRoutines, rows: Register) -> None:
        """Sums over so many rows become their part of the record."""
        team = self.team
        self.to.run(what.finish, team.arena, team.table, rows, team.thread, team.threads)

    def count(self, offset: int, name: str) -> None:
        """One more, in a word that the host reads."""
        counter = self.team.word(self.to, offset, name)
        self.to.release(self.to.plus(self.to.load(counter), 1), counter)
