"""Where the buffers of programs lie: in the arena, behind a pointer of the table, or constant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chainc.lowering.kernels import Kernel
from chainc.lowering.memory import ALIGNMENT, plan
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer
from chainc.schedules.layout.access import Capacity, storage_size
from chainc.schedules.program.control_block import CONTROL_BYTES

PADDING = 64  # bytes behind the last buffer, so that a vector may stand out


@dataclass
class Memory:
    """Gives every buffer its place."""

    capacity: Capacity
    size: int = CONTROL_BYTES
    shared: dict[tuple[str, str], int] = field(default_factory=dict)  # by role and key
    offsets: dict[Buffer, int] = field(default_factory=dict)
    table: dict[Buffer, int] = field(default_factory=dict)
    constants: dict[Buffer, str] = field(default_factory=dict)

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
            arena = plan(program, self.nbytes)
            self.offsets |= {buffer: start + at for buffer, at in arena.offsets.items()}
            self.size = max(self.size, start + arena.sizes.get((), 0))

    def constant(self, buffer: Buffer) -> str:
        """The name of a constant."""
        return self.constants.setdefault(buffer, f"constant.{len(self.constants)}")

    @property
    def arena_bytes(self) -> int:
        """All memory that a run takes, apart from the arrays of the caller."""
        return self.size + PADDING

    def extent(self, buffer: Buffer) -> tuple[str, int, int]:
        """What tells whether two buffers overlap: a space, a start and an end."""
        if buffer in self.offsets:
            start = self.offsets[buffer]
            return "arena", start, start + self.nbytes(buffer)
        if buffer in self.table:
            return f"table {self.table[buffer]}", 0, 1
        return "constant", 0, 0
