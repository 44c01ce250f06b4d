"""A static library with one object file, in the format that all linkers under Unix read.

The first member is an index: where each function is defined.
"""

from __future__ import annotations

from collections.abc import Sequence

MAGIC = b"!<arch>\n"
HEADER_BYTES = 60


def archived(object_file: bytes, functions: Sequence[str]) -> bytes:
    """The library of an object file that defines these functions; the same bytes each time."""
    names = b"".join(function.encode() + b"\0" for function in functions)
    size = 4 * (1 + len(functions)) + len(names)
    place = len(MAGIC) + HEADER_BYTES + size + size % 2
    numbers = (len(functions), *(place for _ in functions))
    index = b"".join(number.to_bytes(4, "big") for number in numbers) + names
    return MAGIC + _member("/", index) + _member("program.o/", object_file)


def _member(name: str, content: bytes) -> bytes:
    """With neither time nor owner; what follows begins at an even place."""
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'644':<8}{len(content):<10}`\n".encode()
    return header + content + b"\n" * (len(content) % 2)
