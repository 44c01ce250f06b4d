"""Rules as they stand in their files."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainc.ir.errors import Location
from chainrule.teaching.explanation.rule_source import LONGEST, source_at

TEXT = """\
import math


@rule.exact(
    at=[1]
)
def doubled(x):
    def inner():
        return 2
    return inner() * x


other = doubled(1)
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "rules.py"
    path.write_text(TEXT, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("line", [4, 7, 10])
def test_a_function_is_shown_with_its_decorators(file: str, line: int) -> None:
    found = source_at(Location(file, line))
    assert found is not None
    assert str(found).split("\n") == [
        " 4  @rule.exact(",
        " 5      at=[1]",
        " 6  )",
        " 7  def doubled(x):",
        " 8      def inner():",
        " 9          return 2",
        "10      return inner() * x",
    ]


def test_the_innermost_function_is_shown(file: str) -> None:
    found = source_at(Location(file, 9))
    assert found is not None
    assert (found.first, len(found.lines)) == (8, 2)


def test_a_long_function_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "long.py"
    path.write_text("def f():\n" + "    pass\n" * 500, encoding="utf-8")
    found = source_at(Location(str(path), 3))
    assert found is not None
    assert len(found.lines) == LONGEST


@pytest.mark.parametrize("text", ["x = 1\n", "def broken(:\n", ""])
def test_what_is_in_no_function_has_no_source(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.py"
    path.write_text(text, encoding="utf-8")
    assert source_at(Location(str(path), 1)) is None
    assert source_at(Location(str(tmp_path / "missing.py"), 1)) is None
