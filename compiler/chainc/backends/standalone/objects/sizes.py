"""How many bytes of an object file are code and constants: what a board keeps in its flash."""

from __future__ import annotations

import struct

_ALLOCATED, _NO_BITS = 2, 8  # a section that is loaded; one that is zero, and not in the file


def code_bytes(object_file: bytes) -> int:
    """Of an ELF object file of LLVM's, in either size of words."""
    wide = object_file[4] == 2  # 64 bits
    start, count = _headers(object_file, wide=wide)
    form, step = ("<IIQQQQ", 64) if wide else ("<IIIIII", 40)
    total = 0
    for number in range(count):
        header = struct.unpack_from(form, object_file, start + number * step)
        _, kind, flags, _, _, size = header
        if flags & _ALLOCATED and kind != _NO_BITS:
            total += size
    return total


def _headers(object_file: bytes, *, wide: bool) -> tuple[int, int]:
    """Where the headers of sections begin, and how many there are."""
    (start,) = struct.unpack_from("<Q" if wide else "<I", object_file, 40 if wide else 32)
    (count,) = struct.unpack_from("<H", object_file, 60 if wide else 48)
    return start, count
