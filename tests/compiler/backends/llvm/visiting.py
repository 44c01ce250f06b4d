"""A training program written by hand: its step notes which rows it was given, in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from chainc.backends.llvm.host.training import ENTRIES
from chainc.backends.llvm.machine_code.jit import Functions, compile_object, loaded
from chainc.backends.llvm.places import LoopPlaces
from chainc.backends.llvm.printing.module import Module
from chainc.backends.llvm.processors.native import host
from chainc.backends.llvm.runtime.entry import TRAINING_ENTRIES, environment, exported
from chainc.backends.llvm.runtime.threads import pauses
from chainc.ir.types import (
    Array,
    DType,
    TensorType,
    bool_,
    float32,
    int32,
    int64,
    named,
    uint8,
)
from chainc.loops.builder import NestBuilder
from chainc.loops.language import Nest, Routine
from chainc.loops.routine_builder import RoutineBuilder
from chainc.loops.values import Address, Kind, Parameter, Register, Rows, affine
from chainc.lowering.kernels import Applied
from chainc.lowering.views import Buffer, View
from chainc.ops.families.indexing import OneHot
from chainc.schedules.layout.access import Capacity
from chainc.schedules.program import control_block
from chainc.schedules.program.call_writing import Team
from chainc.schedules.program.calls import step_arguments
from chainc.schedules.program.failures import Failures
from chainc.schedules.program.memory import Memory
from chainc.schedules.training.layout import (
    BatchInput,
    Output,
    TrainingLayout,
    Visit,
    order_bytes,
)
from chainc.schedules.training.loop import TrainingRoutines
from chainc.schedules.training.order import walking
from chainc.schedules.training.visits import (
    GatherCall,
    Gathering,
    VisitRoutines,
    add_routine,
    finish_routine,
    gather_routine,
)

STREAM = 0xDEADBEEF
ROOM = 8192  # rows that can be noted; further ones overwrite the first
SCALARS = ("step", "seed", "noted", "stop_at", "fail_at")
OUTPUTS = (float32, int32, bool_)  # the mean of x, the first row's number, true


@dataclass(frozen=True)
class Visiting:
    """The code, and the library made of it."""

    code: HandMade
    library: Functions


@cache
def visiting(batch_size: int, shuffle: bool) -> Visiting:
    """A program for batches of this size."""
    code = hand_made(batch_size, shuffle)
    module = Module(host().machine)
    module.add(environment(host()))
    module.add(pauses(host()))
    for routine in (code.bind, code.store, code.loop.train):
        module.routine(routine)
    module.add(exported("bind", [code.bind.name]))
    module.add(exported("store", [code.store.name]))
    module.add(TRAINING_ENTRIES)
    return Visiting(code, loaded([compile_object(module.text(), host())], ENTRIES))


@dataclass(frozen=True)
class HandMade:
    """What a run must know of a loop's code, and its routines."""

    memory: Memory
    layout: TrainingLayout
    table: Mapping[str, int]
    inputs: tuple[Buffer, ...]
    failures: Failures
    bind: Routine
    store: Routine
    loop: TrainingRoutines
    outside: Sequence[Array] = ()

    @property
    def places(self) -> LoopPlaces:
        """Where a run finds everything."""
        batches = tuple(buffer.key for buffer in self.inputs)
        return LoopPlaces(self.memory.arena_bytes, self.layout, self.table, batches, {})


def hand_made(batch_size: int, shuffle: bool) -> HandMade:
    """A program, not compiled."""
    memory = Memory(Capacity({}))
    names = ["log", *SCALARS, "data/x", "data/y", "validation/x", "validation/y", "history"]
    table = {name: place for place, name in enumerate(names)}
    offsets = {name: memory.take(8) for name in SCALARS}
    offsets |= {"log": memory.take(4 * ROOM), "outputs": memory.take(16)}
    offsets |= {name: memory.take(4 * batch_size) for name in ("x", "y")}
    totals = [memory.take(8 * len(OUTPUTS)) for _ in range(2)]
    layout = TrainingLayout(
        batch_size=batch_size,
        shuffle=shuffle,
        order_stream=STREAM,
        step=_visit("step", "data", table, offsets, totals[0], 0),
        evaluate=_visit("evaluate", "validation", table, offsets, totals[1], 1 + len(OUTPUTS)),
        orders=memory.take(control_block.MAX_THREADS * order_bytes(batch_size)),
        record=memory.take(8 * 2 * (1 + len(OUTPUTS))),
        history=table["history"],
        reported=len(OUTPUTS),
    )
    rows = named("batch")
    inputs = tuple(
        Buffer(key, TensorType((rows,), dtype), "batch", key)
        for key, dtype in (("x", float32), ("y", int32))
    )
    index = Buffer("index", TensorType((), int64))
    failing = Applied(
        Buffer("failing", TensorType((3,), int64)), (View(index, index.type),), OneHot()
    )
    failures = Failures()
    failures.add_kernel(failing)
    step = VisitRoutines(
        gather_routine(layout.step, GATHERINGS),
        _step(offsets),
        add_routine(layout.step),
        finish_routine(layout.step, None, layout.record, layout.reported),
    )
    evaluate = VisitRoutines(
        gather_routine(layout.evaluate, GATHERINGS),
        _evaluate(offsets),
        add_routine(layout.evaluate),
        finish_routine(layout.evaluate, None, layout.record, layout.reported),
    )
    copies = [_copies(name, offsets, table) for name in ("bind", "store")]
    loop = TrainingRoutines(layout, step, evaluate, None, walking(host().machine))
    return HandMade(memory, layout, table, inputs, failures, copies[0], copies[1], loop)


def _visit(
    name: str,
    source: str,
    table: Mapping[str, int],
    offsets: Mapping[str, int],
    totals: int,
    column: int,
) -> Visit:
    places = range(offsets["outputs"], offsets["outputs"] + 4 * len(OUTPUTS), 4)
    inputs = (
        BatchInput(table[f"{source}/x"], offsets["x"], converts=True),
        BatchInput(table[f"{source}/y"], offsets["y"], converts=False),
    )
    outputs = (
        Output(place, dtype, 1, is_sum=False) for place, dtype in zip(places, OUTPUTS, strict=True)
    )
    return Visit(name, inputs, tuple(outputs), totals, column, None)


def _gather(data_type: DType, batch_type: DType) -> GatherCall:
    """Each thread takes its share of the rows."""
    to = NestBuilder()
    data, order = Parameter("data", data_type, padded=False), Parameter("order", int64)
    batch = Parameter("batch", batch_type)
    with to.loop("row", *to.share(Rows())) as loop:
        chosen = to.load(Address(order, affine(loop.index)))
        to.store(to.load(Address(data, affine(chosen))), Address(batch, affine(loop.index)))
    nest = to.nest(f"gather_{data_type}", "a test", (data, order, batch))
    return GatherCall(nest, ("data", "order", "batch"))


GATHERINGS = (
    Gathering(_gather(float32, float32), _gather(uint8, float32)),
    Gathering(_gather(int32, int32), None),
)


def _note() -> Nest:
    """Each thread writes down its share of the rows."""
    to = NestBuilder()
    numbers, log, noted = Parameter("y", int32), Parameter("log", int32), Parameter("noted", int64)
    before = to.load(Address(noted, affine(0)))
    with to.loop("row", *to.share(Rows())) as loop:
        position = to.compute("add", before, to.positions(loop.index, 1))
        place = to.compute("bit_and", position, to.constant(ROOM - 1, Kind(int64)))
        number = to.load(Address(numbers, affine(loop.index)))
        to.store(number, Address(log, affine(place)))
    return to.nest("note", "a test", (numbers, log, noted))


def _step(offsets: Mapping[str, int]) -> Routine:
    """Every thread notes its share of the rows; after that the first one does the rest."""
    to = RoutineBuilder()
    team, rows, _ = step_arguments(to)
    places = {
        name: to.within(team.arena, offsets[name], name, int32) for name in ("y", "log", "noted")
    }
    to.run(_note(), *places.values(), rows, team.thread, team.threads)
    team.wait(to)
    with to.when(team.leads(to)):
        noted, step = (team.word(to, offsets[name], name) for name in ("noted", "step"))
        to.store(to.plus(to.load(noted), rows), noted)
        _outputs(to, team, rows, offsets)
        now = to.plus(to.load(step), 1)
        to.store(now, step)
        for name, word in (("stop_at", control_block.STOP), ("fail_at", control_block.FAILURE)):
            at = to.load(team.word(to, offsets[name], name))
            with to.when(to.is_equal(now, at)):
                to.store(to.integer(1), team.word(to, word, "control"))
    return to.routine("step", "a test")


def _evaluate(offsets: Mapping[str, int]) -> Routine:
    to = RoutineBuilder()
    team, rows, _ = step_arguments(to)
    with to.when(team.leads(to)):
        _outputs(to, team, rows, offsets)
    return to.routine("evaluate", "a test")


def _outputs(to: RoutineBuilder, team: Team, rows: Register, offsets: Mapping[str, int]) -> None:
    """The mean of x, the first of y, true."""
    x, y = (to.within(team.arena, offsets[n], n, t) for n, t in (("x", float32), ("y", int32)))
    with to.loop("row", 0, rows, 1, [to.constant(0.0, Kind(float32))]) as loop:
        value = to.load(Address(x, affine(loop.index)))
        loop.carry(to.compute("add", loop.values[0], value))
    mean = to.compute("divide", loop.results[0], to.cast(rows, float32))
    values = (mean, to.load(Address(y, affine(0))), to.truth(True))
    for number, (value, dtype) in enumerate(zip(values, OUTPUTS, strict=True)):
        place = to.within(team.arena, offsets["outputs"] + 4 * number, "output", dtype)
        to.store(value, Address(place, affine(0)))


def _copies(name: str, offsets: Mapping[str, int], table: Mapping[str, int]) -> Routine:
    """The states into the arena, or back."""
    to = RoutineBuilder()
    team, _, _ = step_arguments(to)
    for state in ("log", *SCALARS):
        outside = to.entry(team.table, table[state], state, int32)
        inside = to.within(team.arena, offsets[state], state, int32)
        source, target = (outside, inside) if name == "bind" else (inside, outside)
        with to.loop("word", 0, ROOM if state == "log" else 2) as loop:
            to.store(
                to.load(Address(source, affine(loop.index))), Address(target, affine(loop.index))
            )
    return to.routine(f"{name}.states", "a test")


def starting_state(step: int = 0, seed: int = 5, **special: int) -> dict[str, Array]:
    """Nothing noted; `stop_at` and `fail_at` are counts of steps after which that happens."""
    numbers = {"step": step, "seed": seed, "noted": 0, "stop_at": -1, "fail_at": -1, **special}
    scalars: dict[str, Array] = {key: np.array(n, np.int64) for key, n in numbers.items()}
    return {**scalars, "log": np.full(ROOM, -1, np.int32)}


def rows_of_data(count: int, seed: int = 0) -> dict[str, Array]:
    """Integers from 0 to 255 as x, so that sums are exact, and each row's number as y."""
    x = np.random.default_rng(seed).integers(0, 256, count).astype(np.float32)
    return {"x": x, "y": np.arange(count, dtype=np.int32)}


def noted(state: Mapping[str, Array]) -> Sequence[int]:
    """The rows that were visited, in order."""
    log: npt.NDArray[np.generic] = state["log"][: int(state["noted"])]
    found: list[int] = log.tolist()
    return found
