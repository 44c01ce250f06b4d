"""Threads that wait for work together: what a run calls again and again is not started again."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import TracebackType

POLL_SECONDS = 0.05  # how often whoever waits for it looks up

Work = Callable[[int], object]  # of the number of a thread


class Crew:
    """So many threads, which all begin a piece of work or none: they wait for each other in it.

    In the end, whatever happens, they have all returned; `abandon` is called first if it is an
    error that ends them, so that they do.
    """

    def __init__(self, count: int, abandon: Callable[[], None]) -> None:
        self._tasks: list[SimpleQueue[Work | None]] = [SimpleQueue() for _ in range(count)]
        self._done: SimpleQueue[int] = SimpleQueue()
        self._busy = 0
        self._abandon = abandon
        self._threads: list[threading.Thread] = []
        self._failed: list[Exception] = []

    def __enter__(self) -> Crew:
        try:
            for number in range(len(self._tasks)):
                thread = threading.Thread(target=self._wait, args=(number,))
                thread.start()
                self._threads.append(thread)
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

    def begin(self, work: Work) -> None:
        """On every thread."""
        self._busy = len(self._tasks)
        for task in self._tasks:
            task.put(work)

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
            if len(self._tasks) > 1:
                _move_to_core(number)
            try:
                work(number)
            except Exception as error:
                self._failed.append(error)
            self._done.put(number)

    def _dismiss(self) -> None:
        for task in self._tasks:
            task.put(None)
        for thread in self._threads:
            thread.join()


def _move_to_core(thread: int) -> None:
    """Move the calling thread to a core of its own, where the system lets it stay or moves it on.

    Threads that begin at the same moment may all begin on one core, and wait there for each other
    until the system spreads them, which takes up to a second. So may those that awake: where the
    caller has computed just before, its core counts as busy for some 30 ms.
    """
    if sys.platform != "linux":
        return
    cores = os.sched_getaffinity(0)
    with suppress(OSError):  # a sandbox that forbids it runs as well, only later at full speed
        os.sched_setaffinity(0, {sorted(cores)[thread % len(cores)]})
        os.sched_setaffinity(0, cores)
