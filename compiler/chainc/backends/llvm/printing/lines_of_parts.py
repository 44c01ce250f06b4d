"""Lines of LLVM text that know for which part of a kernel they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

PartOfLines = tuple[int | None, ...]  # for each line of a function


class LineOfPart(str):
    """A line that is for one part of its kernel."""

    __slots__ = ("part",)

    part: int


def for_part(lines: Sequence[str], part: int | None) -> Sequence[str]:
    """The lines, those that are for no part yet now for this one."""
    if part is None:
        return lines
    return [line if isinstance(line, LineOfPart) else _of_part(line, part) for line in lines]


def _of_part(line: str, part: int) -> LineOfPart:
    found = LineOfPart(line)
    found.part = part
    return found


def parts_of(lines: Iterable[str]) -> PartOfLines:
    """For each line the part that it is for; None where it serves the kernel as a whole."""
    return tuple(line.part if isinstance(line, LineOfPart) else None for line in lines)


def common_part(lines: Iterable[str]) -> int | None:
    """The part for which all lines of parts are, if it is one."""
    parts = {line.part for line in lines if isinstance(line, LineOfPart)}
    return parts.pop() if len(parts) == 1 else None
