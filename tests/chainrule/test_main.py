"""The console command."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from chainc.passes import PIPELINE
from chainrule.__main__ import main

MODEL = """
import chainrule as cr

x = cr.input("x", ("batch", 4))
loss = cr.mean(cr.tanh(x))
number = 3
compiled = cr.compile(loss)
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.py"
    path.write_text(MODEL)
    return path


def test_draw_writes_a_picture(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = model.with_name("loss.svg")
    assert main(["draw", f"{model}:loss", "-o", str(target)]) == 0
    assert ElementTree.parse(target).getroot().tag.endswith("svg")
    assert str(target) in capsys.readouterr().out


@pytest.mark.parametrize("name", ["loss", "compiled"])
def test_text_prints_the_graph(model: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["text", f"{model}:{name}"]) == 0
    assert "tanh(" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("{model}:nothing", r"declares no .nothing..*one of its graphs: x, loss, compiled"),
        ("{model}:number", r"is a int, which has no graph"),
        ("absent.py:loss", r"names no file"),
        ("loss", r"names no file"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_explained(
    model: Path, what: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["draw", what.format(model=model)]) == 1
    assert re.search(message, capsys.readouterr().err, re.DOTALL)


def test_demo_trains_and_leaves_its_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    assert main(["demo", "--epochs", "2", "--out", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "val_accuracy" in out
    names = {path.name for path in folder.iterdir()}
    assert {"gradient.svg", "model.svg", "program.py", "state.safetensors"} <= names
    assert {"backprop.html", "derivation.md", "explain.html"} <= names
    assert all(name in out for name in names if not name.endswith(".svg"))
    assert "digits.py:" in (folder / "backprop.html").read_text(encoding="utf-8")
    assert sum(name.startswith("stage-") for name in names) == len(PIPELINE) + 1
    for path in folder.glob("*.svg"):
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_help_shows_examples() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "chainrule", "--help"], capture_output=True, text=True, check=True
    )
    assert "chainrule draw model.py:loss" in done.stdout
