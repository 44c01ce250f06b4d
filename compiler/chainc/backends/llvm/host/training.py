"""Runs a native training loop: threads for it, and progress while it goes on.

Nothing is shared between runs and nothing is kept after one but what it has taken: how long a row,
and on how many threads steps are quickest. So the same code may run several times at once, and in a
process that was forked.
"""

from __future__ import annotations

import ctypes
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from time import perf_counter

import numpy as np

from chainc.backends.epochs import Arrays, Continued, EpochPlace, Epochs
from chainc.backends.llvm.host.alone import Alone, Leader, Taken
from chainc.backends.llvm.host.crew import POLL_SECONDS, Crew, Work
from chainc.backends.llvm.host.memory import LoopCode, RunMemory
from chainc.backends.llvm.machine_code.jit import Functions
from chainc.backends.llvm.processors.native import cores, host
from chainc.backends.llvm.runtime.threads import clocked
from chainc.ir.types import Array
from chainc.schedules.program import control_block

ENTRIES = ("bind", "train", "validate", "store")
MOST_EPOCHS = 1 << 16  # whose history has room at a time
MOST_NUMBERS = 1 << 23  # of it

POINTERS = [ctypes.c_void_p] * 2
ROWS = [*POINTERS, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64]
JOB = [*POINTERS, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64]

Function = Callable[..., object]


def threads_for(wanted: int | None) -> int:
    """As many threads as wanted, but no more than this process has cores: the bits are the same.

    Without a wish, one a core.
    """
    return min(wanted or cores(), cores(), control_block.MAX_THREADS)


class Entries:
    """The functions of a library, which stay as long as it does."""

    def __init__(self, library: Functions) -> None:
        self._library = library
        self.bind = library.function("bind", None, ROWS)
        self.store = library.function("store", None, ROWS)
        self.train = library.function("train", None, JOB)
        self.validate = library.function("validate", None, JOB)


class LoopRunner(ABC):
    """A compiled training loop; each run has memory of its own."""

    def __init__(self, code: LoopCode, threads: int) -> None:
        self._code = code
        self._threads = threads
        self._seconds = math.inf  # a row, where it was evaluated last
        self._taken = Taken()
        self.pace: Array | None = None  # of the run that was the last to end

    @abstractmethod
    def memory(
        self, data: Arrays, validation: Arrays | None, state: Arrays, epochs: int
    ) -> RunMemory:
        """For a run of its own."""

    @abstractmethod
    def entries(self, memory: RunMemory) -> Entries:
        """The functions that work on it."""

    @property
    def batch_size(self) -> int:
        """Rows of a step."""
        return self._code.places.layout.batch_size

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
        every: Callable[[], int] | None = None,
        steps: int | None = None,
    ) -> Iterator[Epochs]:
        """See `TrainingRunner`; state arrays are written when the iterator ends or is closed too.

        Raises:
            InputError: the validation data has another value for an input without rows.
        """
        end = None if steps is None else int(state["step"]) + steps
        most = max(1, min(MOST_EPOCHS, MOST_NUMBERS // self._code.places.layout.columns))
        for done in range(0, epochs, most):
            if done and stop():
                return
            some = min(most, epochs - done)
            last = done + some == epochs
            run = _Run(self, data, validation, state, some, ends=last, end=end)
            for finished in run.epochs_in_parts(every, stop):
                yield finished
                if finished.ended:
                    return
            if run.steps_left == 0:
                return

    def evaluate(self, data: Arrays, state: Arrays) -> Array:
        """See `TrainingRunner`."""
        memory = self.memory(data, data, state, 1)
        self.copy_in(memory)
        work = self.work(self.entries(memory).validate, memory)
        started = perf_counter()
        if self._threads == 1 and self._seconds * memory.rows < POLL_SECONDS:
            work(0)
        else:
            with self.crew(memory) as crew:
                crew.begin(work, last=True)
        self._seconds = (perf_counter() - started) / memory.rows
        memory.check()
        (record,) = memory.finished()
        assert record.validation is not None
        return np.asarray(record.validation[0])

    def crew(self, memory: RunMemory) -> Crew:
        """The threads of a run."""
        return Crew(self._threads, lambda: memory.ask_to_stop(True))

    def trainers(self, memory: RunMemory) -> Crew | Alone:
        """Who does the steps of one: all threads in step, where no clock tells who is late."""
        if self._threads == 1:
            return Alone(memory, self._taken)
        if clocked(host()):
            return Leader(memory, self._taken, self._threads)
        return self.crew(memory)

    def work(self, function: Function, memory: RunMemory) -> Work:
        """The function over the memory, for each thread, which keeps both as long as it may run."""
        given = (*memory.addresses, memory.job_address)

        def work(thread: int, _kept: object = (self, memory)) -> object:
            return function(*given, thread, self._threads)

        return work

    def train(self, memory: RunMemory) -> Work:
        """The loop."""
        return self.work(self.entries(memory).train, memory)

    def copy_in(self, memory: RunMemory) -> None:
        """The state, from its arrays into the arena."""
        self._copy(self.entries(memory).bind, memory)

    def copy_out(self, memory: RunMemory) -> None:
        """The state, back into its arrays."""
        self._copy(self.entries(memory).store, memory)
        memory.write_back()

    def _copy(self, function: Function, memory: RunMemory) -> None:
        arena, table = memory.addresses
        function(arena, table, self._code.places.layout.batch_size, 0, 1)


class NativeTraining(LoopRunner):
    """A loop in this process.

    `library` trains; what evaluates too may be made when it is first needed.
    """

    def __init__(
        self,
        code: LoopCode,
        library: Functions,
        threads: int,
        evaluating: Callable[[], Functions] | None = None,
    ) -> None:
        super().__init__(code, threads)
        self._outside = code.outside
        self._training = Entries(library)
        self._make = evaluating

    @cached_property
    def _evaluating(self) -> Entries:
        return self._training if self._make is None else Entries(self._make())

    def entries(self, memory: RunMemory) -> Entries:
        """See `LoopRunner`."""
        return self._evaluating if memory.validated else self._training

    def memory(
        self, data: Arrays, validation: Arrays | None, state: Arrays, epochs: int
    ) -> RunMemory:
        """See `LoopRunner`."""
        return RunMemory(self._code, data, validation, state, epochs, outside=self._outside)


class _Run:
    """So many epochs that their history fits into memory."""

    def __init__(
        self,
        training: LoopRunner,
        data: Arrays,
        validation: Arrays | None,
        state: Continued,
        epochs: int,
        *,
        ends: bool,
        end: int | None,
    ) -> None:
        self.training, self.state = training, state
        self.epochs, self.ends, self.end = epochs, ends, end
        self.memory = training.memory(data, validation, state, epochs)
        self.place = EpochPlace.of(state, self.memory.rows, training.batch_size)
        self.memory.go_on(self.place.sums(state, self.memory.numbers))
        if training.pace is not None:
            self.memory.pace[:] = training.pace

    @property
    def steps_left(self) -> int | None:
        """Until the last one that is asked for, if any is."""
        return None if self.end is None else self.end - int(self.state["step"])

    def epochs_in_parts(
        self, every: Callable[[], int] | None, stop: Callable[[], bool]
    ) -> Iterator[Epochs]:
        """After each part the state is written; without parts epochs come as they are finished."""
        memory, done = self.memory, 0
        self.training.copy_in(memory)
        try:
            with self.training.trainers(memory) as crew:
                work = self.training.train(memory)
                while not (self._is_over(done) or (done and stop())):
                    some = self.epochs - done
                    if every is not None:
                        some = min(every(), some)
                    done += some
                    self._plan(some, ends=self.ends and done == self.epochs)
                    memory.ask_to_stop(stop())
                    crew.begin(work, last=done == self.epochs)
                    running = True
                    while running:
                        running = not crew.finished(POLL_SECONDS)
                        memory.ask_to_stop(stop())
                        if every is None:
                            yield from memory.finished()
                    if every is not None:
                        self._write()
                    memory.check(self.place.step - self.place.first)
                    yield from memory.finished()
        finally:
            self._write()
            self.training.pace = memory.pace.copy()

    def _is_over(self, done: int) -> bool:
        """After so many epochs."""
        return done == self.epochs or self.memory.ended or self.steps_left == 0

    def _plan(self, epochs: int, *, ends: bool) -> None:
        self.place = EpochPlace.of(self.state, self.memory.rows, self.training.batch_size)
        seed = int(self.state["seed"])
        self.memory.plan_steps(self.place.first, epochs, seed, ends=ends, most=self.steps_left)

    def _write(self) -> None:
        self.training.copy_out(self.memory)
        self.place.note(self.state, self.memory.sums)
