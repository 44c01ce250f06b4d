"""Where everything of a training loop lies, before any code is written."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.ir.types import static
from chainc.lowering.kernels import Copy, Kernel
from chainc.lowering.program import Program, Summary, TrainingLoop
from chainc.lowering.views import Buffer, Operand, View
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import Machine
from chainc.schedules.layout.panels import Layouts, layouts
from chainc.schedules.program.memory import Memory
from chainc.schedules.program.preparation import prepare, with_roles
from chainc.schedules.training.layout import (
    BatchInput,
    EndLayout,
    Output,
    TrainingLayout,
    Visit,
    order_bytes,
)
from chainc.schedules.unrolled.schedule import Unrolled, unrolled

KEPT = ("state", "batch", "scalar")  # roles of buffers that outlive a step


@dataclass(frozen=True)
class Placement:
    """The programs of a loop in one arena.

    Attributes:
        programs: by name: "step", "evaluate", and if there are such their summaries, "step.summary"
            and "evaluate.summary", and what is done at the "end" of an epoch.
        small: the step as straight-line code for whole batches, if it is small enough.
        table: places of the caller's arrays: states by key, data as "data/KEY", ….
    """

    programs: Mapping[str, Program]
    small: Unrolled | None
    memory: Memory
    table: Mapping[str, int]
    layout: TrainingLayout

    @property
    def step(self) -> Program:
        return self.programs["step"]

    @property
    def evaluate(self) -> Program:
        return self.programs["evaluate"]

    @property
    def states(self) -> tuple[Buffer, ...]:
        """All slots, once each."""
        return _states(self.programs)


def placement(
    loop: TrainingLoop,
    machine: Machine,
    threads: int,
    most_in_code: int | None = None,
    *,
    timed: bool = False,
) -> Placement:
    """Prepares all programs and gives every buffer its place; readings of a clock have one too.

    For `most_in_code` see `Memory`.
    """
    memory = Memory(Capacity(dict.fromkeys(loop.step.size_names, loop.batch_size)), most_in_code)
    declared = _with_places(loop.step, loop)
    small = None if loop.watch else unrolled(declared, memory.capacity, machine)
    given = None if small is None else _rows(declared)
    step = prepare(declared, machine, memory.capacity, given, watch=loop.watch)
    others = {
        name: prepare(_with_places(program, loop), machine, memory.capacity, layouts(step))
        for name, program in _others(loop)
    }
    programs = {"step": step, **others}
    table = _table(loop, programs, timed)
    memory.place_outside([*programs.values()], len(table))
    layout = _layout(loop, memory, programs, table, threads)
    if small is not None:
        _place_small(memory, small, declared, step)
    return Placement(programs, small, memory, table, layout)


def _others(loop: TrainingLoop) -> Iterator[tuple[str, Program]]:
    """The programs beside the step."""
    yield "evaluate", loop.evaluate
    for name, summary in loop.summaries.items():
        yield f"{name}.summary", summary.program
    if loop.epoch_end is not None:
        yield "end", loop.epoch_end.program


def _states(programs: Mapping[str, Program]) -> tuple[Buffer, ...]:
    found: dict[str, Buffer] = {}
    for program in programs.values():
        for state in program.states:
            found.setdefault(state.key, state)
    return tuple(found.values())


def _with_places(program: Program, loop: TrainingLoop) -> Program:
    """Inputs in the arena, and an address for every output."""
    roles = {
        buffer.key: "batch" if buffer.key in loop.batch_inputs else "scalar"
        for buffer in program.inputs
    }
    for summary in loop.summaries.values():
        roles |= {summary.totals: "total", summary.rows: "total"}
    if loop.epoch_end is not None:
        roles |= {loop.epoch_end.record: "total", loop.epoch_end.last: "total"}
    return with_roles(_whole_outputs(program), roles)


def _rows(program: Program) -> Layouts:
    """Row-major slots and inputs, as straight-line code has them."""
    return {buffer.key: None for buffer in (*program.states, *program.inputs)}


def _whole_outputs(program: Program) -> Program:
    """Every output as a buffer of its own, so that it has an address."""
    copies: list[Kernel] = []
    outputs: list[Operand] = []
    for position, operand in enumerate(program.outputs):
        if isinstance(operand, View) and operand.whole:
            outputs.append(operand)
            continue
        result = Buffer(f"output_{position}", operand.type)
        copies.append(Copy(result, (operand,)))
        outputs.append(View(result, result.type))
    return replace(program, body=(*program.body, *copies), outputs=tuple(outputs))


def _table(loop: TrainingLoop, programs: Mapping[str, Program], timed: bool) -> Mapping[str, int]:
    states = [state.key for state in _states(programs)]
    data = [f"data/{key}" for key in loop.batch_inputs]
    held_out = [f"validation/{key}" for key in loop.batch_inputs]
    names = [*states, *data, *held_out, "history", *(["readings"] if timed else [])]
    return {name: position for position, name in enumerate(names)}


def _layout(
    loop: TrainingLoop,
    memory: Memory,
    programs: Mapping[str, Program],
    table: Mapping[str, int],
    threads: int,
) -> TrainingLayout:
    """The order of the rows, which every thread has for itself, comes last.

    So the code does not depend on the number of threads.
    """
    reported = len(loop.reported)
    record = memory.take(8 * 2 * (1 + reported))
    columns = {"step": 0, "evaluate": 1 + reported}
    totals = {
        name: _totals(memory, programs[name], loop.summaries.get(name), record + 8 * column)
        for name, column in columns.items()
    }
    if loop.epoch_end is not None:
        memory.shared["total", loop.epoch_end.record] = record
    for program in programs.values():
        memory.keep((*program.states, *program.inputs))
        memory.keep_results(program.prologue)
    memory.work([*programs.values()])
    orders = memory.take(threads * order_bytes(loop.batch_size))
    step, evaluate = (
        _visit(name, programs, loop, memory, table, totals[name], columns[name]) for name in columns
    )
    return TrainingLayout(
        batch_size=loop.batch_size,
        shuffle=loop.shuffle,
        order_stream=loop.order_stream,
        step=step,
        evaluate=evaluate,
        orders=orders,
        record=record,
        history=table["history"],
        reported=reported,
        end=_end_layout(loop, memory, programs),
    )


def _totals(memory: Memory, program: Program, summary: Summary | None, part: int) -> int:
    """Room for the sums of a program's outputs; a summary reads them there, and the rows."""
    offset = memory.take(8 * sum(map(_elements, program.outputs)))
    if summary is not None:
        memory.shared["total", summary.totals] = offset
        memory.shared["total", summary.rows] = part
    return offset


def _elements(operand: Operand) -> int:
    return math.prod(static(operand.type.shape))


def _visit(
    name: str,
    programs: Mapping[str, Program],
    loop: TrainingLoop,
    memory: Memory,
    table: Mapping[str, int],
    totals: int,
    column: int,
) -> Visit:
    program, source = programs[name], "data" if name == "step" else "validation"
    inputs = []
    for buffer in batches(program):
        place = table[f"{source}/{buffer.key}"]
        converts = buffer.type.dtype.is_float
        inputs.append(BatchInput(place, memory.offsets[buffer], converts))
    summary = loop.summaries.get(name)
    sums = [False] * len(program.outputs) if summary is None else summary.sums
    outputs = [
        _output(memory, operand, is_sum=is_sum)
        for operand, is_sum in zip(program.outputs, sums, strict=True)
    ]
    computed = None
    if summary is not None:
        (result,) = programs[f"{name}.summary"].outputs
        computed = _output(memory, result).offset
    return Visit(name, tuple(inputs), tuple(outputs), totals, column, computed)


def _output(memory: Memory, operand: Operand, *, is_sum: bool = False) -> Output:
    assert isinstance(operand, View)
    offset = memory.offsets[operand.buffer]
    return Output(offset, operand.type.dtype, _elements(operand), is_sum)


def _end_layout(
    loop: TrainingLoop, memory: Memory, programs: Mapping[str, Program]
) -> EndLayout | None:
    if loop.epoch_end is None:
        return None
    last = memory.shared.get(("total", loop.epoch_end.last))
    (over,) = programs["end"].outputs
    return EndLayout(memory.take(8) if last is None else last, _output(memory, over))


def batches(program: Program) -> tuple[Buffer, ...]:
    """The inputs that are filled with rows of the data, in order."""
    return tuple(buffer for buffer in program.inputs if buffer.role == "batch")


def _place_small(memory: Memory, small: Unrolled, declared: Program, step: Program) -> None:
    """The straight-line code shares the slots, inputs and outputs of the general step."""
    memory.keep(buffer for buffer in small.buffers if buffer.role in KEPT)
    for mine, general in zip(declared.outputs, step.outputs, strict=True):
        assert isinstance(mine, View)
        assert isinstance(general, View)
        memory.offsets[mine.buffer] = memory.offsets[general.buffer]
