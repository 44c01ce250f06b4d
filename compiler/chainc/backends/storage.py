"""Where a program keeps its buffers, as far as that is known before it runs."""

from __future__ import annotations

from chainc.dataclass import dataclass


@dataclass(frozen=True)
class Allocation:
    """Storage of one buffer.

    Attributes:
        name: of the value it holds last.
        role: "state", "input", "output", "constant", "work" for what the step computes, "once" for
            what is computed before the first step, "runtime" for what belongs to the loop.
        type: such as `f32[batch,10]`; empty for the runtime's own.
        layout: "row-major", or along which axis it lies in panels of how many elements.
        place: "arena", "caller" for arrays that are passed in, or "code".
        offset: bytes from the start of the arena; None outside it.
        bytes: its size with its padding, for the largest number of rows.
        first: the kernel that writes it first; None if it is there before.
        last: the kernel that needs it last; None if it stays.
        in_place: further values that are written over one another here, in order.
    """

    name: str
    role: str
    type: str
    layout: str
    place: str
    offset: int | None
    bytes: int
    first: int | None = None
    last: int | None = None
    in_place: tuple[str, ...] = ()


@dataclass(frozen=True)
class Storage:
    """All memory of a program, known before it runs.

    Attributes:
        allocations: one a buffer, those of the arena first, by offset.
        kernels: names of the kernels in the order in which they run; `first` and `last` count
            in it.
        arena_bytes: the size of the arena that a run allocates; nothing else is allocated.
    """

    allocations: tuple[Allocation, ...]
    kernels: tuple[str, ...]
    arena_bytes: int
