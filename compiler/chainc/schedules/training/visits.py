"""What is done around the step and the evaluation.

Rows become a batch, outputs are added up, and in the end of an epoch the totals become what is
reported.

NAME.gather(arena, table, order, rows, bytes, thread, threads)
NAME.add(arena, rows)
NAME.finish(arena, table, rows, thread, threads)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

from chainc.dataclass import dataclass
from chainc.ir.types import TensorType, float64, int64, uint8
from chainc.loops.language import Nest, Routine
from chainc.loops.routine_builder import RoutineBuilder
from chainc.loops.values import Address, Affine, Kind, Parameter, Register, affine
from chainc.lowering.kernels import Applied
from chainc.lowering.views import Buffer, View
from chainc.ops.families.indexing import Gather
from chainc.schedules.program.call_writing import Team
from chainc.schedules.program.calls import ProgramWriter
from chainc.schedules.program.clock import Clock, TimedCall
from chainc.schedules.training.layout import BatchInput, Visit


@dataclass(frozen=True)
class GatherCall:
    """A kernel that fills a batch from rows of the data.

    `places` says for each of its buffers which it is: "data", "order" or "batch".
    """

    nest: Nest
    places: tuple[str, ...]


@dataclass(frozen=True)
class Gathering:
    """The same for data of the declared type, and of type uint8 if that may be given."""

    declared: GatherCall
    from_bytes: GatherCall | None


@dataclass(frozen=True)
class VisitRoutines:
    """What a loop calls for a batch."""

    gather: Routine
    run: Routine  # (arena, table, rows, thread, threads)
    add: Routine
    finish: Routine


def gathering(writer: ProgramWriter, buffer: Buffer, what: BatchInput) -> Gathering:
    """The kernels for an input of a program."""
    declared = _gather_call(writer, buffer, buffer.type)
    shape = buffer.type.shape
    from_bytes = _gather_call(writer, buffer, TensorType(shape, uint8)) if what.converts else None
    return Gathering(declared, from_bytes)


def _gather_call(writer: ProgramWriter, buffer: Buffer, type: TensorType) -> GatherCall:
    data = Buffer("data", TensorType((1, *type.shape[1:]), type.dtype), "input")
    order = Buffer("order", TensorType(type.shape[:1], int64))
    views = (View(data, data.type), View(order, order.type))
    call = writer.kernel(Applied(buffer, views, Gather(0), checked=False))
    places = {data: "data", order: "order", buffer: "batch"}
    return GatherCall(call.nest, tuple(places[each] for each in call.buffers))


def gather_routine(visit: Visit, gatherings: Sequence[Gathering]) -> Routine:
    """Every input's batch, from the rows that the order says.

    Bit i of `bytes` says that the data of input i are uint8.
    """
    to = RoutineBuilder()
    team, order, rows, kinds = _gather_arguments(to)
    arena, table = team.arena, team.table
    leads = team.leads(to)

    def take(call: GatherCall, each: BatchInput) -> None:
        buffers = {
            "data": to.entry(table, each.array, "data", uint8),
            "order": order,
            "batch": to.within(arena, each.batch, "batch", uint8),
        }
        given = [buffers[place] for place in call.places]
        with nullcontext() if call.nest.shared else to.when(leads):
            to.run(call.nest, *given, rows, team.thread, team.threads)

    for i, (each, kernels) in enumerate(zip(visit.inputs, gatherings, strict=True)):
        if kernels.from_bytes is None:
            take(kernels.declared, each)
            continue
        bit = to.compute("bit_and", kinds, to.integer(1 << i))
        with to.when(to.is_equal(bit, 0, "declared")) as choice:
            take(kernels.declared, each)
        with to.otherwise(choice):
            take(kernels.from_bytes, each)
    return to.routine(f"{visit.name}.gather", "rows of the data become a batch", inlined=True)


def timed_gather(gather: Routine, clock: Clock) -> Routine:
    """The same with a clock around it."""
    to = RoutineBuilder()
    team, order, rows, kinds = _gather_arguments(to)
    with clock.around(to, team.arena, team.table, TimedCall(None, ())):
        to.run(gather, team.arena, team.table, order, rows, kinds, team.thread, team.threads)
    return to.routine(f"{gather.name}.timed", gather.note, inlined=True)


def _gather_arguments(to: RoutineBuilder) -> tuple[Team, Parameter, Register, Register]:
    """Also the order, the number of rows, and which data are bytes."""
    arena, table = to.buffer("arena", uint8), to.buffer("table", uint8)
    order = to.buffer("order", int64)
    rows, kinds = to.number("rows"), to.number("bytes")
    team = Team(arena, table, to.number("thread"), to.number("threads"))
    return team, order, rows, kinds


def add_routine(visit: Visit) -> Routine:
    """Outputs are added to their totals: sums as they are, means times rows."""
    to = RoutineBuilder()
    arena, rows = to.buffer("arena", uint8), to.number("rows")
    weight = to.cast(rows, float64)
    totals = to.within(arena, visit.totals, "totals", float64)
    first = 0
    for output in visit.outputs:
        values = to.within(arena, output.offset, "output", output.dtype)
        with _each(to, output.elements) as index:
            value = to.cast(to.load(Address(values, index)), float64)
            if not output.is_sum:
                value = to.compute("multiply", value, weight)
            total = Address(totals, index + first)
            to.store(to.compute("add", to.load(total), value), total)
        first += output.elements
    return to.routine(f"{visit.name}.add", "outputs are added to their totals", inlined=True)


def finish_routine(visit: Visit, summary: Routine | None, record: int, reported: int) -> Routine:
    """The totals become this visit's part of the record, and begin anew.

    What is reported are the totals themselves, or what the summary computes from them.
    """
    to = RoutineBuilder()
    arena, table = to.buffer("arena", uint8), to.buffer("table", uint8)
    rows = to.number("rows")
    team = Team(arena, table, to.number("thread"), to.number("threads"))
    leads = team.leads(to)
    part = to.within(arena, record + 8 * visit.column, "part", float64)
    totals = to.within(arena, visit.totals, "totals", float64)
    with to.when(leads):
        to.store(to.cast(rows, float64), Address(part, affine(0)))
    source = totals
    if summary is not None:
        team.wait(to)
        to.run(summary, arena, table, to.integer(1), team.thread, team.threads)
        team.wait(to)
        assert visit.summary is not None
        source = to.within(arena, visit.summary, "summary", float64)
    with to.when(leads):
        with _each(to, reported) as index:
            to.store(to.load(Address(source, index)), Address(part, index + 1))
        with _each(to, visit.added) as index:
            to.store(to.constant(0.0, Kind(float64)), Address(totals, index))
    return to.routine(f"{visit.name}.finish", "totals become a part of the record")


@contextmanager
def _each(to: RoutineBuilder, count: int) -> Iterator[Affine]:
    """What follows is done for all positions from 0 on."""
    if count == 1:
        yield affine(0)
        return
    with to.loop("position", 0, to.integer(count)) as loop:
        yield affine(loop.index)


def whole_or_rest(name: str, batch_size: int, whole: Routine, rest: Routine) -> Routine:
    """Whole batches are done by one routine, other numbers of rows by another."""
    to = RoutineBuilder()
    arena, table, rows = to.buffer("arena", uint8), to.buffer("table", uint8), to.number("rows")
    given = (arena, table, rows, to.number("thread"), to.number("threads"))
    with to.when(to.is_less(rows, batch_size, "partial")) as choice:
        to.run(rest, *given)
    with to.otherwise(choice):
        to.run(whole, *given)
    return to.routine(name, "straight-line code for whole batches", inlined=True)
