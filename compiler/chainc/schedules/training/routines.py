"""A training as routines: the step, the evaluation, and the loop around them.

state.set, state.get: copy the slots into the arena, and back
train.loop, train.steps, record: all epochs, some steps, and the end of an epoch, which evaluates
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.loops.language import Nest, Routine
from chainc.lowering.program import Program, TrainingLoop
from chainc.schedules.layout.machine import Machine
from chainc.schedules.program.calls import ProgramWriter
from chainc.schedules.program.clock import Clock, room_for_calls
from chainc.schedules.training.layout import TrainingLayout, Visit
from chainc.schedules.training.loop import TrainingRoutines
from chainc.schedules.training.order import walking
from chainc.schedules.training.placement import Placement, batches
from chainc.schedules.training.visits import (
    VisitRoutines,
    add_routine,
    finish_routine,
    gather_routine,
    gathering,
    timed_gather,
    whole_or_rest,
)


@dataclass(frozen=True)
class WrittenTraining:
    """All routines of a training.

    Attributes:
        writer: that wrote them, and knows what each nest computes and what failures mean.
        clock: of a step that is timed.
        prologues: to be called once before the others.
        ends: what is called once an epoch: summaries, and what follows from a record.
        loop: the step, the evaluation, and what is around them.
        exchange: slots from the table's arrays into the arena, and back.
    """

    writer: ProgramWriter
    prologues: Sequence[Routine]
    loop: TrainingRoutines
    exchange: Sequence[Routine]
    ends: Sequence[Routine] = ()
    clock: Clock | None = None

    @property
    def routines(self) -> Sequence[Routine]:
        """Each after what it calls."""
        visits = (self.loop.step, self.loop.evaluate)
        runs = (self.loop.step.run, self.loop.evaluate.run, *self.ends)
        pairs = zip(self.prologues, runs, strict=True)
        return (
            *(visit.gather for visit in visits),
            *(routine for pair in pairs for routine in pair),
            *self.exchange,
            *(visit.add for visit in visits),
            *(visit.finish for visit in visits),
            self.loop.train,
        )

    @property
    def to_train(self) -> Sequence[Routine]:
        """Those that a training without validation runs, and what they call but for evaluation."""
        step = self.loop.step
        return (step.gather, *self.prologues, step.run, *self.exchange, step.add, self.loop.train)


def write_training(
    loop: TrainingLoop,
    place: Placement,
    machine: Machine,
    *,
    paced: bool = True,
    ready: Callable[[Nest], object] | None = None,
) -> WrittenTraining:
    """The routines of a training whose buffers have their places; see `TrainingRoutines`.

    What is `ready` is told of each kernel of the step, while others have still to be written.
    """
    writer = ProgramWriter(place.memory, machine)
    layout, clock = place.layout, _clock(place)
    gathers = [
        _gather(writer, program, visit)
        for program, visit in ((place.step, layout.step), (place.evaluate, layout.evaluate))
    ]
    if clock is not None:
        gathers[0] = timed_gather(gathers[0], clock)
    step_prologue, step = _step(replace(writer, ready=ready), loop, place, clock)
    evaluate_prologue, evaluate = writer.program("evaluate", place.evaluate)
    exchange = writer.exchange("state", place.states, place.table)
    ends = {
        name: writer.program(name, program)
        for name, program in place.programs.items()
        if name not in ("step", "evaluate")
    }
    runs = {name: run for name, (_, run) in ends.items()}
    summaries = [runs.get("step.summary"), runs.get("evaluate.summary")]
    visits = (
        _visit(layout, layout.step, gathers[0], step, summaries[0]),
        _visit(layout, layout.evaluate, gathers[1], evaluate, summaries[1]),
    )
    return WrittenTraining(
        writer,
        (step_prologue, evaluate_prologue, *(prologue for prologue, _ in ends.values())),
        TrainingRoutines(layout, *visits, runs.get("end"), walking(machine), paced),
        exchange,
        [*runs.values()],
        clock,
    )


def _visit(
    layout: TrainingLayout, visit: Visit, gather: Routine, run: Routine, summary: Routine | None
) -> VisitRoutines:
    finish = finish_routine(visit, summary, layout.record, layout.reported)
    return VisitRoutines(gather, run, add_routine(visit), finish)


def _clock(place: Placement) -> Clock | None:
    """Where there is room for its readings, the step is timed."""
    readings = place.table.get("readings")
    return None if readings is None else Clock(readings, room_for_calls(place.step))


def _gather(writer: ProgramWriter, program: Program, visit: Visit) -> Routine:
    inputs = zip(batches(program), visit.inputs, strict=True)
    return gather_routine(visit, [gathering(writer, buffer, each) for buffer, each in inputs])


def _step(
    writer: ProgramWriter, loop: TrainingLoop, place: Placement, clock: Clock | None
) -> tuple[Routine, Routine]:
    """Its prologue and the step; of a small program, straight-line code does whole batches."""
    timed = replace(writer, clock=clock)
    if place.small is None:
        prologue, step = timed.program("step", place.step, watch=loop.watch)
        return prologue, step
    prologue, rest = writer.program("step.rows", place.step)
    whole = timed.unrolled("step.batch", place.small)
    return prologue, whole_or_rest("step", loop.batch_size, whole, rest)
