"""How seldom a thing is done so that it takes a small share of the time."""

from __future__ import annotations

import math
import time

SHARE = 0.005  # of the time, at most
FIRST = 0.001  # seconds that it is taken to take until it has been done once
MORE = 4  # times as many calls are left out as before, at most: they may come more slowly then


class Pace:
    """Of something that may be done at each call, and is done at some of them only.

    Attributes:
        left_out: calls after the last one at which it would not be done.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """From now on: the time before counts no more."""
        self.left_out = 0
        self._seconds = FIRST
        self._done = self._called = time.perf_counter()

    def is_due(self) -> bool:
        """Has enough time passed?"""
        return self._wait(time.perf_counter()) <= 0

    def doing(self) -> None:
        """It is done now."""
        self._done = time.perf_counter()

    def took(self, seconds: float) -> None:
        """So long, of the time of whoever waits for it or is slowed down by it."""
        self._seconds = seconds

    def called(self) -> None:
        """A call is over: find out how many more there may be until it is due."""
        now = time.perf_counter()
        between = max(now - self._called, 1e-9) / (1 + self.left_out)
        most = MORE * (1 + self.left_out) - 1
        self.left_out = max(0, min(most, math.ceil(self._wait(now) / between) - 1))
        self._called = now

    def _wait(self, now: float) -> float:
        return self._done + self._seconds / SHARE - now
