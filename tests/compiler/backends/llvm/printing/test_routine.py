"""The LLVM text of routines against their meaning: branches, repetitions, buffers, calls."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from tests.interpreter import Pointers, interpret_routine
from tests.native import aligned
from tests.routines import ARGUMENTS, Author, arrays, counting_nest, inner_routine

from chainc.backends.llvm.machine_code.jit import Functions, compile_object, loaded
from chainc.backends.llvm.printing.module import Module
from chainc.backends.llvm.printing.routine import MOST_INLINED
from chainc.backends.llvm.processors.native import host
from chainc.ir.types import bool_, float64, int32, int64, uint8
from chainc.loops.language import Routine, statements
from chainc.loops.routine_builder import RoutineBuilder
from chainc.loops.values import Address, affine

ENTRY = """\
define i64 @entry(ptr %arena, ptr %table, i64 %number) {
  %result = call i64 @tested(ptr %arena, ptr %table, i64 %number)
  ret i64 %result
}
"""


def compiled(routine: Routine, entry: str = ENTRY) -> Functions:
    module = Module(host().machine)
    module.routine(routine)
    module.add(entry)
    return loaded([compile_object(module.text(), host())], ["entry"])


@pytest.mark.parametrize("seed", range(40))
def test_machine_code_does_what_the_language_means(seed: int) -> None:
    routine = Author(seed).routine()
    library = compiled(routine)
    function = library.function("entry", ctypes.c_int64, ARGUMENTS)
    for number in (-5, 0, 1, 1234567):
        (mine, table), (other, _) = arrays(seed), arrays(seed)
        expected = interpret_routine(routine, [other, table, number])
        pointers = np.array([each.ctypes.data for each in table], np.uint64)
        assert function(mine.ctypes.data, pointers.ctypes.data, number) == expected
        np.testing.assert_array_equal(mine, other)


def test_the_random_routines_use_the_whole_language() -> None:
    used = {type(s).__name__ for seed in range(40) for s in statements(Author(seed).routine().body)}
    assert used >= {
        "Acquire", "Branch", "Call", "Entry", "Leave", "Loop", "Missing", "Repeat", "Store",
        "Table", "Within",
    }  # fmt: skip


def test_lanes_are_looked_through_and_constants_have_room_behind() -> None:
    to = RoutineBuilder()
    arena, _, number = to.buffer("arena", uint8), to.buffer("table", uint8), to.number("number")
    numbers = to.data("numbers", int32, np.arange(5, dtype=np.int32).tobytes())
    lanes = to.load(Address(numbers, affine(1)), 4)
    found = to.compute("equal", lanes, to.cast(number, int32), dtype=bool_)
    out = to.within(arena, 0, "out", float64)
    to.store(to.cast(to.somewhere(found), float64), Address(out, affine(0)))
    routine = to.routine("tested", "a test", result=to.integer(5))
    library = compiled(routine)
    function = library.function("entry", ctypes.c_int64, ARGUMENTS)
    for given, expected in ((0, 0.0), (3, 1.0), (5, 0.0)):
        mine, other = (aligned(np.zeros(64, np.uint8)) for _ in range(2))
        assert function(mine.ctypes.data, 0, given) == 5
        assert interpret_routine(routine, [other, Pointers(), given]) == 5
        assert mine.view(np.float64)[0] == other.view(np.float64)[0] == expected


def test_what_is_called_is_printed_once_and_before() -> None:
    nest, inner = counting_nest(), inner_routine("inner", inlined=True)
    to = RoutineBuilder()
    arena, number = to.buffer("arena", uint8), to.number("number")
    for _ in range(2):
        place = to.within(arena, 96, "place", int64)
        to.run(nest, place, number, number, number, place, number)
        to.result_of(inner, arena, number)
    module = Module(host().machine)
    module.routine(to.routine("outer", "a test\nof lines"))
    text = module.text()
    order = [text.index(f'@"{name}"(') for name in ("counting", "inner", "outer")]
    assert order == sorted(order)
    assert text.count("define internal") == 3
    assert 'define internal i1 @"inner"(ptr %arena, i64 %number) alwaysinline' in text
    assert "; a test?of lines\n" in text


@pytest.mark.parametrize(("count", "calls"), [(MOST_INLINED, 0), (MOST_INLINED + 1, 1)])
def test_barriers_of_long_routines_are_calls(count: int, calls: int) -> None:
    to = RoutineBuilder()
    arena = to.buffer("arena", uint8)
    thread, threads = to.number("thread"), to.number("threads")
    for _ in range(count):
        to.barrier(arena, thread, threads)
    module = Module(host().machine)
    module.routine(to.routine("long", "a test"))
    lines = module.text().splitlines()
    (line,) = {each.strip() for each in lines if 'call void @"barrier"' in each}
    assert line.endswith("noinline") == bool(calls)
