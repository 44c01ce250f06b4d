"""Calls of one function, on one thread or on all: on those on which it has been found quicker."""

from __future__ import annotations

import time
from collections.abc import Callable

FAR = 1 << 25  # bytes that a call reads or writes, which takes that long wherever they lie
LONG = 0.002  # seconds of a call that is worth starting threads for, which takes some 0.2 ms
SHORT = 0.1 * LONG  # of one that is not worth asking again
MOST = 64  # calls in one way, at most, after which the other is tried once more
SLOWER = 1.05  # times what was known, at most, is believed of a call: it may have been disturbed

Call = Callable[[int, int], object]  # of the number of a thread, of so many


class Sharing:
    """Of the calls of one function on one memory among so many threads at most.

    What it computes does not depend on how many there are, so every call may have another number.
    One that goes through much memory is taken for long before it is measured: first values are
    computed once, and it is their pages that take time.
    """

    def __init__(self, threads: int, nbytes: int = 0) -> None:
        self._threads = threads
        self._never = threads == 1
        self._shared = nbytes >= FAR  # the way that is quicker, as far as is known
        self._seconds: dict[bool, float] = {}  # of a call, if it is shared and if not
        self._wait = self._left = 1  # calls in this way between two trials of the other; until one

    def run(self, call: Call) -> None:
        """Call it, on one thread or on all."""
        if self._never:
            call(0, 1)
            return
        trial = self._left == 0
        shared = self._shared != trial
        started = time.perf_counter()
        if shared:
            self._run_together(call)
        else:
            call(0, 1)
        seconds = time.perf_counter() - started
        self._seconds[shared] = min(seconds, SLOWER * self._seconds.get(shared, seconds))
        self._choose(trial=trial)

    def _choose(self, *, trial: bool) -> None:
        alone = self._seconds.get(False)
        if alone is None:
            self._left = 0
            return
        self._never = alone < SHORT
        if alone < LONG:
            self._shared, self._left = False, 1
            return
        shared = self._seconds.get(True, alone) < alone
        if shared == self._shared and not trial:
            self._left -= 1
            return
        self._wait = min(2 * self._wait, MOST) if shared == self._shared else 1
        self._shared, self._left = shared, self._wait

    def _run_together(self, call: Call) -> None:
        # short calls never need it
        from chainc.backends.llvm.host.crew import POLL_SECONDS, Crew

        with Crew(self._threads, _let_finish) as crew:
            crew.begin(lambda thread: call(thread, self._threads), last=True)
            while not crew.finished(POLL_SECONDS):
                pass


def _let_finish() -> None:
    """A call that has begun comes to its end by itself, whatever its caller has met."""
