"""Reading assembly by LLVM's remarks: what stands in which loop, and what is laid aside there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from chainc.backends.llvm.processors.processor import Processor
from chainc.schedules.layout.machine import AVX2, AVX512

LINUX = "x86_64-unknown-linux-gnu"
PROCESSORS: Mapping[str, Processor] = {
    "avx512": Processor(LINUX, "x86-64-v4", "", AVX512),
    "avx2": Processor(LINUX, "x86-64-v3", "", AVX2),
}
VECTOR = 16  # bytes of the smallest

_SPILL = re.compile(r"(\d+)-byte (?:Folded )?(Spill|Reload)")
_CALL = re.compile(r'^\s+(?:callq?|jmpq?|bl?)\s+"?([A-Za-z_][^"\n\s@#]*)', re.M)
_INSTRUCTION = re.compile(r"\s+[a-z]")


@dataclass(frozen=True)
class Spill:
    """A register that is kept in memory for a while, or read back."""

    function: str
    bytes: int
    depth: int  # of the loop it is in; 0: none
    innermost: bool
    back: bool = field(default=False, compare=False)  # is it read?


@dataclass
class Loop:
    """An innermost loop: how many instructions, and what is kept in memory meanwhile."""

    function: str
    depth: int
    instructions: int = 0
    aside: int = 0  # vectors that are laid aside in each pass,
    back: int = 0  # and read again: without the former, an operand in memory, as constants are
    text: list[str] = field(default_factory=list, repr=False)

    @property
    def share(self) -> float:
        """Of the instructions, those that lay vectors aside or read them again."""
        return (self.aside + self.back) / self.instructions if self.aside else 0.0


@dataclass(frozen=True)
class _Line:
    """Of assembly, and the loop that it is in: its header's name, and 0 outside of all."""

    text: str
    function: str
    header: str
    depth: int
    innermost: bool


def _lines(text: str) -> Iterator[_Line]:
    """From LLVM's remarks in the assembly: `# in Loop: Header=BB3_4 Depth=2`."""
    innermost = set(re.findall(r"^\.L(BB\d+_\d+):.*?This Inner Loop Header", _joined(text), re.M))
    function, header, depth = "", "", 0
    for line in text.splitlines():
        if begun := re.match(r'"?([\w./ -]+)"?:\s+# @', line):
            function, header, depth = begun[1], "", 0
        if block := re.match(r"(?:\.L(BB\d+_\d+):|# %bb\.\d+:)", line):
            header, depth = block[1] or "", 0
        if inside := re.search(r"in Loop: Header=(BB\d+_\d+) Depth=(\d+)", line):
            header, depth = inside[1], int(inside[2])
        if own := re.search(r"=>\s*This (?:Inner )?Loop Header: Depth=(\d+)", line):
            depth = int(own[1])
        yield _Line(line, function, header, depth, header in innermost)


def _joined(text: str) -> str:
    """Remarks that go on over several lines, on one."""
    return re.sub(r"\n\s+#", " #", text)


def spills(text: str) -> Iterator[Spill]:
    """From LLVM's remarks in the assembly: `# 64-byte Spill`."""
    for line in _lines(text):
        if found := _SPILL.search(line.text):
            size, back = int(found[1]), found[2] == "Reload"
            yield Spill(line.function, size, line.depth, line.innermost, back)


def innermost_loops(text: str) -> list[Loop]:
    """Those that no other loop is in."""
    loops: dict[tuple[str, str], Loop] = {}
    for line in _lines(text):
        if not line.depth or not line.innermost:
            continue
        loop = loops.setdefault((line.function, line.header), Loop(line.function, line.depth))
        loop.instructions += bool(_INSTRUCTION.match(line.text))
        loop.text.append(line.text)
        if (found := _SPILL.search(line.text)) and int(found[1]) >= VECTOR:
            loop.aside += found[2] == "Spill"
            loop.back += found[2] == "Reload"
    return list(loops.values())


def called_outside(text: str) -> set[str]:
    """The functions that are called and are not of this module; some are of it."""
    defined = set(re.findall(r'^"?([^\s".#/][^"\n]*?)"?:\s+(?:#|//) @', text, re.M))
    called = set(_CALL.findall(text))
    assert called & defined
    return called - defined
