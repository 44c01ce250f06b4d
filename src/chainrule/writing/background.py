"""Work that goes on beside the caller's, one piece at a time."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

PAUSE = 0.001  # seconds in which the caller goes back to compiled code, which needs no interpreter


class Background:
    """A thread for one piece of work at a time; what it raises is raised where it is waited for.

    A pool of Python's own would take no work when the main thread has ended.
    """

    def __init__(self) -> None:
        self._thread: Thread | None = None
        self._awaited = Event()
        self._failure: Exception | None = None

    def begin(self, work: Callable[[], None]) -> None:
        """Wait for the piece before, and begin this one in a moment."""
        self.wait()
        self._awaited.clear()
        self._thread = Thread(target=self._do, args=[work])
        self._thread.start()

    def wait(self) -> None:
        """Until nothing is left to do."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._awaited.set()
            thread.join()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _do(self, work: Callable[[], None]) -> None:
        self._awaited.wait(PAUSE)
        try:
            work()
        except Exception as error:  # for the thread that waits
            self._failure = error
