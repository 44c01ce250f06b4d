"""From which line of LLVM text each instruction of assembly comes: told by debug information.

The module is compiled a second time with its own line numbers as locations. These do not change
what is generated; where the two texts of a function differ all the same, nothing is said of it.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import field

from chainc.backends.llvm.machine_code.jit import assembly
from chainc.backends.llvm.machine_code.texts import defined, labelled
from chainc.backends.llvm.processors.processor import Processor
from chainc.dataclass import dataclass

_LOCATION = re.compile(r"\s*\.loc\s+\d+\s+(?P<line>\d+)")
_HEAD = """\
!llvm.module.flags = !{!0}
!llvm.dbg.cu = !{!1}
!0 = !{i32 2, !"Debug Info Version", i32 3}
!1 = distinct !DICompileUnit(language: DW_LANG_C99, file: !2, isOptimized: true, \
runtimeVersion: 0, emissionKind: LineTablesOnly)
!2 = !DIFile(filename: "module.ll", directory: "")
!3 = !DISubroutineType(types: !4)
!4 = !{}
"""
_FUNCTION = (
    'distinct !DISubprogram(name: "{name}", scope: !2, file: !2, line: {line}, type: !3, '
    "unit: !1, spFlags: DISPFlagDefinition)"
)
_FIRST_FREE = 5


def llvm_lines(
    text: str, plain: str, functions: Container[str], processor: Processor
) -> Mapping[int, int]:
    """The line of LLVM text for lines of assembly, both counted from 1.

    Args:
        text: the LLVM text.
        plain: its assembly.
        functions: names of those to be looked into.
        processor: for which the assembly is.
    """
    located = assembly(with_locations(text, functions), processor)
    wanted, told = _instructions(plain), _instructions(located)
    found: dict[int, int] = {}
    for name, ours in wanted.items():
        theirs = told.get(name, [])
        if [one.text for one in ours] != [one.text for one in theirs]:
            continue
        pairs = zip(ours, theirs, strict=True)
        found.update((one.number, other.location) for one, other in pairs if other.location)
    return found


def with_locations(text: str, functions: Container[str]) -> str:
    """The module with the number of each line as the location of what stands there."""
    printer = _Located(functions)
    lines = [printer.line(number, line) for number, line in enumerate(text.splitlines(), 1)]
    return "\n".join([*lines, _HEAD, *printer.entries, ""])


@dataclass
class _Located:
    functions: Container[str]
    entries: list[str] = field(default_factory=list)
    scope: str = ""  # of the function that is being written

    def line(self, number: int, line: str) -> str:
        name = defined(line)
        if name is not None and name in self.functions:
            self.scope = self._entry(_FUNCTION.format(name=name, line=number))
            return f"{line.removesuffix(' {')} !dbg {self.scope} {{"
        if line.startswith("}"):
            self.scope = ""
        if not self.scope or not line.startswith("  "):
            return line
        location = self._entry(f"!DILocation(line: {number}, column: 0, scope: {self.scope})")
        return f"{line}, !dbg {location}"

    def _entry(self, text: str) -> str:
        name = f"!{_FIRST_FREE + len(self.entries)}"
        self.entries.append(f"{name} = {text}")
        return name


@dataclass(frozen=True)
class _Instruction:
    """`number` is that of its line, `location` the line of LLVM text, 0 if that is not known."""

    number: int
    text: str
    location: int


def _instructions(text: str) -> Mapping[str, Sequence[_Instruction]]:
    """Of each function, without remarks."""
    found: dict[str, list[_Instruction]] = {}
    for name, instruction in _located_instructions(text):
        found.setdefault(name, []).append(instruction)
    return found


def _located_instructions(text: str) -> Iterator[tuple[str, _Instruction]]:
    name, location = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        label, told = labelled(line), _LOCATION.match(line)
        if label is not None:
            name, location = label, 0
        elif told:
            location = int(told["line"])
        elif line.startswith("\t") and not line.lstrip().startswith((".", "#")):
            yield name, _Instruction(number, line.partition("#")[0].strip(), location)
