"""A limit of time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from chainrule.compiled.callbacks.calling import FinishedEpoch
from chainrule.declare.arguments import number

__all__ = ["TimeLimit"]


@dataclass
class TimeLimit:
    """Ends the run after the epoch in which so many seconds have passed.

    Raises:
        InputError: the number is not positive.
    """

    seconds: float
    _start: float = field(default=0.0, init=False, repr=False)

    def __post_init__(self) -> None:
        number("TimeLimit", "seconds", self.seconds, above=0, hint="give seconds, such as 60")

    def begin(self) -> None:
        """See `Callback`."""
        self._start = time.monotonic()

    def __call__(self, epoch: FinishedEpoch) -> bool:
        """Is the time over?"""
        return time.monotonic() - self._start >= self.seconds
