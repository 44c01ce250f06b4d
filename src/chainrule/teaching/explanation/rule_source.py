"""The equation of a rule as it stands in its file."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from functools import lru_cache

from chainc.dataclass import dataclass
from chainc.ir.errors import Location

LONGEST = 60  # lines


@dataclass(frozen=True)
class RuleSource:
    """Lines of a file.

    Attributes:
        first: the number of the first line.
        lines: without their ends.
    """

    first: int
    lines: tuple[str, ...]

    def __str__(self) -> str:
        width = len(str(self.first + len(self.lines)))
        numbered = enumerate(self.lines, start=self.first)
        return "\n".join(f"{number:>{width}}  {line}".rstrip() for number, line in numbered)


@lru_cache(maxsize=256)
def source_at(location: Location) -> RuleSource | None:
    """The function around a line with its decorators; None where its file cannot be read."""
    lines = linecache.getlines(location.file)
    around = [part for part in _functions(lines) if location.line in part]
    if not around:
        return None
    innermost = min(around, key=len)
    shown = lines[innermost.start - 1 : innermost.stop - 1][:LONGEST]
    return RuleSource(innermost.start, tuple(line.rstrip() for line in shown))


def _functions(lines: list[str]) -> Iterator[range]:
    """The line numbers of every function."""
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:  # it was changed since it was imported
        return
    for part in ast.walk(tree):
        if isinstance(part, ast.FunctionDef):
            first = min([part.lineno, *(decorator.lineno for decorator in part.decorator_list)])
            yield range(first, (part.end_lineno or part.lineno) + 1)
