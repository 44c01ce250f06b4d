"""Generated code line by line, with the kernels that each line is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chainc.loops import Kernel


@dataclass(frozen=True)
class Line:
    """One line; `kernels` is empty where it is for the program as a whole."""

    text: str
    kernels: tuple[Kernel, ...] = ()


@dataclass(frozen=True)
class Listing:
    """A text of generated code."""

    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        return text_of(self.lines)


def text_of(lines: Sequence[Line]) -> str:
    return "\n".join(line.text for line in lines)
