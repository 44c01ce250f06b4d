"""A static library of object files, in the format that all linkers under Unix read.

The first member is an index: where each function is defined.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainc.dataclass import dataclass

MAGIC = b"!<arch>\n"
HEADER_BYTES = 60


@dataclass(frozen=True)
class ObjectFile:
    """An object file, and the functions that others may call."""

    content: bytes
    functions: Sequence[str]


def archived(files: Sequence[ObjectFile]) -> bytes:
    """The library of these files; the same bytes each time."""
    names = [function for file in files for function in file.functions]
    listed = b"".join(name.encode() + b"\0" for name in names)
    size = 4 * (1 + len(names)) + len(listed)
    place = len(MAGIC) + HEADER_BYTES + _even(size)
    numbers = [len(names)]
    members = []
    for position, file in enumerate(files):
        numbers += [place] * len(file.functions)
        members.append(_member(f"program{position}.o/", file.content))
        place += len(members[-1])
    index = b"".join(number.to_bytes(4, "big") for number in numbers) + listed
    return b"".join([MAGIC, _member("/", index), *members])


def _member(name: str, content: bytes) -> bytes:
    """With neither time nor owner; what follows begins at an even place."""
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'644':<8}{len(content):<10}`\n".encode()
    return header + content + b"\n" * (len(content) % 2)


def _even(size: int) -> int:
    return size + size % 2
