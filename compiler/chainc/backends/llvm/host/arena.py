"""Memory for a native program."""

from __future__ import annotations

import numpy as np

from chainc.ir.types import Array
from chainc.schedules.program.memory import PADDING, Memory


def arrays_outside(memory: Memory) -> tuple[Array, ...]:
    """The constants that are not in the code, in the order of their places in the table."""
    return tuple(_aligned(buffer.data) for buffer in memory.outside)


def _aligned(data: bytes) -> Array:
    """A copy from which a vector may be read past its end."""
    space = aligned_bytes(len(data) + PADDING)
    space[: len(data)] = np.frombuffer(data, np.uint8)
    return space


def aligned_bytes(count: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Zeroed memory that starts at a multiple of 64 bytes."""
    space = np.zeros(count + 64, np.uint8)
    start = -space.ctypes.data % 64
    return space[start : start + count]
