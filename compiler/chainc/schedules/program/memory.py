"""Where the buffers of programs lie: in the arena, behind a pointer of the table, or constant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field, replace

from chainc.dataclass import dataclass
from chainc.ir.types import TensorType
from chainc.lowering.kernels import Kernel
from chainc.lowering.memory import ALIGNMENT
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer
from chainc.schedules.layout.access import Capacity, storage_size
from chainc.schedules.layout.machine import PADDING
from chainc.schedules.program.control_block import CONTROL_BYTES
from chainc.schedules.program.fitting import fitted

MOST_IN_CODE = 4096  # bytes of a constant: larger ones would be long texts, which take long to read


@dataclass
class Memory:
    """Gives every buffer its place.

    `outside` are constants that the host hands over as arrays: all that are larger than
    `most_in_code`. They have the last places of the table.
    """

    capacity: Capacity
    most_in_code: int | None = None  # None: whatever their size, as code must that has no host
    size: int = CONTROL_BYTES
    shared: dict[tuple[str, str], int] = field(default_factory=dict)  # by role and key
    offsets: dict[Buffer, int] = field(default_factory=dict)
    table: dict[Buffer, int] = field(default_factory=dict)
    constants: dict[Buffer, str] = field(default_factory=dict)
    outside: list[Buffer] = field(default_factory=list)
    elements: dict[tuple[Buffer, int, TensorType], Buffer] = field(default_factory=dict)
    within: dict[Buffer, tuple[Buffer, int]] = field(default_factory=dict)  # of each of these
    slices: dict[Buffer, Buffer] = field(default_factory=dict)  # of which buffers, in loops

    def nbytes(self, buffer: Buffer) -> int:
        return storage_size(buffer, self.capacity) * buffer.type.dtype.itemsize

    def take(self, nbytes: int) -> int:
        """Room in the arena that stays taken."""
        offset = self.size
        self.size += -(-nbytes // ALIGNMENT) * ALIGNMENT
        return offset

    def keep(self, buffers: Iterable[Buffer]) -> None:
        """A place for buffers that outlive a step; one for each role and key."""
        for buffer in buffers:
            key = (buffer.role, buffer.key)
            if key not in self.shared:
                self.shared[key] = self.take(self.nbytes(buffer))
            self.offsets[buffer] = self.shared[key]

    def keep_results(self, kernels: Sequence[Kernel]) -> None:
        """Room for what a prologue computes once."""
        for kernel in kernels:
            for out in kernel.outs:
                if out not in self.offsets and out not in self.table:
                    self.offsets[out] = self.take(self.nbytes(out))

    def work(self, programs: Sequence[Program]) -> None:
        """Room for the buffers of several programs that never run at the same time."""
        start = self.size
        for program in programs:
            arena = fitted(program, self.nbytes)
            self.offsets |= {buffer: start + at for buffer, at in arena.offsets.items()}
            self.size = max(self.size, start + arena.sizes.get((), 0))

    def place_outside(self, programs: Sequence[Program], first: int) -> None:
        """Places in the table, from `first` on, for the constants that are not in the code."""
        if self.most_in_code is None:
            return
        for kernel in (each for p in programs for each in (*p.prologue, *p.body)):
            for buffer in (view.buffer for view in kernel.reads):
                large = buffer.role == "constant" and len(buffer.data) > self.most_in_code
                if large and buffer not in self.table:
                    self.table[buffer] = first + len(self.outside)
                    self.outside.append(buffer)

    def constant(self, buffer: Buffer) -> str:
        """The name of a constant."""
        return self.constants.setdefault(buffer, f"constant.{len(self.constants)}")

    def element(self, buffer: Buffer, distance: int, type: TensorType) -> Buffer:
        """A single element as a buffer; its distance from the first is in bytes."""
        key = (buffer, distance, type)
        if key not in self.elements:
            self.elements[key] = replace(buffer, type=type, data=b"")
            self.within[self.elements[key]] = buffer, distance
        return self.elements[key]

    def base(self, buffer: Buffer) -> tuple[Buffer, int]:
        """What it lies in that has a place of its own, and how many bytes behind its start."""
        return self.within.get(buffer, (buffer, 0))

    @property
    def arena_bytes(self) -> int:
        """All memory that a run takes, apart from the arrays of the caller."""
        return self.size + PADDING

    def extent(self, buffer: Buffer) -> tuple[str, int, int]:
        """What tells whether two buffers overlap: a space, a start and an end."""
        base, distance = self.base(buffer)
        if base in self.slices:
            return self.extent(self.slices[base])
        if base in self.offsets:
            start = self.offsets[base] + distance
            return "arena", start, start + self.nbytes(buffer)
        if base in self.table:
            return f"table {self.table[base]}", 0, 1
        return "constant", 0, 0
