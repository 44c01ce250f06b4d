"""Threads that wait for work together: what a run calls again and again is not started again."""

from __future__ import annotations

import _thread
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import TracebackType

POLL_SECONDS = 0.05  # how often whoever waits for it looks up

Work = Callable[[int], object]  # of the number of a thread


class Crew:
    """So many threads, which all begin a piece of work or none: they wait for each other in it.

    In the end, whatever happens, they have all returned from it; `abandon` is called first if it is
    an error that ends them, so that they do.

    A run of few steps notices how long it takes to start them and to let them go, so their caller
    waits for neither: `threading.Thread` would wait until each has begun.
    """

    def __init__(self, count: int, abandon: Callable[[], None]) -> None:
        self._tasks: list[SimpleQueue[Work | None]] = [SimpleQueue() for _ in range(count)]
        self._done: SimpleQueue[int] = SimpleQueue()
        self._busy = 0
        self._abandon = abandon
        self._failed: list[Exception] = []
        self._cores = _cores() if count > 1 else ()

    def __enter__(self) -> Crew:
        try:
            for number in range(len(self._tasks)):
                _thread.start_new_thread(self._wait, (number,))
        except BaseException:
            self._dismiss()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._abandon()
        self._dismiss()
        if self._failed and kind is None:
            raise self._failed[0]

    def begin(self, work: Work, *, last: bool = False) -> None:
        """On every thread; after the last work they do not sleep once more to be dismissed."""
        self._busy = len(self._tasks)
        for task in self._tasks:
            task.put(work)
            if last:
                task.put(None)

    def finished(self, seconds: float) -> bool:
        """Waits so long at most; has every thread returned from its work?

        What one of them has raised, this raises.
        """
        with suppress(Empty):
            while self._busy:
                self._done.get(timeout=seconds)
                self._busy -= 1
        if self._failed:
            raise self._failed[0]
        return not self._busy

    def _wait(self, number: int) -> None:
        while (work := self._tasks[number].get()) is not None:
            _move_to_core(number, self._cores)
            try:
                work(number)
            except Exception as error:
                self._failed.append(error)
            self._done.put(number)

    def _dismiss(self) -> None:
        """They leave as soon as they have nothing more to do."""
        for task in self._tasks:
            task.put(None)
        while self._busy:
            self._done.get()
            self._busy -= 1


def _cores() -> Sequence[int]:
    """That the system lets threads run on."""
    return sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else ()


def _move_to_core(thread: int, cores: Sequence[int]) -> None:
    """Move the calling thread to a core of its own, where the system lets it stay or moves it on.

    Threads that begin at the same moment may all begin on one core, and wait there for each other
    until the system spreads them, which takes up to a second. So may those that awake: where the
    caller has computed just before, its core counts as busy for some 30 ms.
    """
    if cores:
        with suppress(OSError):  # a sandbox that forbids it runs as well, only later at full speed
            os.sched_setaffinity(0, {cores[thread % len(cores)]})
            os.sched_setaffinity(0, cores)
