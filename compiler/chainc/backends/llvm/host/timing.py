"""Times the kernels of native code, by a clock that is read in the code itself.

The code is the same but for the clock, which is read before and after every call of a kernel.
Both run in the thread that asks, in turns.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from time import perf_counter

import numpy as np

from chainc.backends.epochs import Arrays, EpochPlace
from chainc.backends.listing import Line, Listing
from chainc.backends.llvm.function_code import FunctionCode
from chainc.backends.llvm.host.function import ENTRIES as FUNCTION_ENTRIES
from chainc.backends.llvm.host.function import Binding, NativeFunction
from chainc.backends.llvm.host.memory import LoopCode, RunMemory
from chainc.backends.llvm.host.training import ENTRIES, JOB, ROWS
from chainc.backends.llvm.host.training_start import EVALUATION, Objects
from chainc.backends.llvm.machine_code.jit import Functions, compile_object, loaded
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.llvm.runtime.entry import TICKS
from chainc.backends.llvm.training_code import training_code
from chainc.backends.timing import BATCH, MOST_RUNS, Floats, Timing, in_turns
from chainc.dataclass import dataclass
from chainc.ir.types import Array
from chainc.loops.language import Nest
from chainc.lowering.program import TrainingLoop
from chainc.schedules.program.clock import Clock, TimedCall

CALIBRATION_SECONDS = 0.005  # at least, in which ticks are counted


def time_training(
    loop: TrainingLoop, processor: Processor, data: Arrays, state: Arrays, runs: int | None
) -> Timing:
    """See `TimingTarget`; on one thread."""
    plain, timed = (training_code(loop, processor, 1, timed=clock) for clock in (False, True))
    objects = Objects(plain.fingerprint, lambda: plain)
    clock_object = compile_object(timed.train_module.text(), processor)
    clocked = loaded([clock_object], (*ENTRIES, "ticks"), absent=[EVALUATION])
    clock = timed.written.clock
    assert clock is not None, "it is timed"
    readings = np.zeros((MOST_RUNS, clock.columns), np.int64)
    without = _Steps(plain, objects.library(evaluates=False), data, state)
    with_clocks = _Steps(timed, clocked, data, state, readings)
    ticks = _Ticks(clocked)

    def read(count: int) -> Floats:
        readings[:] = 0
        with_clocks.run(count)
        return readings[:count, : len(clock.calls)].astype(np.float64)

    seconds, whole = in_turns(without.run, read, runs)
    return _timing(clock, timed.called, seconds / ticks.in_a_second(), whole)


class _Steps:
    """A training loop that goes on for some steps at a time, from the same step on."""

    def __init__(
        self,
        code: LoopCode,
        library: Functions,
        data: Arrays,
        state: Arrays,
        readings: Array | None = None,
    ) -> None:
        rows = len(data[code.places.batches[0]])
        batch_size = code.places.layout.batch_size
        place = EpochPlace.of(state, rows, batch_size)
        self._first, self._seed = place.first, int(state["seed"])
        epochs = MOST_RUNS // place.steps + 2  # whose history a run writes
        self._memory = RunMemory(code, data, None, state, epochs, readings)
        self._library = library  # the functions stay as long as it does
        self._train = library.function("train", None, JOB)
        library.function("bind", None, ROWS)(*self._memory.addresses, batch_size, 0, 1)

    def run(self, count: int) -> float:
        """Seconds of so many steps."""
        memory = self._memory
        memory.plan_again(self._first, count, self._seed)
        start = perf_counter()
        self._train(*memory.addresses, memory.job_address, 0, 1)
        seconds = perf_counter() - start
        memory.check()
        return seconds


def time_function(
    function: NativeFunction,
    inputs: Sequence[Array],
    state: Mapping[str, Array],
    sizes: Sequence[int],
    runs: int | None,
) -> Timing:
    """See `TimingTarget`."""
    timed = function.timed_code(*sizes)
    clock = timed.clock
    assert clock is not None, "it is timed"
    object_file = compile_object(timed.text, function.processor)
    clocked = loaded([object_file], (*FUNCTION_ENTRIES, "ticks"))
    readings, ticks = np.zeros(clock.columns, np.int64), _Ticks(clocked)
    without = function.bind(state, *sizes)
    with_clocks = Binding(timed, clocked, state, sizes, readings).run

    def run(count: int) -> float:
        start = perf_counter()
        for _ in range(count):
            without(*inputs)
        return perf_counter() - start

    def read(count: int) -> Floats:
        found = []
        for _ in range(count):
            readings[:] = 0
            with_clocks(*inputs)
            found.append(readings[: len(clock.calls)].copy())
        return np.array(found, np.float64)

    seconds, whole = in_turns(run, read, runs)
    calls = _blocks(timed, sizes)
    return _timing(clock, timed.called, seconds / ticks.in_a_second(), whole, calls)


def _blocks(code: FunctionCode, sizes: Sequence[int]) -> int:
    """Rows that stand for themselves are done some at a time."""
    return -(-sizes[0] // code.block) if code.block else 1


def _timing(
    clock: Clock, called: Mapping[Nest, str], seconds: Floats, whole: Floats, calls: int = 1
) -> Timing:
    """The calls that are timed, by the names of their functions."""
    kernels = Listing(tuple(_line(call, called) for call in clock.calls))
    return Timing(kernels, seconds, whole, calls, tuple(call.steps for call in clock.calls))


def _line(call: TimedCall, called: Mapping[Nest, str]) -> Line:
    """What looks through results is called after them: they share functions."""
    if call.nest is None:
        return BATCH
    return Line(called[call.nest] if call.parts else call.nest.name, call.parts)


@dataclass
class _Ticks:
    """Counts ticks and time, from when it is made."""

    library: Functions

    def __post_init__(self) -> None:
        self._read = self.library.function(TICKS, ctypes.c_int64, [])
        self._time, self._ticks = perf_counter(), self._now()

    def _now(self) -> int:
        ticks = self._read()
        assert isinstance(ticks, int), "it is declared so"
        return ticks

    def in_a_second(self) -> float:
        """By both clocks; so short a time that they could not agree is waited for."""
        while perf_counter() - self._time < CALIBRATION_SECONDS:
            pass
        return (self._now() - self._ticks) / (perf_counter() - self._time)
