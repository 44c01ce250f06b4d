"""When callbacks are called, with those that leave some calls out, and how seldom that is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.compiled.callbacks.calling import FinishedEpoch
from chainrule.compiled.callbacks.pace import FIRST, SHARE, Pace
from chainrule.compiled.callbacks.turns import Turns
from chainrule.compiled.state import write_state

X = np.ones((4, 2), np.float32)


class Noted:
    """A callback that does nothing."""

    def __init__(self, **attributes: int) -> None:
        vars(self).update(attributes)

    def __call__(self, epoch: FinishedEpoch) -> None:
        """Nothing."""


class Clock:
    """Time that passes when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr("time.perf_counter", lambda: self.now)


def calls(turns: Turns, until: int) -> list[int]:
    """After what numbers somebody is called, of a run that comes back only for that."""
    found, done = [], 0
    while (left := turns.left(done)) is not None and done + left <= until:
        done += left
        found.append(done)
        assert turns.taken(done)
    return found


def test_each_is_called_after_its_own_number() -> None:
    turns = Turns.after_epochs([Noted(every=3), Noted(every=5), Noted(every_steps=1)])
    assert calls(turns, 12) == [3, 5, 6, 9, 10, 12]
    assert Turns.after_steps([Noted(every_steps=4), Noted()], done=6).left(6) == 2
    assert Turns.after_steps([Noted()]).left(0) is None


def test_in_the_end_all_are_called() -> None:
    first, second = Noted(every=3), Noted(every=5)
    assert Turns.after_epochs([first, second]).taken(7, over=True) == [first, second]


def test_calls_are_left_out_unless_another_callback_might_end_the_run() -> None:
    seldom = Noted(every=2, left_out=3)
    assert calls(Turns.after_epochs([seldom]), 24) == [8, 16, 24]
    assert calls(Turns.after_epochs([seldom, Noted(every=7)]), 8) == [2, 4, 6, 7, 8]
    assert calls(Turns.after_epochs([seldom, Noted(every_steps=7)]), 8) == [2, 4, 6, 8]


def done_and_called(clock: Clock, seconds: float, apart: float) -> tuple[int, int]:
    """How often a thing of 5 ms is done that may be done so many seconds apart, and at how many."""
    pace, end, done, called = Pace(), clock.now + seconds, 0, 0
    while clock.now + apart * (1 + pace.left_out) <= end:
        clock.now += apart * (1 + pace.left_out)
        called += 1
        if pace.is_due():
            pace.doing()
            pace.took(0.005)
            done += 1
        pace.called()
    return done, called


def test_what_takes_long_is_done_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    done, called = done_and_called(clock, 20, 0.0001)
    assert 0.7 < done * 0.005 / (20 * SHARE) <= 1.1
    assert called < 10 * done
    assert done_and_called(clock, 0.9 * FIRST / SHARE, 0.0001)[0] == 0
    assert done_and_called(clock, 1000, 10) == (100, 100)


def test_a_single_file_of_short_epochs_is_written_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    def noted(state: cr.State, path: Path) -> None:
        written.append(int(state["step"]))
        write_state(state, path)

    monkeypatch.setattr("chainrule.compiled.callbacks.checkpoint.write_state", noted)
    x = cr.input("x", ("batch", 2))
    loss = cr.mean(cr.square(x * cr.parameter("w", (2,), 1.0)))
    declared = cr.training(optim.SGD(lr=0.01).minimize(loss), epochs=100_000, batch_size=2)
    path = tmp_path / "newest.safetensors"
    result = cr.compile(declared).run({"x": X}, callbacks=[cr.Checkpoint(path)], progress=False)
    assert len(written) < 1000
    assert all(step % 2 == 0 for step in written)
    assert cr.State.load(path) == result.state
