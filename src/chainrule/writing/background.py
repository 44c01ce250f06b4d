"""Work that goes on beside the caller's, one piece at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Future


class Background:
    """A thread for one piece of work at a time; what it raises is raised where it is waited for."""

    def __init__(self) -> None:
        self._running: Future[None] | None = None

    def begin(self, work: Callable[[], None]) -> None:
        """Wait for the piece before, and begin this one."""
        from concurrent.futures import ThreadPoolExecutor  # slow to import, and seldom needed

        self.wait()
        executor = ThreadPoolExecutor(1)
        self._running = executor.submit(work)
        executor.shutdown(wait=False)  # its thread ends with the work

    def wait(self) -> None:
        """Until nothing is left to do."""
        running, self._running = self._running, None
        if running is not None:
            running.result()
