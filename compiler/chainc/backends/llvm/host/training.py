"""Runs a native training loop: threads for it, and progress while it goes on.

Nothing is shared between runs and nothing is kept after one, so the same code may run several
times at once, and in a process that was forked.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress

import numpy as np

from chainc.backends.epochs import Arrays, Continued, EpochPlace, Epochs
from chainc.backends.llvm.host.memory import LoopCode, RunMemory
from chainc.backends.llvm.machine_code.jit import Library
from chainc.ir.types import Array
from chainc.schedules.program import control_block

ENTRIES = ("bind", "train", "validate", "store")
MOST_EPOCHS = 1 << 16  # whose history has room at a time
MOST_NUMBERS = 1 << 23  # of it
POLL_SECONDS = 0.05  # how often a run is asked for finished epochs, and the caller whether to stop

POINTERS = [ctypes.c_void_p] * 2
ROWS = [*POINTERS, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64]
JOB = [*POINTERS, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64]

Function = Callable[..., object]


def threads_for(wanted: int | None) -> int:
    """As many threads as wanted, but no more than this process has cores: the bits are the same.

    Without a wish, one a core.
    """
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(wanted or cores, cores, control_block.MAX_THREADS)


class NativeTraining:
    """A compiled training loop; each run has memory of its own."""

    def __init__(self, code: LoopCode, library: Library, threads: int) -> None:
        self._code = code
        self._threads = threads
        self._library = library  # the functions stay as long as it does
        self._bind = library.function("bind", None, ROWS)
        self._outside = code.outside
        self._store = library.function("store", None, ROWS)
        self._train = library.function("train", None, JOB)
        self._validate = library.function("validate", None, JOB)

    @property
    def byte_inputs(self) -> Collection[str]:
        """Every floating-point input with rows: their data is converted while it is gathered."""
        converting = {each.array for each in self._code.places.layout.step.inputs if each.converts}
        names = {place: name for name, place in self._code.places.table.items()}
        return frozenset(names[place].removeprefix("data/") for place in converting)

    def run(
        self,
        data: Arrays,
        validation: Arrays | None,
        state: Continued,
        epochs: int,
        stop: Callable[[], bool],
        *,
        ends: bool = True,
    ) -> Iterator[Epochs]:
        """See `TrainingRunner`; state arrays are written when the iterator ends or is closed.

        Raises:
            InputError: the validation data has another value for an input without rows.
        """
        most = max(1, min(MOST_EPOCHS, MOST_NUMBERS // self._code.places.layout.columns))
        for done in range(0, epochs, most):
            if done and stop():
                return
            some = min(most, epochs - done)
            last = ends and done + some == epochs
            for finished in self._run(data, validation, state, some, stop, ends=last):
                yield finished
                if finished.ended:
                    return

    def _run(
        self,
        data: Arrays,
        validation: Arrays | None,
        state: Continued,
        epochs: int,
        stop: Callable[[], bool],
        *,
        ends: bool,
    ) -> Iterator[Epochs]:
        """So many epochs that their history fits into memory."""
        memory = RunMemory(self._code, data, validation, state, epochs, outside=self._outside)
        place = EpochPlace.of(state, memory.rows, self._code.places.layout.batch_size)
        memory.plan_steps(place.first, epochs, int(state["seed"]), ends=ends)
        self._copy(self._bind, memory)
        memory.ask_to_stop(stop())
        try:
            with self._started(self._train, memory) as threads:
                while threads[0].is_alive():
                    threads[0].join(POLL_SECONDS)
                    memory.ask_to_stop(stop())
                    yield from memory.finished()
            yield from memory.finished()
        finally:
            self._copy(self._store, memory)
            memory.write_back()
            place.note(state)
        memory.check(place.step - place.first)

    def evaluate(self, data: Arrays, state: Arrays) -> Array:
        """See `TrainingRunner`."""
        memory = RunMemory(self._code, data, data, state, 1, outside=self._outside)
        self._copy(self._bind, memory)
        with self._started(self._validate, memory):
            pass
        memory.check()
        (record,) = memory.finished()
        assert record.validation is not None
        return np.asarray(record.validation[0])

    def _copy(self, function: Function, memory: RunMemory) -> None:
        arena, table = memory.addresses
        function(arena, table, self._code.places.layout.batch_size, 0, 1)

    @contextmanager
    def _started(
        self, function: Function, memory: RunMemory
    ) -> Iterator[Sequence[threading.Thread]]:
        """The function on every thread; in the end, whatever happens, they have all returned.

        They begin together: one that never came would keep the others waiting.
        """
        begin, complete = threading.Event(), False

        def work(thread: int) -> None:
            begin.wait()
            if complete:
                if self._threads > 1:
                    _move_to_core(thread)
                function(*memory.addresses, memory.job.ctypes.data, thread, self._threads)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(self._threads)]
        started: list[threading.Thread] = []
        try:
            for thread in threads:
                thread.start()
                started.append(thread)
            complete = True
            begin.set()
            yield threads
        except BaseException:
            memory.ask_to_stop(True)
            raise
        finally:
            begin.set()
            for thread in started:
                thread.join()


def _move_to_core(thread: int) -> None:
    """Move the calling thread to a core of its own, where the system lets it stay or moves it on.

    Threads that begin at the same moment may all begin on one core, and wait there for each other
    until the system spreads them, which takes up to a second.
    """
    if sys.platform != "linux":
        return
    cores = os.sched_getaffinity(0)
    with suppress(OSError):  # a sandbox that forbids it runs as well, only later at full speed
        os.sched_setaffinity(0, {sorted(cores)[thread % len(cores)]})
        os.sched_setaffinity(0, cores)
