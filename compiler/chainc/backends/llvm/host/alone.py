"""The caller's own thread at work: for one alone there is no other to start and to wake.

Compiled code knows of no signals and Python's are looked at in between, so it comes back now and
then: how many steps it does until then follows from what those before have taken.
"""

from __future__ import annotations

from time import perf_counter
from types import TracebackType

from chainc.backends.llvm.host.crew import Work
from chainc.backends.llvm.host.memory import RunMemory

GROWTH = 8  # times as many steps as the last time, at most: others may take longer
CAUTION = 0.5  # of the time that it may take: the end of an epoch may take longer than its rows


class Alone:
    """What a `Crew` of one does, without a thread for it."""

    def __init__(self, memory: RunMemory) -> None:
        self._memory = memory
        self._steps = 0  # of the last piece
        self._seconds = 0.0  # a row, in that
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
        self._steps = steps
        self._seconds = (perf_counter() - started) / memory.rows_between(first, self._first)
        return is_last or memory.stopped

    def _steps_in(self, seconds: float) -> int:
        """How many may take so long, as far as is known; one at least."""
        if not self._steps:
            return 1
        rows = seconds / max(self._seconds, 1e-12)
        return max(1, min(GROWTH * self._steps, int(rows / self._memory.rows_of_step)))
