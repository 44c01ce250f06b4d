"""Work in a thread: one piece after the other, and what it raises comes to who waits."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

import chainrule as cr
from chainrule.writing.background import Background

LATE = """
import sys, threading
import numpy as np, chainrule as cr
from chainrule import optim

loss = cr.mean(cr.square(cr.input("x", ("batch",)) - cr.parameter("w", (), 0.0)))
program = cr.compile(cr.training(optim.SGD(0.1).minimize(loss), epochs=2, batch_size=4))
main = threading.current_thread()

def late():
    main.join()
    rows = {"x": np.ones(8, np.float32)}
    program.run(rows, callbacks=[cr.Checkpoint(sys.argv[1])], progress=False)

threading.Thread(target=late).start()
"""


def test_pieces_are_done_in_turn_beside_the_caller() -> None:
    background, go, done = Background(), threading.Event(), list[int]()

    def first() -> None:
        assert go.wait(30)
        done.append(1)

    background.begin(first)
    assert done == []
    go.set()
    background.begin(lambda: done.append(2))
    background.wait()
    background.wait()
    assert done == [1, 2]
    background.end()


def test_what_is_waited_for_before_it_has_begun_is_done_by_who_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chainrule.writing.background.PAUSE", 30)
    background, by = Background(), list[threading.Thread]()
    background.begin(lambda: by.append(threading.current_thread()))
    background.wait()
    assert len(by) == 1
    background.end()


def test_its_thread_serves_until_the_end_and_no_longer() -> None:
    background, before = Background(), threading.active_count()
    for _ in range(2):
        for _ in range(3):
            background.begin(lambda: None)
            assert threading.active_count() == before + 1
        background.end()
        assert threading.active_count() == before

    def fail() -> None:
        raise OSError("full")

    background.begin(fail)
    with pytest.raises(OSError, match="full"):
        background.end()
    assert threading.active_count() == before


def test_what_it_raises_is_raised_once() -> None:
    background, done = Background(), list[int]()

    def fail() -> None:
        raise OSError("full")

    background.begin(fail)
    with pytest.raises(OSError, match="full"):
        background.begin(lambda: done.append(1))
    background.begin(lambda: done.append(2))
    background.wait()
    assert done == [2]
    background.end()


def test_a_thread_saves_when_the_main_one_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "saved.safetensors"
    command = [sys.executable, "-c", LATE, str(path)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert finished.stderr == ""
    assert int(cr.State.load(path)["step"]) == 4
