"""Threads that meet at barriers: each sees what the others wrote before it."""

from __future__ import annotations

import ctypes
import threading
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from chainc.backends.llvm.arena import aligned_bytes
from chainc.backends.llvm.machine_code.jit import Functions, assembly, compile_object, loaded
from chainc.backends.llvm.printing.module import Module
from chainc.backends.llvm.processors.native import host
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.llvm.runtime.entry import environment, exported
from chainc.backends.llvm.runtime.threads import pauses
from chainc.schedules.program.control_block import CONTROL_BYTES, MAX_THREADS
from chainc.schedules.training.waiting import BARRIER

# Every thread writes the round's number in its cell; after the barrier it counts the cells that
# do not hold it; a second barrier keeps the next round away until all have looked.
ROUNDS = """\
define void @rounds(ptr %arena, ptr %cells, i64 %count, i64 %thread, i64 %threads) {
entry:
  %own = getelementptr i64, ptr %cells, i64 %thread
  %result.index = add i64 %threads, %thread
  %result = getelementptr i64, ptr %cells, i64 %result.index
  br label %round
round:
  %number = phi i64 [ 1, %entry ], [ %following, %seen ]
  store i64 %number, ptr %own
  call void @barrier(ptr %arena, i64 %thread, i64 %threads)
  br label %look
look:
  %other = phi i64 [ 0, %round ], [ %next, %look ]
  %cell = getelementptr i64, ptr %cells, i64 %other
  %found = load i64, ptr %cell
  %stale = icmp ne i64 %found, %number
  %one = zext i1 %stale to i64
  %wrong = load i64, ptr %result
  %more = add i64 %wrong, %one
  store i64 %more, ptr %result
  %next = add i64 %other, 1
  %again = icmp slt i64 %next, %threads
  br i1 %again, label %look, label %seen
seen:
  call void @barrier(ptr %arena, i64 %thread, i64 %threads)
  %following = add i64 %number, 1
  %unfinished = icmp sle i64 %following, %count
  br i1 %unfinished, label %round, label %end
end:
  ret void
}
"""

CONTROL_WORD = """\
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)
define void @read(ptr %word) {
  call void @llvm.x86.sse.stmxcsr(ptr %word)
  ret void
}
define void @write(ptr %word) {
  call void @llvm.x86.sse.ldmxcsr(ptr %word)
  ret void
}
"""

HALVE = """\
define internal void @halve(ptr %arena, ptr %table, i64 %rows, i64 %thread, i64 %threads) noinline {
  %number = load float, ptr %table
  %half = fmul float %number, 0.5
  store float %half, ptr %table
  ret void
}
"""


def meeting(processor: Processor) -> str:
    """Threads that meet again and again."""
    module = Module(processor.machine)
    module.add(pauses(processor))
    module.routine(BARRIER)
    module.add(ROUNDS)
    return module.text()


@cache
def rounds() -> Functions:
    return loaded([compile_object(meeting(host()), host())], ["rounds"])


def stale_cells(threads: int, count: int) -> list[int]:
    """How many outdated cells each thread has seen in all rounds."""
    function = rounds().function(
        "rounds", None, [ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int64] * 3
    )
    arena, cells = aligned_bytes(CONTROL_BYTES), np.zeros(2 * threads, np.int64)
    calls = [
        threading.Thread(target=function, args=(arena.ctypes.data, cells.ctypes.data, count, n,
                                                threads))
        for n in range(threads)
    ]  # fmt: skip
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert cells[:threads].tolist() == [count] * threads
    found: list[int] = cells[threads:].tolist()
    return found


@pytest.mark.parametrize(("threads", "count"), [(1, 1000), (2, 1000), (3, 100), (5, 40)])
def test_what_was_written_before_a_barrier_is_seen_after_it(threads: int, count: int) -> None:
    assert stale_cells(threads, count) == [0] * threads


def test_the_most_threads_meet_once() -> None:
    assert stale_cells(MAX_THREADS, 1) == [0] * MAX_THREADS


def test_a_barrier_asks_no_library_and_pauses_only_where_that_exists() -> None:
    assert "@PLT" not in assembly(meeting(host()), host())
    elsewhere = meeting(replace(host(), triple="aarch64-unknown-linux-gnu"))
    assert "x86" not in elsewhere
    assert "asm" not in elsewhere
    assert "asm" not in meeting(replace(host(), triple="x86_64-pc-windows-msvc"))


def control_word(library: Functions, entry: str, word: int = 0) -> int:
    cell = ctypes.c_uint32(word)
    library.function(entry, None, [ctypes.c_void_p])(ctypes.addressof(cell))
    return cell.value


def halved(library: Functions, number: npt.NDArray[np.float32]) -> None:
    signature = [ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int64] * 3
    library.function("enter", None, signature)(0, number.ctypes.data, 1, 0, 1)


@pytest.mark.skipif("x86_64" not in host().triple, reason="reads a register of x86")
def test_exported_functions_keep_subnormals_and_give_the_caller_its_environment_back() -> None:
    own = "\n".join([environment(host()), HALVE, exported("enter", ["halve"])])
    code = loaded([compile_object(own, host())], ["enter"])
    probe = loaded([compile_object(CONTROL_WORD, host())], ["read", "write"])
    before = control_word(probe, "read")
    flushing = before | 0x8040
    smallest = np.finfo(np.float32).tiny
    number = np.array([smallest], np.float32)
    try:
        control_word(probe, "write", flushing)
        halved(code, number)
        after = control_word(probe, "read")
    finally:
        control_word(probe, "write", before)
    assert number[0] == smallest / 2 > 0
    assert after == flushing
