"""Generated code line by line, with the parts of kernels that each line is for."""

from __future__ import annotations

from collections.abc import Sequence

from chainc.dataclass import dataclass
from chainc.lowering.parts import Part


@dataclass(frozen=True)
class Line:
    """One line; `parts` is empty where it is for the program as a whole.

    Neighbouring lines that are for the same share one tuple.
    """

    text: str
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Listing:
    """A text of generated code."""

    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        return text_of(self.lines)


def text_of(lines: Sequence[Line]) -> str:
    return "\n".join(line.text for line in lines)
