"""An object file of LLVM for WebAssembly: its sections, its symbols, and what is to be filled in.

The format is that of the tool conventions of WebAssembly: a module with the custom sections
`linking` and `reloc.CODE`. What a program of kernels does not have, such as tables of functions
or code of other modules, is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field

from chainc.backends.llvm.wasm.binary import Reader, broken
from chainc.dataclass import dataclass

HEADER = b"\0asm\1\0\0\0"
CUSTOM, TYPES, IMPORTS, FUNCTIONS, CODE, DATA, COUNT = 0, 1, 2, 3, 10, 11, 12
LINKING_VERSION = 2
SEGMENTS, SYMBOLS = 5, 8  # parts of the section `linking`
UNDEFINED, NAMED = 0x10, 0x40  # flags of a symbol
TEXT = 1  # a flag of a segment
FUNCTION, DATUM, GLOBAL = range(3)  # kinds of symbols
MEMORY, STACK = "__linear_memory", "__stack_pointer"  # all that is imported

# kinds of relocations; those of addresses have an addend
OF_FUNCTION, OF_GLOBAL, OF_TYPE = 0, 7, 6
OF_ADDRESS, OF_SIGNED_ADDRESS = 3, 4
PADDED_BYTES = 5  # of a number that is to be filled in


@dataclass(frozen=True)
class Symbol:
    """`index` is that of a function, a global or a segment, and `offset` within the segment."""

    kind: int
    name: str
    index: int
    offset: int = 0


@dataclass(frozen=True)
class Relocation:
    """A number in the code that is known when everything has its place."""

    kind: int
    at: int  # in the object file
    symbol: int
    addend: int


@dataclass(frozen=True)
class Segment:
    """Constants."""

    content: bytes
    alignment: int


@dataclass
class ObjectFile:
    """What was found."""

    content: bytes
    types: bytes = b""
    functions: bytes = b""
    bodies: list[tuple[int, int]] = field(default_factory=list)  # from where to where
    segments: list[Segment] = field(default_factory=list)
    symbols: list[Symbol] = field(default_factory=list)
    relocations: list[Relocation] = field(default_factory=list)


def read_object(content: bytes) -> ObjectFile:
    """The object file of one module without libraries.

    Raises:
        LinkingError: it is damaged, or has what a program of kernels has not.
    """
    return _Parser(content).parsed()


class _Parser:
    def __init__(self, content: bytes) -> None:
        self.found = ObjectFile(content)
        self.reader = Reader(content)
        self.alignments: list[int] = []
        self.code: tuple[int, int] | None = None  # number of the section, and where it begins
        self.relocated: tuple[int, Sequence[Relocation]] | None = None

    def parsed(self) -> ObjectFile:
        if self.reader.take(len(HEADER)) != HEADER:
            raise broken("it is no WebAssembly")
        number = 0
        while self.reader:
            kind = self.reader.byte()
            self._section(number, kind, self.reader.inside(self.reader.unsigned()))
            number += 1
        self._set_alignments()
        self._place_relocations()
        return self.found

    def _section(self, number: int, kind: int, section: Reader) -> None:
        if kind == TYPES:
            self.found.types = section.take(section.end - section.at)
        elif kind == IMPORTS:
            self._imports(section)
        elif kind == FUNCTIONS:
            self.found.functions = section.take(section.end - section.at)
        elif kind == CODE:
            self.code = (number, section.at)
            self.found.bodies = [_body(section) for _ in range(section.unsigned())]
        elif kind == DATA:
            self.found.segments = [_segment(section) for _ in range(section.unsigned())]
        elif kind == CUSTOM:
            self._custom(section)
        elif kind != COUNT:
            raise broken(f"it has a section of kind {kind}")

    def _imports(self, section: Reader) -> None:
        """The memory and the pointer to the stack; anything else is code of others."""
        for _ in range(section.unsigned()):
            section.name()
            name = section.name()
            kind = section.byte()
            if (name, kind) == (MEMORY, 2):
                bounded = section.byte()
                for _ in range(1 + (bounded & 1)):
                    section.unsigned()
            elif (name, kind) == (STACK, 3):
                section.take(2)
            else:
                raise broken(f"it needs {name!r}, which is not in it")

    def _custom(self, section: Reader) -> None:
        name = section.name()
        if name == "linking":
            self._linking(section)
        elif name == "reloc.CODE":
            number = section.unsigned()
            found = [_relocation(section) for _ in range(section.unsigned())]
            self.relocated = (number, found)
        elif name.startswith("reloc."):
            raise broken(f"it has a section {name}")

    def _linking(self, section: Reader) -> None:
        if section.unsigned() != LINKING_VERSION:
            raise broken("its symbols are of another version")
        while section:
            kind = section.byte()
            part = section.inside(section.unsigned())
            if kind == SYMBOLS:
                self.found.symbols = [_symbol(part) for _ in range(part.unsigned())]
            elif kind == SEGMENTS:
                self.alignments = [_alignment(part) for _ in range(part.unsigned())]
            else:
                raise broken(f"its section `linking` has a part of kind {kind}")

    def _set_alignments(self) -> None:
        segments = self.found.segments
        if len(self.alignments) != len(segments):
            raise broken("its segments have no alignment")
        pairs = zip(segments, self.alignments, strict=True)
        self.found.segments = [Segment(each.content, alignment) for each, alignment in pairs]

    def _place_relocations(self) -> None:
        """In the order of the code; each within a body, and behind the one before."""
        if self.relocated is None:
            return
        number, found = self.relocated
        if self.code is None or self.code[0] != number:
            raise broken("its relocations are not those of its code")
        moved = [
            Relocation(each.kind, each.at + self.code[1], each.symbol, each.addend)
            for each in found
        ]
        self.found.relocations = sorted(moved, key=lambda each: each.at)
        self._check_places()

    def _check_places(self) -> None:
        bodies: Iterator[tuple[int, int]] = iter(self.found.bodies)
        start, end = 0, 0
        for each in self.found.relocations:
            while each.at >= end:
                start, end = next(bodies, (each.at + 1, each.at + PADDED_BYTES + 1))
            if not start <= each.at <= end - PADDED_BYTES:
                raise broken(f"its relocation of byte {each.at} is in no function")
            if each.symbol >= len(self.found.symbols):
                raise broken(f"its relocation of byte {each.at} has no symbol")
            start = each.at + PADDED_BYTES


def _body(section: Reader) -> tuple[int, int]:
    body = section.inside(section.unsigned())
    return body.at, body.end


def _segment(section: Reader) -> Segment:
    """At an address that is chosen when it is linked."""
    if section.byte() != 0 or section.byte() != 0x41:  # in memory 0, at `i32.const`
        raise broken("a segment has no place in memory")
    section.signed()
    if section.byte() != 0x0B:
        raise broken("a segment's place is no number")
    return Segment(section.take(section.unsigned()), 0)


def _alignment(part: Reader) -> int:
    part.name()
    alignment = part.unsigned()
    if alignment > 6:  # more than 64 bytes
        raise broken("a segment is to be aligned to more than 64 bytes")
    if part.unsigned() & ~TEXT:
        raise broken("a segment belongs to a thread")
    return 1 << alignment


def _symbol(part: Reader) -> Symbol:
    kind, flags = part.byte(), part.unsigned()
    if kind == DATUM:
        name = part.name()
        if flags & UNDEFINED:
            raise broken(f"it needs {name!r}, which is not in it")
        index, offset = part.unsigned(), part.unsigned()
        part.unsigned()
        return Symbol(kind, name, index, offset)
    if kind not in (FUNCTION, GLOBAL):
        raise broken(f"it has a symbol of kind {kind}")
    index = part.unsigned()
    named = not flags & UNDEFINED or flags & NAMED
    return Symbol(kind, part.name() if named else "", index)


def _relocation(section: Reader) -> Relocation:
    kind, at, symbol = section.byte(), section.unsigned(), section.unsigned()
    if kind in (OF_ADDRESS, OF_SIGNED_ADDRESS):
        return Relocation(kind, at, symbol, section.signed())
    if kind in (OF_FUNCTION, OF_GLOBAL):
        return Relocation(kind, at, symbol, 0)
    raise broken(f"it has a relocation of kind {kind}")
