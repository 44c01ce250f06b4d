"""Memory for a native program."""

from __future__ import annotations

import numpy as np


def aligned_bytes(count: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Zeroed memory that starts at a multiple of 64 bytes."""
    space = np.zeros(count + 64, np.uint8)
    start = -space.ctypes.data % 64
    return space[start : start + count]
