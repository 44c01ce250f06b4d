"""How far a run is: lines where there is no terminal, a bar on one, a widget in a notebook."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from tqdm import tqdm

from chainrule.writing import terminal
from chainrule.writing.terminal import progress_bar


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr("chainrule.writing.terminal.time.monotonic", lambda: self.now)


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_each_few_seconds_and_the_last(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    with progress_bar(10, wanted=True) as tick:
        for epoch in range(10):
            clock.now += 2
            tick(1, {"loss": 1 / (epoch + 1), "val_loss": 0.5})
    assert capsys.readouterr().err.splitlines() == [
        "epoch 3 of 10, loss 0.3333, val_loss 0.5000, 6 s",
        "epoch 6 of 10, loss 0.1667, val_loss 0.5000, 12 s",
        "epoch 9 of 10, loss 0.1111, val_loss 0.5000, 18 s",
        "epoch 10 of 10, loss 0.1000, val_loss 0.5000, 20 s",
    ]


def test_a_line_says_how_fast_and_for_how_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    with progress_bar(10, wanted=True, rows=5000) as tick:
        for _ in range(4):
            clock.now += 3
            tick(1, {"loss": 1.0})
    assert capsys.readouterr().err.splitlines() == [
        "epoch 2 of 10, loss 1.0000, 6 s, 24 s left, 1,667 rows/s",
        "epoch 4 of 10, loss 1.0000, 12 s, 18 s left, 1,667 rows/s",
    ]


def test_a_short_run_and_an_unwanted_bar_say_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    with progress_bar(2, wanted=True) as tick:
        tick(2, {"loss": 1.0})
    with progress_bar(2, wanted=False) as tick:
        clock.now += 60
        tick(2, {"loss": 1.0})
    assert capsys.readouterr() == ("", "")


def test_a_bar_is_there_after_a_second_and_counts_from_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    clock = Clock(monkeypatch)
    with progress_bar(4, wanted=True, rows=100) as tick:
        clock.now += 0.5
        tick(1, {"loss": 1.0})
        assert screen.getvalue() == ""
        clock.now += 1.5
        tick(1, {"loss": 0.5})
        assert "2/4 [00:02<00:02" in screen.getvalue()
        assert "rows/s=100" in screen.getvalue()


class Eager(tqdm):  # type: ignore[type-arg]
    """A bar that does not wait for a second."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "delay": 0})


class Widget(Eager):
    __module__ = "tqdm.notebook"


@pytest.mark.parametrize(("kind", "screen"), [(Eager, Screen()), (Widget, io.StringIO())])
def test_a_terminal_has_a_bar_and_a_notebook_a_widget(
    kind: type[Eager], screen: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setitem(sys.modules, "IPython", io)
    monkeypatch.setattr(terminal, "_bar", lambda: kind)
    clock = Clock(monkeypatch)
    with progress_bar(2, wanted=True, rows=500) as tick:
        clock.now += 2
        tick(2, {"loss": 1.0})
    assert "2/2" in screen.getvalue()
    assert "loss=1.0000" in screen.getvalue()
    assert "rows/s=500" in screen.getvalue()
