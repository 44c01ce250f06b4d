"""Lines of LLVM text that know for which part of a kernel they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Marks = tuple[int | None, ...]  # for each line of a function


class MarkedLine(str):
    """A line that is for one part of its kernel."""

    __slots__ = ("part",)

    part: int


def marked(lines: Sequence[str], part: int | None) -> Sequence[str]:
    """The lines, those that are for no part yet now for this one."""
    if part is None:
        return lines
    return [line if isinstance(line, MarkedLine) else _marked(line, part) for line in lines]


def _marked(line: str, part: int) -> MarkedLine:
    found = MarkedLine(line)
    found.part = part
    return found


def marks(lines: Iterable[str]) -> Marks:
    """For each line the part that it is for; None where it serves the kernel as a whole."""
    return tuple(line.part if isinstance(line, MarkedLine) else None for line in lines)


def common_part(lines: Iterable[str]) -> int | None:
    """The part for which all marked lines are, if it is one."""
    parts = {line.part for line in lines if isinstance(line, MarkedLine)}
    return parts.pop() if len(parts) == 1 else None
