"""The page for who comes from elsewhere: how many lines each task takes, in each library."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from docs.programs import fences

PAGE = Path(__file__).parents[2] / "docs" / "coming_from.md"
TEXT = PAGE.read_text(encoding="utf-8")
MOST = (5, 9, 4, 8, 9)  # lines of Chainrule for the five tasks, in the order of the page
LIBRARIES = ("", "keras", "pytorch")


@dataclass(frozen=True)
class Task:
    """One task, as it is written for each library, by the mark of its fence."""

    programs: dict[str, str]

    def lines(self, library: str) -> int:
        """Statements, without imports: each is a line, however it is broken."""
        nodes = ast.walk(ast.parse(self.programs[library]))
        imports = (ast.Import, ast.ImportFrom)
        return sum(isinstance(node, ast.stmt) and not isinstance(node, imports) for node in nodes)


def tasks() -> list[Task]:
    """Where a program for Keras stands: the one for Chainrule before it, that for PyTorch after."""
    found = [fence for fence in fences(TEXT) if fence.language == "python"]
    pairs = zip(pairwise(found), found[2:], strict=False)
    return [
        Task({"": ours.text, "keras": keras.text, "pytorch": pytorch.text})
        for (ours, keras), pytorch in pairs
        if keras.mark == "keras"
    ]


def test_every_task_is_written_for_each_library() -> None:
    marks = re.findall(r"^```python (\w+)$", TEXT, re.M)
    assert marks == ["keras", "pytorch"] * len(MOST)
    assert len(tasks()) == len(MOST)


@pytest.mark.parametrize("task", range(len(MOST)))
def test_a_task_takes_no_more_lines_than_elsewhere(task: int) -> None:
    lines = {library: tasks()[task].lines(library) for library in LIBRARIES}
    assert lines[""] <= MOST[task]
    assert lines[""] <= lines["keras"] <= lines["pytorch"]


def test_the_table_counts_right() -> None:
    rows = re.findall(r"^\| \[.*?\| (\d+) \| (\d+) \| (\d+) \|$", TEXT, re.M)
    counted = [tuple(task.lines(library) for library in LIBRARIES) for task in tasks()]
    assert [tuple(map(int, row)) for row in rows] == counted
