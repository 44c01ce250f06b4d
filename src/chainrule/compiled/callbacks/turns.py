"""Whose turn it is to be called, after so many epochs or steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.compiled.callbacks.calling import Callback

EPOCHS, STEPS = "every", "every_steps"  # attributes of a callback


@dataclass
class _Turn:
    """Of one callback: every so many epochs, or steps, and when it was called last."""

    callback: Callback
    every: int
    last: int

    @property
    def next(self) -> int:
        return (self.last // self.every + 1) * self.every

    @property
    def next_needed(self) -> int:
        """A later one, if there are some that it would leave out."""
        return self.next + int(getattr(self.callback, "left_out", 0)) * self.every


class Turns:
    """Of callbacks that are called after epochs, or of those that are called after steps.

    Where one might end the run, all the others are called each time, so that none has missed what
    came before the end.
    """

    def __init__(self, callbacks: Sequence[Callback], name: str, done: int) -> None:
        """Read the attribute `name` of each; so many are done before the first is called."""
        each = ((callback, _every_of(callback, name)) for callback in callbacks)
        self._turns = [_Turn(callback, every, done) for callback, every in each if every]
        self._leaves_out = all(hasattr(callback, "left_out") for callback in callbacks)

    @classmethod
    def after_epochs(cls, callbacks: Sequence[Callback]) -> Turns:
        """Those without `every_steps`."""
        return cls(callbacks, EPOCHS, 0)

    @classmethod
    def after_steps(cls, callbacks: Sequence[Callback], done: int = 0) -> Turns:
        """Those with it, counted from the first step of the training."""
        return cls(callbacks, STEPS, done)

    def left(self, done: int) -> int | None:
        """How many, after so many, until one is called; None if nobody ever is."""
        return min((self._next(turn) - done for turn in self._turns), default=None)

    def taken(self, done: int, *, over: bool = False) -> list[Callback]:
        """Whose turn it is after so many; all of them where the run is over."""
        found = [turn for turn in self._turns if over or self._next(turn) <= done]
        for turn in found:
            turn.last = done
        return [turn.callback for turn in found]

    def _next(self, turn: _Turn) -> int:
        return turn.next_needed if self._leaves_out else turn.next


def _every_of(callback: Callback, name: str) -> int | None:
    """After how many it is called; None of one that counts the others."""
    steps = getattr(callback, STEPS, None)
    if name == STEPS:
        return None if steps is None else int(steps)
    return int(getattr(callback, EPOCHS, 1)) if steps is None else None
