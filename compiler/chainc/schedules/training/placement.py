"""Where everything of a training loop lies, before any code is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chainc.lowering.kernels import Copy, Kernel
from chainc.lowering.program import Program, TrainingLoop
from chainc.lowering.views import Buffer, Operand, View
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import Machine
from chainc.schedules.layout.panels import Layouts, layouts
from chainc.schedules.program.memory import Memory
from chainc.schedules.program.preparation import prepare, with_roles
from chainc.schedules.training.layout import (
    BatchInput,
    Output,
    TrainingLayout,
    Visit,
    order_bytes,
    totals_bytes,
)
from chainc.schedules.unrolled.schedule import Unrolled, unrolled

KEPT = ("state", "batch", "scalar")  # roles of buffers that outlive a step


@dataclass(frozen=True)
class Placement:
    """The two programs of a loop in one arena.

    Attributes:
        small: the step as straight-line code for whole batches, if it is small enough.
        table: places of the caller's arrays: states by key, data as "data/KEY", ….
    """

    step: Program
    evaluate: Program
    small: Unrolled | None
    memory: Memory
    table: Mapping[str, int]
    layout: TrainingLayout


def placement(
    loop: TrainingLoop,
    machine: Machine,
    threads: int,
    most_in_code: int | None = None,
    *,
    timed: bool = False,
) -> Placement:
    """Prepares both programs and gives every buffer its place; readings of a clock have one too.

    For `most_in_code` see `Memory`.
    """
    (name,) = loop.step.size_names
    memory = Memory(Capacity({name: loop.batch_size}), most_in_code)
    declared, evaluation = (_with_places(p, loop) for p in (loop.step, loop.evaluate))
    small = None if loop.watch else unrolled(declared, memory.capacity, machine)
    step = prepare(declared, machine, memory.capacity, None if small is None else _rows(declared))
    evaluate = prepare(evaluation, machine, memory.capacity, layouts(step))
    table = _table(loop, step, timed)
    memory.place_outside((step, evaluate), len(table))
    layout = _layout(loop, memory, (step, evaluate), table, threads)
    if small is not None:
        _place_small(memory, small, declared, step)
    return Placement(step, evaluate, small, memory, table, layout)


def _with_places(program: Program, loop: TrainingLoop) -> Program:
    """Inputs in the arena, and an address for every output."""
    roles = {
        buffer.key: "batch" if buffer.key in loop.batch_inputs else "scalar"
        for buffer in program.inputs
    }
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


def _table(loop: TrainingLoop, step: Program, timed: bool) -> Mapping[str, int]:
    states = [state.key for state in step.states]
    data = [f"data/{key}" for key in loop.batch_inputs]
    held_out = [f"validation/{key}" for key in loop.batch_inputs]
    names = [*states, *data, *held_out, "history", *(["readings"] if timed else [])]
    return {name: position for position, name in enumerate(names)}


def _layout(
    loop: TrainingLoop,
    memory: Memory,
    programs: tuple[Program, Program],
    table: Mapping[str, int],
    threads: int,
) -> TrainingLayout:
    """The order of the rows, which every thread has for itself, comes last.

    So the code does not depend on the number of threads.
    """
    step, evaluate = programs
    for program in programs:
        memory.keep((*program.states, *program.inputs))
        memory.keep_results(program.prologue)
    totals = memory.take(totals_bytes(len(step.outputs) + len(evaluate.outputs)))
    memory.work(programs)
    orders = memory.take(threads * order_bytes(loop.batch_size))
    return TrainingLayout(
        batch_size=loop.batch_size,
        shuffle=loop.shuffle,
        order_stream=loop.order_stream,
        step=_visit("step", step, "data", memory, table),
        evaluate=_visit("evaluate", evaluate, "validation", memory, table),
        orders=orders,
        totals=totals,
        history=table["history"],
    )


def _visit(
    name: str, program: Program, source: str, memory: Memory, table: Mapping[str, int]
) -> Visit:
    inputs = []
    for buffer in batches(program):
        place = table[f"{source}/{buffer.key}"]
        converts = buffer.type.dtype.is_float
        inputs.append(BatchInput(place, memory.offsets[buffer], converts))
    outputs = []
    for operand in program.outputs:
        assert isinstance(operand, View)
        outputs.append(Output(memory.offsets[operand.buffer], operand.type.dtype))
    return Visit(name, tuple(inputs), tuple(outputs))


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
