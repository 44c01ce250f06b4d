"""Threads that wait for work together: what a run calls again and again is not started again."""

from __future__ import annotations

import _thread
import ctypes
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from queue import Empty, SimpleQueue
from types import TracebackType

POLL_SECONDS = 0.05  # how often whoever waits for it looks up

Work = Callable[[int], object]  # of the number of a thread


class Crew:
    """So many threads, which all begin a piece of work or none: they wait for each other in it.

    In the end, whatever happens, they have all returned from it; `abandon` is called first if it is
    an error that ends them, so that they do. An interrupt may come between any two instructions:
    work is begun when it is in the list of all, and what wakes a thread, or says that it is done,
    may be told twice. Where one comes too early for `__exit__`, a crew that nobody has any more is
    told to leave.

    A run of few steps notices how long it takes to start them and to let them go, so their caller
    waits for neither: `threading.Thread` would wait until each has begun.
    """

    def __init__(self, count: int, abandon: Callable[[], None]) -> None:
        self._told = _Told(count)
        self._abandon = abandon

    def __enter__(self) -> Crew:
        for number in range(len(self._told.calls)):
            _thread.start_new_thread(self._told.wait, (number,))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._dismiss(early=kind is not None)
        except BaseException:  # an interrupt, here too
            self._dismiss(early=True)
            raise
        if self._told.failed and kind is None:
            raise self._told.failed[0]

    def __del__(self) -> None:
        if not self._told.idle:
            self._abandon()
        self._told.leave()

    def begin(self, work: Work, *, last: bool = False) -> None:
        """On every thread; after the last work they do not sleep once more to be dismissed."""
        self._told.work.append(work)
        self._told.over = last
        self._told.call()

    def finished(self, seconds: float) -> bool:
        """Waits so long at most; has every thread returned from its work?

        What one of them has raised, this raises.
        """
        told = self._told
        with suppress(Empty):
            while not told.idle:
                told.answers.get(timeout=seconds)
        if told.failed:
            raise told.failed[0]
        return told.idle

    def _dismiss(self, *, early: bool) -> None:
        """They leave as soon as they have nothing more to do."""
        if early:
            self._abandon()
        self._told.leave()
        while not self._told.idle:
            with suppress(Empty):
                self._told.answers.get(timeout=POLL_SECONDS)


class _Told:
    """What the threads know, and say: all that they hold of their crew."""

    def __init__(self, count: int) -> None:
        self.calls: list[SimpleQueue[None]] = [SimpleQueue() for _ in range(count)]
        self.work: list[Work] = []  # that was ever given, in order
        self.over = False
        self.answers: SimpleQueue[None] = SimpleQueue()  # whenever a thread has done a piece of it
        self.failed: list[BaseException] = []
        self._done = [0] * count  # pieces, by each thread
        self._cores = cores_from_here() if count > 1 else ()

    @property
    def idle(self) -> bool:
        """Has each thread done all?"""
        return min(self._done) == len(self.work)

    def call(self) -> None:
        """There may be something new."""
        for call in self.calls:
            call.put(None)

    def leave(self) -> None:
        """There is nothing new any more."""
        self.over = True
        self.call()

    def wait(self, number: int) -> None:
        """For calls: a thread of this number."""
        while True:
            self.calls[number].get()
            while self._done[number] < len(self.work):
                move_to_core(number, self._cores)
                try:
                    self.work[self._done[number]](number)
                except BaseException as error:
                    self.failed.append(error)
                self._done[number] += 1
                self.answers.put(None)
            if self.over:
                return


def cores_from_here() -> Sequence[int]:
    """That the system lets threads run on, from that of the calling thread on."""
    if sys.platform != "linux":
        return ()
    cores = sorted(os.sched_getaffinity(0))
    here = _core_of_caller()()
    first = cores.index(here) if here in cores else 0
    return cores[first:] + cores[:first]


@cache
def _core_of_caller() -> Callable[[], int]:
    """The function of the C library, or what says that nobody knows."""
    try:
        found: Callable[[], int] = ctypes.CDLL(None).sched_getcpu
    except (OSError, AttributeError):
        return lambda: -1
    return found


def move_to_core(thread: int, cores: Sequence[int]) -> None:
    """Move the calling thread to a core of its own, where the system lets it stay or moves it on.

    Threads that begin at the same moment may all begin on one core, and wait there for each other
    until the system spreads them, which takes up to a second. So may those that awake: where the
    caller has computed just before, its core counts as busy for some 30 ms. The first takes that,
    for the caller sleeps meanwhile, and another may have a program of its own on it.
    """
    if cores:
        with suppress(OSError):  # a sandbox that forbids it runs as well, only later at full speed
            os.sched_setaffinity(0, {cores[thread % len(cores)]})
            os.sched_setaffinity(0, cores)
