"""Memory for a native program, from a multiple of 64 bytes on.

There no vector lies in two lines of the cache. Arrays of NumPy begin 16 bytes further, and a
product that waits for memory takes 1.4 times as long with them.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from chainc.backends.llvm.places import Outside
from chainc.ir.text.digest import bytes_digest
from chainc.ir.types import Array
from chainc.schedules.layout.machine import PADDING

if TYPE_CHECKING:
    from chainc.schedules.program.memory import Memory

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]

LINE = 64  # bytes
_NO_BYTES = ctypes.c_char * 0  # a type that fits into every array
MOST_WRITTEN = 64  # bytes of a constant that is written down; a larger one is the graph's


def arrays_outside(memory: Memory) -> tuple[Array, ...]:
    """The constants that are not in the code, in the order of their places in the table."""
    return tuple(_aligned(buffer.data) for buffer in memory.outside)


def constants_outside(memory: Memory) -> tuple[Outside, ...]:
    """By which a later process finds them."""
    return tuple(_outside(buffer.data) for buffer in memory.outside)


def _outside(data: bytes) -> Outside:
    if len(data) <= MOST_WRITTEN:
        return Outside(content=data.hex(), digest="")
    return Outside(content="", digest=bytes_digest(data))


def arrays_found(
    outside: Iterable[Outside], known: Mapping[str, Array]
) -> tuple[Array, ...] | None:
    """These constants, among those of a graph by digest; None if one is not there."""
    found = [each.among(known) for each in outside]
    there = [_aligned(data) for data in found if data is not None]
    return tuple(there) if len(there) == len(found) else None


def _aligned(data: bytes) -> Array:
    """A copy from which a vector may be read past its end."""
    space = aligned_bytes(len(data) + PADDING)
    space[: len(data)] = np.frombuffer(data, np.uint8)
    return space


def aligned_bytes(count: int) -> Bytes:
    """Zeroed memory that starts at a multiple of 64 bytes."""
    return _from_line(np.zeros(count + LINE, np.uint8), count)


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
    """An array there that holds anything."""
    count = math.prod(shape) * dtype.itemsize
    return _from_line(np.empty(count + LINE, np.uint8), count).view(dtype).reshape(shape)


def aligned(array: Array) -> Array:
    """The array, or a copy of it where it starts elsewhere."""
    if array.ctypes.data % LINE == 0:
        return array
    copy = aligned_empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def address_of(array: Array) -> int:
    """Where a contiguous array lies; a quarter of the time if it may be written to."""
    if array.flags.writeable:
        return ctypes.addressof(_NO_BYTES.from_buffer(array.data))
    return array.ctypes.data


def _from_line(space: Bytes, count: int) -> Bytes:
    start = -space.ctypes.data % LINE
    return space[start : start + count]
