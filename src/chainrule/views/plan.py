"""The memory of a compiled program as a table, and as a picture of buffers over time."""

from __future__ import annotations

from chainc.backends.storage import Allocation, Storage
from chainrule.declare.calls import answers_calls
from chainrule.views.plan_drawing import Band, draw_bands
from chainrule.views.svg_drawing import SvgDrawing
from chainrule.writing.text_table import text_table

HEADER = ("buffer", "type", "layout", "offset", "bytes", "first", "last", "in place of")
LEFT = (0, 1, 2, 7)  # columns of words


@answers_calls
class Plan(Storage):
    """All memory of a native program, known before it runs; prints as a table."""

    @classmethod
    def of(cls, storage: Storage) -> Plan:
        """The same storage, with the methods of this class."""
        return cls(storage.allocations, storage.kernels, storage.arena_bytes)

    def __repr__(self) -> str:
        return (
            f"<Plan of {len(self.allocations):,} buffers; an arena of {self.arena_bytes:,} bytes>"
        )

    def __str__(self) -> str:
        lines = text_table(HEADER, list(map(_cells, self.allocations)), words=LEFT)
        kernels = [f"{number:>4}  {name}" for number, name in enumerate(self.kernels)]
        return "\n".join(
            [*lines, lines[1], f"arena: {self.arena_bytes:,} bytes", "kernels:", *kernels]
        )

    def draw(self) -> SvgDrawing:
        """Buffers of the arena over time: kernels from left to right, bytes upwards."""
        bands = [
            Band(
                each.name,
                each.type,
                each.role,
                each.offset,
                each.bytes,
                0 if each.first is None else each.first,
                len(self.kernels) - 1 if each.last is None else each.last,
            )
            for each in self.allocations
            if each.offset is not None
        ]
        return draw_bands(bands, self.kernels, self.arena_bytes)

    def _repr_svg_(self) -> str:
        return self.draw().svg()


def _cells(each: Allocation) -> tuple[str, ...]:
    return (
        each.name,
        each.type or each.role,
        each.layout,
        each.place if each.offset is None else f"{each.offset:,}",
        f"{each.bytes:,}",
        "-" if each.first is None else str(each.first),
        "-" if each.last is None else str(each.last),
        ", ".join(each.in_place),
    )
