"""A module of one object file: everything gets its place, and numbers in code are filled in.

It imports its memory and nothing else, and memory never grows.

    0          the stack, which grows down: past its end is no memory
    STACK      constants
    base       what the program works in, if it is given room
    end        what is the caller's
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from chainc.backends.llvm.wasm.binary import broken, listed, signed, sized, unsigned
from chainc.backends.llvm.wasm.object_file import (
    DATUM,
    FUNCTION,
    GLOBAL,
    HEADER,
    OF_ADDRESS,
    OF_FUNCTION,
    OF_GLOBAL,
    PADDED_BYTES,
    ObjectFile,
    Relocation,
    Symbol,
    read_object,
)
from chainc.dataclass import dataclass

STACK_BYTES = 1 << 13
PAGE_BYTES = 1 << 16
MOST_BYTES = 1 << 31  # of all memory that a program may take: half of what an address reaches
CACHE_LINE = 64
IMPORTED = ("env", "memory")
_TYPES, _IMPORTS, _FUNCTIONS, _GLOBALS, _EXPORTS, _CODE, _DATA = 1, 2, 3, 6, 7, 10, 11
_I32, _MUTABLE, _MEMORY = 0x7F, 1, 2


@dataclass(frozen=True)
class Module:
    """A module, and where in its memory a program works, up to where the caller's begins."""

    content: bytes
    base: int
    end: int

    @property
    def pages(self) -> int:
        """Of memory, of 64 KB, without what is the caller's."""
        return -(-self.end // PAGE_BYTES)


def linked_module(
    object_file: bytes, exports: Mapping[str, str], room: int = 0, start: int = STACK_BYTES
) -> Module:
    """The module of an object file.

    Args:
        object_file: LLVM's, for WebAssembly.
        exports: by the names of its functions, what they are called outside.
        room: bytes that the program works in, behind its constants.
        start: where its constants begin: modules share a memory where each begins at the end of
            another. They share the stack, as one of them runs at a time.

    Raises:
        LinkingError: the object file is damaged, needs others, or lacks a function.
    """
    return _Linker(read_object(object_file), exports, room, start).linked()


class _Linker:
    def __init__(
        self, found: ObjectFile, exports: Mapping[str, str], room: int, start: int
    ) -> None:
        self.found = found
        self.exports = exports
        self.places: list[int] = []
        end = start
        for segment in found.segments:
            self.places.append(_rounded(end, segment.alignment))
            end = self.places[-1] + len(segment.content)
        self.base = _rounded(end, CACHE_LINE)
        self.end = _rounded(self.base + room, CACHE_LINE)
        if self.end > MOST_BYTES:
            raise broken(f"it takes {self.end:,} bytes of memory, and {MOST_BYTES:,} are the most")

    def linked(self) -> Module:
        sections = [
            (_TYPES, self.found.types),
            (_IMPORTS, listed(self._memory())),
            (_FUNCTIONS, self.found.functions),
            (_GLOBALS, listed(self._stack())),
            (_EXPORTS, listed(*self._exported())),
            (_CODE, listed(*self._bodies())),
            (_DATA, listed(*self._constants())),
        ]
        content = HEADER + b"".join(bytes([kind]) + sized(each) for kind, each in sections)
        return Module(content, self.base, self.end)

    def _memory(self) -> bytes:
        names = b"".join(sized(name.encode()) for name in IMPORTED)
        pages = -(-self.end // PAGE_BYTES)
        return names + bytes([_MEMORY, 0]) + unsigned(pages)

    def _stack(self) -> bytes:
        return bytes([_I32, _MUTABLE, 0x41]) + signed(STACK_BYTES) + b"\x0b"

    def _exported(self) -> Iterator[bytes]:
        indices = {each.name: each.index for each in self.found.symbols if each.kind == FUNCTION}
        for name, outside in self.exports.items():
            if name not in indices:
                raise broken(f"it has no function {name!r}")
            yield sized(outside.encode()) + bytes([FUNCTION]) + unsigned(indices[name])

    def _constants(self) -> Iterator[bytes]:
        """Memory is zero where nothing is put."""
        for place, segment in zip(self.places, self.found.segments, strict=True):
            content = segment.content.rstrip(b"\0")
            if content:
                yield b"\0\x41" + signed(place) + b"\x0b" + sized(content)

    def _bodies(self) -> Iterator[bytes]:
        left = list(reversed(self.found.relocations))
        for start, end in self.found.bodies:
            inside = []
            while left and left[-1].at < end:
                inside.append(left.pop())
            yield sized(self._body(start, end, inside))

    def _body(self, start: int, end: int, relocations: Sequence[Relocation]) -> bytes:
        """The code between numbers, and the numbers in as few bytes as hold them."""
        parts, content = [], self.found.content
        for each in relocations:
            parts += [content[start : each.at], self._number(each)]
            start = each.at + PADDED_BYTES
        return b"".join([*parts, content[start:end]])

    def _number(self, relocation: Relocation) -> bytes:
        symbol = self.found.symbols[relocation.symbol]
        if relocation.kind in (OF_FUNCTION, OF_GLOBAL):
            wanted = FUNCTION if relocation.kind == OF_FUNCTION else GLOBAL
            return unsigned(self._checked(symbol, wanted).index)
        address = self._address(self._checked(symbol, DATUM)) + relocation.addend
        if not 0 <= address < self.end:
            raise broken(f"an address in {symbol.name!r} is outside of memory")
        return unsigned(address) if relocation.kind == OF_ADDRESS else signed(address)

    def _address(self, symbol: Symbol) -> int:
        if symbol.index >= len(self.places):
            raise broken(f"{symbol.name!r} is in no segment")
        return self.places[symbol.index] + symbol.offset

    @staticmethod
    def _checked(symbol: Symbol, wanted: int) -> Symbol:
        if symbol.kind != wanted:
            raise broken(f"the symbol {symbol.name!r} is of another kind than its use")
        return symbol


def _rounded(place: int, alignment: int) -> int:
    return -(-place // alignment) * alignment
