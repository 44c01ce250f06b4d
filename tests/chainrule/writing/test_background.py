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


def test_a_thread_saves_when_the_main_one_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "saved.safetensors"
    command = [sys.executable, "-c", LATE, str(path)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert finished.stderr == ""
    assert int(cr.State.load(path)["step"]) == 4
