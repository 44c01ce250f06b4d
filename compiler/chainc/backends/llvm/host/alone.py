"""The caller's own thread at work, alone or with others that it calls.

Compiled code knows of no signals and Python's are looked at in between, so it comes back now and
then: how many steps it does until then follows from what those before have taken.
"""

from __future__ import annotations

import _thread
import os
from contextlib import suppress
from time import perf_counter
from types import TracebackType

from chainc.backends.llvm.host.crew import Work, cores_from_here, move_to_core
from chainc.backends.llvm.host.memory import RunMemory
from chainc.dataclass import dataclass

GROWTH = 8  # times as many steps as the last time, at most: others may take longer
CAUTION = 0.5  # of the time that it may take: the end of an epoch may take longer than its rows


@dataclass
class Taken:
    """What is known of the steps of a program: those of the last piece, and seconds a row."""

    steps: int = 0
    seconds: float = 0.0


class Alone:
    """What a `Crew` of one does, without a thread for it."""

    def __init__(self, memory: RunMemory, taken: Taken | None = None) -> None:
        self._memory = memory
        self._taken = Taken() if taken is None else taken
        self._first = self._last = 0

    def __enter__(self) -> Alone:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """There is nobody to dismiss."""

    def begin(self, work: Work, *, last: bool = False) -> None:
        """The steps that are planned; none of them is done yet."""
        self._work = work
        self._first, self._last, self._ends = self._memory.planned

    def finished(self, seconds: float) -> bool:
        """Do some of them, for about so long at most; are all done, or was it asked to stop?"""
        memory, first = self._memory, self._first
        steps = min(self._steps_in(CAUTION * seconds), self._last - first)
        self._first = first + steps
        is_last = self._first == self._last
        memory.plan_piece(first, self._first, ends=self._ends and is_last)
        started = perf_counter()
        self._work(0)
        self._taken.steps = steps
        taken = perf_counter() - started
        self._taken.seconds = taken / memory.rows_between(first, self._first)
        return is_last or memory.stopped

    def _steps_in(self, seconds: float) -> int:
        """How many may take so long, as far as is known; one at least."""
        if not self._taken.steps:
            return 1
        rows = seconds / max(self._taken.seconds, 1e-12)
        return max(1, min(GROWTH * self._taken.steps, int(rows / self._memory.rows_of_step)))


class Leader(Alone):
    """The same with others beside it, which follow the calls of the code while they are awake.

    It waits for none of them, neither in the beginning nor in the end: one that the system lets
    wait, or cannot start, is not called, and one that comes when all is done finds that. They hold
    whatever they read, so it stays as long as they do. Where an interrupt comes too early for
    `__exit__`, they leave when nobody has their leader any more.
    """

    def __init__(self, memory: RunMemory, taken: Taken, threads: int) -> None:
        super().__init__(memory, taken)
        self._threads = threads
        self._process = os.getpid()
        self._others = _Others()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._dismiss()

    def __del__(self) -> None:
        self._dismiss()

    def begin(self, work: Work, *, last: bool = False) -> None:
        """See `Alone`."""
        super().begin(work)
        if not self._others.begun:
            self._others.begun = True
            with suppress(RuntimeError):  # there can be no more threads
                for number in range(1, self._threads):
                    _thread.start_new_thread(self._others.follow, (number, work))

    def finished(self, seconds: float) -> bool:
        """See `Alone`."""
        if os.getpid() != self._process:  # that has the threads; here there is a copy of its memory
            self._process = os.getpid()
            self._memory.forget_threads()
        return super().finished(seconds)

    def _dismiss(self) -> None:
        """After a piece of no steps: each wakes once more at least since it is over."""
        self._others.over = True
        if self._others.begun and not self._others.dismissed:
            _, last, _ = self._memory.planned
            self._memory.plan_piece(last, last, ends=False)
            self._work(0)
            self._others.dismissed = True


class _Others:
    """The threads that follow, and all that they hold of their leader."""

    def __init__(self) -> None:
        self.begun = self.over = self.dismissed = False
        self._cores = cores_from_here()

    def follow(self, number: int, work: Work) -> None:
        """Each piece ends with a call to nothing: then the next one is waited for."""
        move_to_core(number, self._cores)
        while not self.over:
            work(number)
