"""Object files in this process without LLVM, whose library takes longer to load than they do.

LLVM writes code that reaches its constants and functions by their distance. So the sections of some
files are laid side by side, distances are filled in, and the memory is made executable when nothing
is written to it any more: it is never both. What is no part of such code is refused.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from struct import Struct

from chainc.dataclass import dataclass
from chainc.ir.errors import LinkingError

_HEADER = Struct("<8s8xHHI16xQ10xHHH")  # mark, kind, machine, version, sections: where, size, count
_MARK = b"\x7fELF\2\1\1\0"  # 64 bits, little-endian
_KIND = (1, 62, 1)  # to be linked, for x86-64
_SECTION = Struct("<4xIQ8xQQIIQ8x")  # kind, flags, place, size, link, info, alignment
_SYMBOL = Struct("<IBxHQ8x")  # name, binding, section, value
_RELOCATION = Struct("<QIIq")  # place, kind, symbol, addend
_DISTANCE = Struct("<i")

_PROGBITS, _SYMTAB, _RELA, _UNWINDING = 1, 2, 4, 0x70000001  # the last: for exceptions
_WRITE, _ALLOCATED, _EXECUTED, _OF_A_THREAD = 1, 2, 4, 0x400
_OF_DATUM, _OF_FUNCTION = 2, 4  # R_X86_64_PC32 and R_X86_64_PLT32: 4 bytes, from where they stand
_LOCAL = 0
_READ, _EXECUTE = mmap.PROT_READ, mmap.PROT_EXEC
_CACHE_LINE = 64  # where in one an instruction lies may decide how fast it is
_NOTHING = b"\x0f\x0b" * 32  # instructions that are none: what is absent lies among them
_INSIDE = len(_NOTHING) // 2
MOST_BYTES = 1 << 30  # a distance has 32 bits


@dataclass(frozen=True)
class _Section:
    kind: int
    flags: int
    place: int  # in the file
    size: int
    link: int
    info: int
    alignment: int


class _ObjectFile:
    """One file: `places` are those of its sections in memory, where they have any."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        mark, *kind, place, size, count, _ = _HEADER.unpack(self._part(0, _HEADER.size))
        if mark != _MARK or tuple(kind) != _KIND or size != _SECTION.size:
            raise _broken("it is no object file for this processor")
        headers = self._part(place, count * size)
        self.sections = [_Section(*each) for each in _SECTION.iter_unpack(headers)]
        self.places: dict[int, int] = {}
        self.symbols, self.names = self._symbols()

    def _part(self, place: int, size: int) -> bytes:
        if place + size > len(self.content):
            raise _broken("it is cut short")
        return self.content[place : place + size]

    def _table(self, section: _Section, entry: Struct) -> Iterator[tuple[int, ...]]:
        if section.size % entry.size:
            raise _broken("a table ends within an entry")
        return entry.iter_unpack(self._part(section.place, section.size))

    def _symbols(self) -> tuple[Sequence[tuple[int, ...]], bytes]:
        """All symbols, and the text with their names."""
        tables = [each for each in self.sections if each.kind == _SYMTAB]
        if len(tables) != 1 or tables[0].link >= len(self.sections):
            raise _broken("it has no symbols")
        names = self.sections[tables[0].link]
        return list(self._table(tables[0], _SYMBOL)), self._part(names.place, names.size)

    def _name(self, start: int) -> str:
        end = max(self.names.find(b"\0", start), start)
        return self.names[start:end].decode(errors="replace")

    def placed(self, end: int) -> int:
        """Finds places behind `end`; where the last one ends."""
        for number, section in enumerate(self.sections):
            if section.flags & _ALLOCATED and section.size and section.kind != _UNWINDING:
                if section.kind != _PROGBITS or section.flags & (_WRITE | _OF_A_THREAD):
                    raise _broken("it has memory that it writes to")
                alignment = _CACHE_LINE if section.flags & _EXECUTED else section.alignment
                if alignment > mmap.PAGESIZE:
                    raise _broken(f"it is to be aligned to {alignment} bytes")
                self.places[number] = end = -(-end // max(alignment, 1)) * max(alignment, 1)
                end += section.size
                if end > MOST_BYTES:
                    raise _broken(f"it takes more than {MOST_BYTES:,} bytes")
        return end

    def defined(self) -> Iterator[tuple[str, int]]:
        """The names that other files may use, and where they are."""
        for name, binding, section, value in self.symbols:
            if binding >> 4 != _LOCAL and section:
                yield self._name(name), self._within(section, value)

    def _within(self, number: int, value: int) -> int:
        if number not in self.places or value > self.sections[number].size:
            raise _broken("a symbol is in no section")
        return self.places[number] + value

    def load(self, memory: mmap.mmap, known: Mapping[str, int]) -> None:
        """Copies the sections to their places, and fills in the distances."""
        for number, place in self.places.items():
            section = self.sections[number]
            memory[place : place + section.size] = self._part(section.place, section.size)
        for table in self.sections:
            if table.kind == _RELA and table.info in self.places:
                start, room = self.places[table.info], self.sections[table.info].size
                for at, kind, symbol, addend in self._table(table, _RELOCATION):
                    if kind not in (_OF_DATUM, _OF_FUNCTION):
                        raise _broken(f"it has a relocation of kind {kind}")
                    target = self._address(symbol, known) + addend
                    if at + _DISTANCE.size > room or not 0 <= target < len(memory):
                        raise _broken("a relocation leads out of its memory")
                    _DISTANCE.pack_into(memory, start + at, target - start - at)

    def _address(self, number: int, known: Mapping[str, int]) -> int:
        if number >= len(self.symbols):
            raise _broken("a relocation has no symbol")
        name, _, section, value = self.symbols[number]
        if section:
            return self._within(section, value)
        if self._name(name) not in known:
            raise _broken(f"it needs {self._name(name)!r}, which is not in it")
        return known[self._name(name)]


class Library:
    """Machine code in this process; it stays as long as this object does.

    Files may call functions of each other, and `absent` ones that no call reaches.

    Raises:
        LinkingError: a file is damaged or has what is no part of a program, a name is missing, or
            the system allows no new code.
    """

    def __init__(
        self, files: Sequence[bytes], names: Sequence[str], absent: Sequence[str] = ()
    ) -> None:
        found = [_ObjectFile(each) for each in files]
        end = len(_NOTHING)
        for each in found:
            end = each.placed(end)
        self._places = dict.fromkeys(absent, _INSIDE)
        for each in found:
            for name, place in each.defined():
                if name in self._places:
                    raise _broken(f"{name!r} is there twice")
                self._places[name] = place
        for name in names:
            if name not in self._places:
                raise _broken(f"it has no function {name!r}")
        self._memory = mmap.mmap(-1, end, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._memory[: len(_NOTHING)] = _NOTHING
        for each in found:
            each.load(self._memory, self._places)
        self._start = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        _make_executable(self._start, end)

    def function(
        self, name: str, result: type[ctypes.c_int64] | None, arguments: Sequence[type]
    ) -> ctypes._CFunctionType:
        """A function by name; calls release the Python lock."""
        return ctypes.CFUNCTYPE(result, *arguments)(self._start + self._places[name])


def _make_executable(start: int, size: int) -> None:
    """And no longer writable."""
    if _libc().mprotect(ctypes.c_void_p(start), ctypes.c_size_t(size), _READ | _EXECUTE):
        raise LinkingError(
            f"code cannot be made executable: {os.strerror(ctypes.get_errno())}",
            hint='let this process make code, or compile with target="numpy"',
        )


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _broken(what: str) -> LinkingError:
    return LinkingError(
        f"an object file cannot be loaded: {what}",
        hint="use a version of llvmlite that Chainrule is tested with",
    )
