"""Runs a native training loop: memory for one run, threads for it, and progress while it goes on.

Nothing is shared between runs and nothing is kept after one, so the same code may run several
times at once, and in a process that was forked.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

import numpy as np

from chainc.backends.epochs import Arrays, Continued, EpochPlace, Epochs
from chainc.backends.llvm.host.arena import aligned_bytes
from chainc.backends.llvm.machine_code.jit import Library
from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainc.lowering.views import Buffer
from chainc.schedules.program import control_block
from chainc.schedules.program.failures import Failures
from chainc.schedules.program.memory import Memory
from chainc.schedules.training import layout as training

MOST_EPOCHS = 1 << 16  # whose history has room at a time
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


class LoopCode(Protocol):
    """What a run must know of a loop's code."""

    @property
    def layout(self) -> training.TrainingLayout:
        """What the loop knows of the step."""

    @property
    def memory(self) -> Memory:
        """The places of all buffers."""

    @property
    def table(self) -> Mapping[str, int]:
        """Places of the caller's arrays."""

    @property
    def inputs(self) -> tuple[Buffer, ...]:
        """Those of the step."""

    @property
    def failures(self) -> Failures:
        """What the codes mean that a run may leave."""


class NativeTraining:
    """A compiled training loop; each run has memory of its own."""

    def __init__(self, code: LoopCode, library: Library, threads: int) -> None:
        self._code = code
        self._threads = threads
        self._library = library  # the functions stay as long as it does
        self._bind = library.function("bind", None, ROWS)
        self._store = library.function("store", None, ROWS)
        self._train = library.function("train", None, JOB)
        self._validate = library.function("validate", None, JOB)

    @property
    def byte_inputs(self) -> Collection[str]:
        """Every floating-point input with rows: their data is converted while it is gathered."""
        converting = {each.array for each in self._code.layout.step.inputs if each.converts}
        names = {place: name for name, place in self._code.table.items()}
        return frozenset(names[place].removeprefix("data/") for place in converting)

    def run(
        self,
        data: Arrays,
        validation: Arrays | None,
        state: Continued,
        epochs: int,
        stop: Callable[[], bool],
    ) -> Iterator[Epochs]:
        """See `TrainingRunner`; state arrays are written when the iterator ends or is closed.

        Raises:
            InputError: the validation data has another value for an input without rows.
        """
        for done in range(0, epochs, MOST_EPOCHS):
            if done and stop():
                return
            some = min(MOST_EPOCHS, epochs - done)
            yield from self._run(data, validation, state, some, stop)

    def _run(
        self,
        data: Arrays,
        validation: Arrays | None,
        state: Continued,
        epochs: int,
        stop: Callable[[], bool],
    ) -> Iterator[Epochs]:
        """So many epochs that their history fits into memory."""
        memory = _Memory(self._code, data, validation, state, epochs)
        place = EpochPlace.of(state, memory.rows, self._code.layout.batch_size)
        memory.plan_steps(place.first, epochs, int(state["seed"]))
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
        memory = _Memory(self._code, data, data, state, 1)
        self._copy(self._bind, memory)
        with self._started(self._validate, memory):
            pass
        memory.check()
        (record,) = memory.finished()
        assert record.validation is not None
        return np.asarray(record.validation[0])

    def _copy(self, function: Function, memory: _Memory) -> None:
        arena, table = memory.addresses
        function(arena, table, self._code.layout.batch_size, 0, 1)

    @contextmanager
    def _started(self, function: Function, memory: _Memory) -> Iterator[Sequence[threading.Thread]]:
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


class _Memory:
    """One run's arena, its table of arrays, its job and its history."""

    def __init__(
        self,
        code: LoopCode,
        data: Arrays,
        validation: Arrays | None,
        state: Arrays,
        epochs: int,
    ) -> None:
        self._code = code
        self._state = state
        held_out = data if validation is None else validation
        self._validated = validation is not None
        self._history = np.zeros((epochs, code.layout.columns))
        self._taken = 0  # records that have been handed out
        self._arrays = self._placed(data, held_out)
        self._table = np.array([array.ctypes.data for array in self._arrays], np.uint64)
        self._arena = aligned_bytes(code.memory.arena_bytes)
        self._words = self._arena[: control_block.BARRIERS].view(np.int64)
        self._write_scalars(data, held_out)
        self.job = np.zeros(training.JOB_WORDS, np.int64)
        self.job[training.COUNT] = self._rows(data)
        self.job[training.HELD_OUT] = self._rows(held_out) if self._validated else 0
        self.job[training.BYTES] = self._bytes(code.layout.step)
        self.job[training.HELD_OUT_BYTES] = self._bytes(code.layout.evaluate)

    @property
    def addresses(self) -> tuple[int, int]:
        """The arena and the table."""
        return self._arena.ctypes.data, self._table.ctypes.data

    @property
    def rows(self) -> int:
        """Of the data."""
        return int(self.job[training.COUNT])

    def plan_steps(self, first: int, epochs: int, seed: int) -> None:
        """From a step, perhaps in the middle of an epoch, to the end of the last epoch."""
        steps = -(-self.rows // self._code.layout.batch_size)
        self.job[training.FIRST] = first
        self.job[training.LAST] = (first // steps + epochs) * steps
        self.job[training.SEED] = seed

    def ask_to_stop(self, stop: bool) -> None:
        if stop:
            self._words[control_block.STOP // 8] = 1

    def finished(self) -> Iterator[Epochs]:
        """The epochs that have been finished since the last call, if any."""
        done = int(self._words[control_block.EPOCHS // 8])
        if done == self._taken:
            return
        records = self._history[self._taken : done]
        self._taken = done
        outputs = len(self._code.layout.step.outputs)
        seen, held_out = records[:, 0], records[:, 1 + outputs]
        with np.errstate(invalid="ignore"):  # an evaluation alone has seen no rows
            means = records[:, 1 : 1 + outputs] / seen[:, None]
        sums = records[:, 2 + outputs :]
        validation = sums / held_out[:, None] if self._validated else None
        yield Epochs(seen.astype(np.int64), means, validation)

    def write_back(self) -> None:
        """The state's values into the arrays that were given, where copies stood in for them."""
        for name, array in self._state.items():
            place = self._code.table.get(name)
            if place is not None and self._arrays[place] is not array:
                array[...] = self._arrays[place]

    def check(self, steps_before: int = 0) -> None:
        """Raise if a kernel has failed; `steps_before` were done before those that are counted."""
        failure = int(self._words[control_block.FAILURE // 8])
        if failure:
            failed = int(self._words[control_block.FAILED_STEP // 8])
            raise self._code.failures.error(failure, failed + steps_before)

    def _placed(self, data: Arrays, held_out: Arrays) -> Sequence[Array]:
        """The arrays in the order of the table, contiguous and aligned."""
        named = {f"data/{key}": array for key, array in data.items()}
        named |= {f"validation/{key}": array for key, array in held_out.items()}
        named |= {**self._state, "history": self._history}
        places = sorted(self._code.table, key=self._code.table.__getitem__)
        return [np.require(named[name], requirements=["C", "A"]) for name in places]

    def _rows(self, data: Arrays) -> int:
        return len(next(data[b.key] for b in self._code.inputs if b.role == "batch"))

    def _write_scalars(self, data: Arrays, held_out: Arrays) -> None:
        for (role, key), offset in self._code.memory.shared.items():
            if role != "scalar":
                continue
            value = data[key]
            if not np.array_equal(value, held_out[key], equal_nan=value.dtype.kind == "f"):
                raise InputError(
                    f"the validation data has another value for the input {key!r}",
                    hint="give the same one: only inputs with rows may differ",
                )
            self._arena[offset : offset + value.nbytes] = np.frombuffer(value.tobytes(), np.uint8)

    def _bytes(self, visit: training.Visit) -> int:
        """Bit i: input i comes as uint8 and is converted."""
        return sum(
            1 << i
            for i, each in enumerate(visit.inputs)
            if each.converts and self._arrays[each.array].dtype == np.uint8
        )
