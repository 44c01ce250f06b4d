"""The texts of machine code, line by line: each kernel is a function of its own in all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from chainc.backends.c.file import CFile
from chainc.backends.listing import Line, Listing
from chainc.backends.llvm.machine_code.texts import defined, labelled
from chainc.backends.llvm.printing.lines_of_parts import PartOfLines
from chainc.backends.llvm.printing.module import KernelUse
from chainc.backends.llvm.printing.nest import parts_of_lines
from chainc.loops.language import Nest, Routine
from chainc.loops.routine_text import routine_lines
from chainc.loops.text import nest_lines
from chainc.lowering.parts import Part

Uses = Mapping[str, Sequence[KernelUse]]  # by function

_CLOSING = re.compile("}")
_END_LABEL = re.compile(r"\.Lfunc_end")


class _Function:
    """The parts for which lines of one function are; equal ones are one tuple."""

    def __init__(self, uses: Sequence[KernelUse]) -> None:
        self._uses = uses
        self._known: dict[tuple[int | None, ...], tuple[Part, ...]] = {}

    @cached_property
    def _parts_by_use(self) -> Sequence[PartOfLines]:
        return [parts_of_lines(use.nest, inlines=use.function.inlines) for use in self._uses]

    def all(self) -> tuple[Part, ...]:
        return self._parts((None,) * len(self._uses))

    def numbered(self, number: int | None) -> tuple[Part, ...]:
        """What the first kernel of this function calls so; the others call it the same."""
        return self._parts((number,) * len(self._uses))

    def at(self, position: int) -> tuple[Part, ...]:
        """The parts for which a line of the body is, in LLVM text."""
        return self._parts(
            tuple(
                parts[position] if position < len(parts) else None for parts in self._parts_by_use
            )
        )

    def _parts(self, numbers: tuple[int | None, ...]) -> tuple[Part, ...]:
        if numbers not in self._known:
            chosen: list[Part] = []
            for use, number in zip(self._uses, numbers, strict=True):
                if number is None or number >= len(use.parts):
                    chosen += use.parts
                else:
                    chosen.append(use.parts[number])
            self._known[numbers] = tuple(chosen)
        return self._known[numbers]


def list_loops(
    nests: Iterable[Nest],
    uses: Uses,
    routines: Iterable[Routine] = (),
    called: Mapping[Nest, str] | None = None,
) -> Listing:
    """Every kernel in the loop language, in order of first use, and routines that call them."""
    lines: list[Line] = []
    for nest in nests:
        function = _Function(uses.get(nest.name, ()))
        lines += [Line(line.text, function.numbered(line.part)) for line in nest_lines(nest)]
        lines.append(Line(""))
    for routine in routines:
        lines += [Line(line.text) for line in routine_lines(routine, called or {})]
        lines.append(Line(""))
    return Listing(tuple(lines))


def list_c(file: CFile, uses: Uses) -> Listing:
    """A file of C, in which equal nests share a function as they do in LLVM text."""
    named: dict[str, list[KernelUse]] = {}
    for some in uses.values():
        for use in some:
            if use.nest in file.called:
                named.setdefault(file.called[use.nest], []).append(use)
    functions = {name: _Function(some) for name, some in named.items()}
    other = _Function(())
    return Listing(
        tuple(
            Line(line.text, functions.get(name, other).numbered(line.part))
            for name, line in file.lines()
        )
    )


def list_llvm(text: str, uses: Uses) -> Listing:
    """LLVM text, whose functions end in a line with a brace."""
    lines: list[Line] = []
    function, position = _Function(()), 0
    for line in text.splitlines():
        name = defined(line)
        if name is not None:
            function, position = _Function(uses.get(name, ())), -1
        lines.append(Line(line, function.at(position) if name is None else function.all()))
        position += 1
        if _CLOSING.match(line):
            function = _Function(())
    return Listing(tuple(lines))


def list_assembly(assembly: str, llvm: Listing, sources: Mapping[int, int], uses: Uses) -> Listing:
    """Assembly, whose functions run from their label to that of their end, or to the next one.

    Args:
        assembly: the text.
        llvm: the module that it was made from.
        sources: the line of `llvm` for the lines of assembly where it is known, both from 1.
        uses: of the functions.
    """
    lines: list[Line] = []
    whole: tuple[Part, ...] = ()
    for number, line in enumerate(assembly.splitlines(), 1):
        name = labelled(line)
        if name is not None:
            whole = _Function(uses.get(name, ())).all()
        known = number in sources and whole
        lines.append(Line(line, llvm.lines[sources[number] - 1].parts if known else whole))
        if _END_LABEL.match(line):
            whole = ()
    return Listing(tuple(lines))
