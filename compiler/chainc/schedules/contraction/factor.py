"""The operands of a contraction, as its tiles read them."""

from __future__ import annotations

from chainc.dataclass import dataclass
from chainc.schedules.layout.access import Access


@dataclass(frozen=True)
class Factor:
    """One of the two operands: its elements, and the letters of its axes."""

    found: Access
    letters: str

    def stride(self, letter: str) -> int:
        """Between neighbours; within a panel where the axis lies in panels."""
        return self.found.strides[self.letters.index(letter)]

    def panel_stride(self, letter: str, lanes: int) -> int:
        """Between elements that are a panel apart."""
        if self.found.splits(self.letters.index(letter)):
            return self.found.panel_stride
        return abs(self.stride(letter)) * lanes
