"""Memory that a program addresses: that of this process, or one of its own."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from chainc.backends.llvm.arena import aligned_bytes
from chainc.dataclass import dataclass
from chainc.ir.types import Array

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]


class Space(Protocol):
    """Where the arrays of a run lie."""

    @property
    def pointer(self) -> np.dtype[np.unsignedinteger]:
        """The type of an address."""

    def zeros(self, count: int) -> Bytes:
        """So many bytes, from a multiple of 64 on."""

    def placed(self, array: Array) -> Array:
        """The array, contiguous and aligned, or a copy of it where the program finds it."""

    def address(self, array: Array) -> int:
        """Of one of these."""


@dataclass(frozen=True)
class Process:
    """The memory of this process, where all arrays are."""

    pointer = np.dtype(np.uint64)

    def zeros(self, count: int) -> Bytes:
        """See `Space`."""
        return aligned_bytes(count)

    def placed(self, array: Array) -> Array:
        """See `Space`."""
        return np.require(array, requirements=["C", "A"])

    def address(self, array: Array) -> int:
        """See `Space`."""
        return array.ctypes.data


PROCESS = Process()
