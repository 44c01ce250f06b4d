"""The operands of a contraction, as its tiles read them."""

from __future__ import annotations

from collections.abc import Mapping

from chainc.dataclass import dataclass
from chainc.ir.types import int64
from chainc.loops.builder import NestBuilder
from chainc.loops.values import Affine, Kind, Register
from chainc.schedules.layout.access import Access, PanelPosition


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

    def lies_in_panels(self, letter: str) -> bool:
        return letter in self.letters and self.found.splits(self.letters.index(letter))

    def some(
        self, builder: NestBuilder, letter: str, at: Mapping[str, Affine | PanelPosition]
    ) -> Register:
        """1 where a panel along a letter holds something else than zeros, else 0."""
        point = tuple(at[each] for each in self.letters)
        address = self.found.address(point, self.letters.index(letter))
        found = builder.load(address, self.found.lanes)
        zero = builder.constant(0, Kind(found.kind.dtype, found.kind.lanes))
        other = builder.compute("logical_not", builder.compare("equal", found, zero))
        return builder.cast(builder.somewhere(other), int64)
