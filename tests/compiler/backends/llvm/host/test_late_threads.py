"""Threads that come late, never, or in another process, and interrupts at any moment."""

from __future__ import annotations

import _thread
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.compiler.backends.llvm.visiting import noted, rows_of_data, starting_state, visiting

from chainc.backends.llvm.host import alone, crew
from chainc.backends.llvm.host.crew import Crew
from chainc.backends.llvm.host.training import NativeTraining
from chainc.backends.llvm.processors.native import host
from chainc.backends.llvm.runtime.threads import clocked

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
needs_clock = pytest.mark.skipif(not clocked(host()), reason="no clock tells who is late")
ROWS, EPOCHS = 50, 3

if TYPE_CHECKING:
    from _typeshed import TraceFunction


def native(threads: int) -> NativeTraining:
    made = visiting(4, True)
    return NativeTraining(made.code, made.library, threads)


def trained(program: NativeTraining) -> list[int]:
    """The rows that it has visited."""
    state = starting_state()
    list(program.run(rows_of_data(ROWS), None, state, EPOCHS, lambda: False))
    return [*noted(state)]


def wait_until_gone(count: int) -> None:
    """No more threads than there were."""
    end = time.monotonic() + 10
    while _thread._count() > count:
        assert time.monotonic() < end, "a thread is left behind"
        time.sleep(0.0005)


@needs_clock
def test_steps_are_done_though_no_other_thread_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    expected = trained(native(1))
    monkeypatch.setattr(_thread, "start_new_thread", refused)
    assert trained(native(2)) == expected


@needs_clock
def test_threads_that_come_when_all_is_done_leave_again(monkeypatch: pytest.MonkeyPatch) -> None:
    late: list[tuple[Callable[..., object], tuple[object, ...]]] = []
    with monkeypatch.context() as patch:
        patch.setattr(_thread, "start_new_thread", lambda *given: late.append(given))
        found = trained(native(3))
    assert found == trained(native(1))
    assert len(late) == 2
    before = _thread._count()
    for work, given in late:
        _thread.start_new_thread(work, given)
    wait_until_gone(before)


@needs_clock
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_forked_child_goes_on_with_a_run_without_its_threads() -> None:
    program, states = native(2), [starting_state() for _ in range(2)]
    runs = [
        program.run(rows_of_data(ROWS), None, state, 40, lambda: False, every=lambda: 1)
        for state in states
    ]
    list(runs[0])
    for _ in range(20):
        next(runs[1])
    child = os.fork()
    if child == 0:  # nothing of the test's own may run here
        code = 1
        with suppress(BaseException):
            list(runs[1])
            code = int(noted(states[1]) != noted(states[0]))
        os._exit(code)
    end = time.monotonic() + 20
    found, status = os.waitpid(child, os.WNOHANG)
    while not found and time.monotonic() < end:
        time.sleep(0.01)
        found, status = os.waitpid(child, os.WNOHANG)
    if not found:
        os.kill(child, 9)
        os.waitpid(child, 0)
    list(runs[1])
    assert found, "the child hangs"
    assert os.waitstatus_to_exitcode(status) == 0


@contextmanager
def interrupted(at: int, files: tuple[str, ...]) -> Iterator[list[int]]:
    """Before one of the instructions in these files, by its number; how many there were."""
    met = [0]
    here = threading.get_ident()

    def trace(frame: FrameType, event: str, _: object) -> TraceFunction | None:
        if frame.f_code.co_filename not in files:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and threading.get_ident() == here:
            met[0] += 1
            if met[0] == at:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield met
    finally:
        sys.settrace(before)


def interrupt_everywhere(files: tuple[str, ...], run: Callable[[], object]) -> int:
    """At each instruction in turn: nothing hangs and no thread stays; how many there were."""
    before, at = _thread._count(), 0
    met = [at]
    while met[0] == at:  # the last was interrupted
        at += 1
        with interrupted(at, files) as met, suppress(KeyboardInterrupt):
            run()
        wait_until_gone(before)
    return met[0]


def test_an_interrupt_at_any_instruction_leaves_no_thread_of_a_crew() -> None:
    """Each waits for the other in its work, as those do that share steps."""

    def run() -> None:
        meeting = threading.Barrier(2)
        with Crew(2, lambda: None) as some:
            for last in (False, True):
                some.begin(lambda _: meeting.wait(10), last=last)
                while not some.finished(1):
                    pass

    assert interrupt_everywhere((crew.__file__,), run) > 100


@needs_clock
def test_an_interrupt_at_any_instruction_leaves_no_thread_of_a_run() -> None:
    program, expected = native(2), trained(native(1))

    def run() -> None:
        found = trained(program)
        assert found == expected

    files = (alone.__file__, crew.__file__)
    assert interrupt_everywhere(files, run) > 100
    assert trained(program) == expected


def test_an_interrupt_at_any_instruction_leaves_no_thread_of_an_evaluation() -> None:
    program, rows = native(2), rows_of_data(9)
    files = (crew.__file__,)
    interrupt_everywhere(files, lambda: program.evaluate(rows, starting_state()))
    found = [program.evaluate(rows, starting_state()) for _ in range(2)]
    np.testing.assert_array_equal(found[0], found[1])
