"""One thread that does its steps some at a time, and looks up in between."""

from __future__ import annotations

import pytest
from tests.compiler.backends.llvm.visiting import rows_of_data, starting_state, visiting

from chainc.backends.llvm.host import alone
from chainc.backends.llvm.host.alone import Alone
from chainc.backends.llvm.host.memory import RunMemory

BATCH, STEPS, EPOCHS = 4, 10, 100


class Steps:
    """Time that passes as rows are visited, and which steps were done at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, held_out: int = 0) -> None:
        made, rows = visiting(BATCH, True), rows_of_data(BATCH * STEPS)
        others = rows_of_data(held_out) if held_out else None
        self.memory = RunMemory(made.code, rows, others, starting_state(), EPOCHS)
        self.memory.plan_steps(0, EPOCHS, 5)
        self.pieces: list[tuple[int, int, bool]] = []
        self.now = 0.0
        self.seconds = 0.0  # of a row
        monkeypatch.setattr(alone, "perf_counter", lambda: self.now)

    def work(self, _: int) -> None:
        first, last, _ends = self.memory.planned
        self.pieces.append(self.memory.planned)
        self.now += self.seconds * self.memory.rows_between(first, last)


def test_every_step_is_done_once_and_it_looks_up_often(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch)
    steps.seconds = 0.001 / BATCH
    with Alone(steps.memory) as thread:
        thread.begin(steps.work)
        while not thread.finished(0.1):
            pass
    assert [first for first, _, _ in steps.pieces[1:]] == [last for _, last, _ in steps.pieces[:-1]]
    assert (steps.pieces[0][0], steps.pieces[-1][1]) == (0, STEPS * EPOCHS)
    assert [ends for _, _, ends in steps.pieces] == [False] * (len(steps.pieces) - 1) + [True]
    counts = [last - first for first, last, _ in steps.pieces]
    assert counts[:2] == [1, 8]  # what one has taken says little of many
    assert 40 <= max(counts) <= 100
    assert len(counts) < 40


def test_rows_to_validate_on_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch, held_out=4000)
    steps.seconds = 0.0001
    with Alone(steps.memory) as thread:
        thread.begin(steps.work)
        while not thread.finished(0.1):
            pass
    assert max(last // STEPS - first // STEPS for first, last, _ in steps.pieces) == 1


def test_it_is_done_when_it_was_asked_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch)
    with Alone(steps.memory) as thread:
        thread.begin(steps.work)
        assert not thread.finished(0.1)
        steps.memory.ask_to_stop(True)
        assert thread.finished(0.1)
    assert steps.pieces[-1][1] < STEPS * EPOCHS
