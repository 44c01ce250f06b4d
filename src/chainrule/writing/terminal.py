"""A long run in a terminal: Ctrl-C ends it between two steps, and a bar shows how far it is."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Ctrl-C sets a flag that the loop polls before every step, so the state stays consistent."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped.is_set
        return

    def set_flag(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()

    previous = signal.signal(signal.SIGINT, set_flag)
    try:
        yield stopped.is_set
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def progress_bar(epochs: int, wanted: bool) -> Iterator[Callable[[int, Mapping[str, float]], None]]:
    """A progress bar on a terminal, for runs longer than a second."""
    from tqdm import tqdm

    with tqdm(total=epochs, unit="epoch", delay=1, disable=None if wanted else True) as bar:

        def tick(finished: int, latest: Mapping[str, float]) -> None:
            bar.set_postfix({name: f"{value:.4f}" for name, value in latest.items()})
            bar.update(finished)

        yield tick
