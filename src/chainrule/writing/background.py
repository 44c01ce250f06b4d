"""Work that goes on beside the caller's, one piece at a time."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Event, Thread

PAUSE = 0.001  # seconds in which the caller goes back to compiled code, which needs no interpreter

Work = Callable[[], None]


class Background:
    """A thread for one piece of work at a time; what it raises is raised where it is waited for.

    What is waited for before it has begun is done by who waits. A pool of Python's own would take
    no work when the main thread has ended.
    """

    def __init__(self) -> None:
        self._begun: SimpleQueue[Work] = SimpleQueue()
        self._done: SimpleQueue[Exception | None] = SimpleQueue()
        self._calls: SimpleQueue[bool] = SimpleQueue()  # to the thread: is there work?
        self._awaited = Event()
        self._thread: Thread | None = None  # from the first piece of work to the end
        self._busy = False

    def begin(self, work: Work) -> None:
        """Wait for the piece before, and begin this one in a moment."""
        self.wait()
        if self._thread is None:
            self._thread = Thread(target=self._serve)
            self._thread.start()
        self._awaited.clear()
        self._busy = True
        self._begun.put(work)
        self._calls.put(True)

    def wait(self) -> None:
        """Until nothing is left to do."""
        if not self._busy:
            return
        self._awaited.set()
        self._work()
        failure = self._done.get()
        self._busy = False
        if failure is not None:
            raise failure

    def end(self) -> None:
        """Wait, and let the thread go; the next piece of work has another."""
        try:
            self.wait()
        finally:
            if self._thread is not None:
                self._calls.put(False)
                self._thread.join()
                self._thread = None

    def _serve(self) -> None:
        while self._calls.get():
            self._awaited.wait(PAUSE)
            self._work()

    def _work(self) -> None:
        """Do what nobody else has taken."""
        failure: Exception | None = None
        try:
            work = self._begun.get_nowait()
        except Empty:
            return
        try:
            work()
        except Exception as error:  # for who waits
            failure = error
        self._done.put(failure)
