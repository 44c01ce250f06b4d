"""A long run: Ctrl-C ends it between two steps, and a bar or lines of text show how far it is."""

from __future__ import annotations

import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, cast

if TYPE_CHECKING:
    from tqdm import tqdm

DELAY = 1.0  # seconds of a run before there is a bar
SECONDS = 5.0  # between two lines, where there is no terminal to draw a bar on

Tick = Callable[[int, Mapping[str, float]], None]  # (epochs finished, latest values) -> None


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
def progress_bar(epochs: int, wanted: bool, rows: int = 0) -> Iterator[Tick]:
    """A bar in a terminal or a notebook, for runs longer than a second; elsewhere lines of text.

    Args:
        epochs: that there will be.
        wanted: else nothing is shown.
        rows: of an epoch, to show how many are trained on in a second.
    """
    if not wanted:
        yield lambda _finished, _latest: None
        return
    in_notebook = "IPython" in sys.modules and _is_widget(_bar())
    if not (in_notebook or sys.stderr.isatty()):
        yield Lines(epochs, rows)
        return
    bar = Bar(epochs, rows)
    try:
        yield bar
    finally:
        bar.close()


class Bar:
    """One that is drawn; it is made when it is shown, since `tqdm` takes a while to import."""

    def __init__(self, epochs: int, rows: int = 0) -> None:
        self.epochs = epochs
        self.rows = rows  # of an epoch
        self.done = 0
        self.start = time.monotonic()
        self.drawn: tqdm[NoReturn] | None = None

    def __call__(self, finished: int, latest: Mapping[str, float]) -> None:
        self.done += finished
        seconds = time.monotonic() - self.start
        if seconds < DELAY:
            return
        bar = self.drawn = self._made(seconds) if self.drawn is None else self.drawn
        shown = {name: f"{value:.4f}" for name, value in latest.items()}
        if self.rows:
            shown["rows/s"] = _rate(self.rows * self.done, seconds)
        bar.set_postfix(shown)
        bar.update(self.done - bar.n)

    def _made(self, seconds: float) -> tqdm[NoReturn]:
        """One that began so long ago."""
        bar = _bar()(total=self.epochs, unit="epoch", delay=DELAY)
        bar.start_t -= seconds
        bar.last_print_t -= seconds
        return bar

    def close(self) -> None:
        """What is drawn stays."""
        if self.drawn is not None:
            self.drawn.close()


class Lines:
    """A line each few seconds; nothing of a run that is over before the first."""

    def __init__(self, epochs: int, rows: int = 0) -> None:
        self.epochs = epochs
        self.rows = rows  # of an epoch
        self.finished = 0
        self.start = self.written = time.monotonic()

    def __call__(self, finished: int, latest: Mapping[str, float]) -> None:
        self.finished += finished
        now = time.monotonic()
        is_last = self.finished >= self.epochs and self.written > self.start
        if now - self.written < SECONDS and not is_last:
            return
        self.written = now
        values = "".join(f", {name} {value:.4f}" for name, value in latest.items())
        seconds = now - self.start
        speed = self._speed(seconds) if self.rows else ""
        sys.stderr.write(
            f"epoch {self.finished} of {self.epochs}{values}, {seconds:.0f} s{speed}\n"
        )
        sys.stderr.flush()

    def _speed(self, seconds: float) -> str:
        left = seconds * (self.epochs - self.finished) / max(self.finished, 1)
        return f", {left:.0f} s left, {_rate(self.rows * self.finished, seconds)} rows/s"


def _rate(rows: int, seconds: float) -> str:
    return f"{rows / max(seconds, 1e-9):,.0f}"


def _bar() -> type[tqdm[None]]:
    """A widget in a notebook that can show one, else the bar of a terminal."""
    if "IPython" not in sys.modules:
        from tqdm import tqdm

        return tqdm
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets it is the bar of a terminal
        from tqdm.auto import tqdm as chosen

    return cast("type[tqdm[None]]", chosen)


def _is_widget(kind: type[object]) -> bool:
    return any(base.__module__ == "tqdm.notebook" for base in kind.__mro__)
