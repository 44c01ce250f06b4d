"""A clock around calls: their ticks are added up in the row of the step, and nothing else."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from tests.interpreter import Pointers, interpret_routine

from chainc.backends.llvm.machine_code.jit import compile_object, loaded
from chainc.backends.llvm.printing.module import Module
from chainc.backends.llvm.processors.native import host
from chainc.ir.types import Array, float32, int64, uint8
from chainc.loops.builder import NestBuilder
from chainc.loops.language import Nest, Routine
from chainc.loops.routine_builder import RoutineBuilder
from chainc.loops.routine_text import print_routine
from chainc.loops.values import Address, Parameter, affine
from chainc.schedules.program.clock import Clock, TimedCall
from chainc.schedules.program.control_block import STEPS

COLUMNS, ROWS = 4, 3


def doubling() -> Nest:
    to, x = NestBuilder(), Parameter("x", float32)
    with to.loop("i", 0, 5000) as loop:
        place = Address(x, affine(loop.index))
        value = to.load(place)
        to.store(to.compute("add", value, value), place)
    return to.nest("double", "2 x", (x,))


def timed_twice() -> tuple[Routine, Clock]:
    """One call of a kernel, and one of nothing."""
    to, clock, nest = RoutineBuilder(), Clock(1, COLUMNS), doubling()
    arena, table = to.buffer("arena", uint8), to.buffer("table", uint8)
    number = to.number("number")
    numbers = to.entry(table, 0, "numbers", float32)
    with clock.around(to, arena, table, TimedCall(nest, ())):
        to.run(nest, numbers, number, number, number)
    with clock.around(to, arena, table, TimedCall(None, ())):
        pass
    return to.routine("timed", "a test"), clock


def given(step: int) -> tuple[Array, Pointers]:
    arena = np.zeros(64, np.uint8)
    arena[STEPS : STEPS + 8].view(np.int64)[0] = step
    return arena, Pointers([np.ones(5000, np.float32), np.zeros(ROWS * COLUMNS, np.int64)])


def check(table: Pointers, step: int) -> None:
    numbers, readings = table
    assert set(numbers) == {2.0}
    rows = readings.view(np.int64).reshape(ROWS, COLUMNS)
    assert rows[step, 0] > rows[step, 1] >= 0
    assert not np.delete(rows, step, axis=0).any()
    assert not rows[step, 2:].any()


def test_what_is_timed_is_listed_in_order() -> None:
    _, clock = timed_twice()
    assert [call.nest and call.nest.name for call in clock.calls] == ["double", None]
    assert (clock.place, clock.columns) == (1, COLUMNS)


@pytest.mark.parametrize("step", range(ROWS))
def test_ticks_stand_in_the_row_of_the_step(step: int) -> None:
    routine, _ = timed_twice()
    arena, table = given(step)
    interpret_routine(routine, [arena, table, 1])
    check(table, step)


@pytest.mark.parametrize("step", range(ROWS))
def test_machine_code_reads_the_processors_clock(step: int) -> None:
    routine, _ = timed_twice()
    module = Module(host().machine)
    module.routine(routine)
    module.add(
        "define void @entry(ptr %arena, ptr %table) {\n"
        "  call void @timed(ptr %arena, ptr %table, i64 1)\n  ret void\n}\n"
    )
    library = loaded([compile_object(module.text(), host())], ["entry"])
    entry = library.function("entry", None, [ctypes.c_void_p] * 2)
    arena, table = given(step)
    pointers = np.array([each.ctypes.data for each in table], np.uint64)
    entry(arena.ctypes.data, pointers.ctypes.data)
    check(table, step)
    before = table[1].astype(np.float64)
    table[0][:] = 1
    entry(arena.ctypes.data, pointers.ctypes.data)
    added = table[1].astype(np.float64) - before
    assert added.min() >= 0
    assert added[step * COLUMNS] > 0


def test_a_reading_is_a_word_of_its_own() -> None:
    to = RoutineBuilder()
    out = to.within(to.buffer("arena", uint8), 8, "out", int64)
    to.store(to.clock("now"), Address(out, affine(0)))
    assert "    now: i64 = clock\n" in print_routine(to.routine("read", "a test"), {})
