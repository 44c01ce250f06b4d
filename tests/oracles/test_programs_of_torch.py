"""The programs for PyTorch on the page for who comes from it run, where it is installed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from docs.programs import Fence, fences

pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

PAGE = Path(__file__).parents[2] / "docs" / "coming_from.md"
FENCES = list(fences(PAGE.read_text(encoding="utf-8")))
DATA = next(fence for fence in FENCES if fence.is_program)
PROGRAMS = [fence for fence in FENCES if fence.mark == "pytorch"]


def of_few_epochs(program: str) -> str:
    return re.sub(r"\b(range|fit)\(\d+\)", r"\1(2)", program)


@pytest.mark.parametrize("fence", PROGRAMS, ids=lambda fence: f"line {fence.line}")
def test_it_runs(fence: Fence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for text in (DATA.text, of_few_epochs(fence.text)):
        exec(compile(text, PAGE.name, "exec"), names)
    given = {"labels", "predicted", "found", "parts"} & set(names)
    assert given
