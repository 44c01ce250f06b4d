"""The loop language: what one kernel does, as loops over machine vectors.

    for panel in 0..16:
        for row in 0..rows by 12:
            sum: f32x16 = 0
            for k in 0..784 carrying sum:
                w = load weight[12544*panel + 16*k]
                ...

Registers are written once. An address is a parameter and an affine position in elements.
A loop runs while `index + step <= stop`; its index keeps its last value, so that a loop with a
smaller step can go on where it ended. LLVM text and C are printed from this language.

A nest is one kernel. What calls kernels is a routine: it finds buffers in an arena or a table of
pointers, branches, repeats, and lets threads wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from chainc.dataclass import dataclass
from chainc.loops.values import Address, Affine, Bound, Index, Parameter, Register


@dataclass(frozen=True)
class Load:
    """What lies at an address, one element a lane."""

    out: Register
    address: Address


@dataclass(frozen=True)
class Store:
    """The reverse."""

    value: Register
    address: Address


@dataclass(frozen=True)
class Prefetch:
    """A hint that the cache line at an address will be read soon; any address will do."""

    address: Address


@dataclass(frozen=True)
class Immediate:
    """A number in every lane."""

    out: Register
    value: float | int | bool


@dataclass(frozen=True)
class Immediates:
    """A number of its own in each lane."""

    out: Register
    values: tuple[float | int | bool, ...]


@dataclass(frozen=True)
class Compute:
    """A primitive of the scalar vocabulary in every lane.

    There are some more. `fma`: a·b + c, rounded once or twice, whichever the machine does. Of
    integers, bit by bit: `bit_and`, `bit_or`, `bit_xor`, `shift_left`, `shift_right` (zeros come
    in), `leading_zeros`, and `unsigned_less`.
    """

    out: Register
    primitive: str
    operands: tuple[Register, ...]


@dataclass(frozen=True)
class Splat:
    """A scalar in every lane."""

    out: Register
    value: Register


@dataclass(frozen=True)
class Lane:
    """One element of a vector."""

    out: Register
    value: Register
    lane: int


@dataclass(frozen=True)
class Shuffle:
    """Lanes picked from one vector, or from two of the same kind, one behind the other.

    `picked` says for each lane of `out` which one it is; -1: it does not matter.
    """

    out: Register
    values: tuple[Register, ...]
    picked: tuple[int, ...]


@dataclass(frozen=True)
class Across:
    """The lanes folded with a primitive, in a tree: first the halves, then their halves, …."""

    out: Register
    primitive: str
    value: Register


@dataclass(frozen=True)
class Somewhere:
    """Is it true in any lane?"""

    out: Register
    value: Register


@dataclass(frozen=True)
class Transpose:
    """Square: element j of `outs[i]` is element i of `values[j]`."""

    outs: tuple[Register, ...]
    values: tuple[Register, ...]


@dataclass(frozen=True)
class Positions:
    """`position` + 0, 1, 2, … as integers of the register's kind."""

    out: Register
    position: Affine


@dataclass(frozen=True)
class RowCount:
    """`multiple` × the number of rows to a power, as a scalar of the register's kind."""

    out: Register
    multiple: int
    power: int = 1


@dataclass(frozen=True)
class RuntimeCall:
    """A function of the runtime, such as Philox; the printer knows its text."""

    outs: tuple[Register, ...]
    function: str
    operands: tuple[Register, ...]


@dataclass(frozen=True)
class Fail:
    """Note that an index was out of range: some lane of `condition` is true.

    `number` is added to the code that stands for the nest in a call.
    """

    condition: Register
    number: int = 0


@dataclass(frozen=True)
class Share:
    """This thread's part of 0..stop, in whole `grain`s: from `low` up to `high`."""

    low: Index
    high: Index
    stop: Bound
    grain: int


@dataclass(frozen=True)
class Carried:
    """A register that a loop hands from one pass to the next."""

    current: Register
    initial: Register
    following: Register
    result: Register  # its value after the loop


@dataclass(frozen=True)
class Loop:
    """The body for index = start, start + step, … while index + step <= stop."""

    index: Index
    start: Bound
    stop: Bound
    step: int
    carried: tuple[Carried, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True)
class Within:
    """A buffer that begins so many bytes behind the start of another."""

    out: Parameter
    base: Parameter
    offset: Affine


@dataclass(frozen=True)
class Entry:
    """A buffer whose start stands in a table of pointers."""

    out: Parameter
    table: Parameter
    position: Affine


@dataclass(frozen=True)
class Table:
    """A table of `size` pointers to buffers, each at its place, while the routine runs."""

    out: Parameter
    size: int
    entries: tuple[tuple[int, Parameter], ...]


@dataclass(frozen=True)
class Data:
    """A buffer of constants, which has a name in the module."""

    out: Parameter
    name: str
    content: bytes


@dataclass(frozen=True)
class Missing:
    """Is a buffer nowhere, or does it not begin at a multiple of so many bytes?"""

    out: Register
    buffer: Parameter
    alignment: int = 1


@dataclass(frozen=True)
class Acquire:
    """A load: what another thread wrote before it released the value is seen from here on."""

    out: Register
    address: Address


@dataclass(frozen=True)
class Release:
    """The reverse."""

    value: Register
    address: Address


@dataclass(frozen=True)
class Clock:
    """How far the processor's clock has come, in ticks of its own."""

    out: Register


@dataclass(frozen=True)
class Pause:
    """A moment in which another thread may come further; its core may be given away, or rest.

    `length` 0: as short as can be; 1: another may have the core; 2: this thread sleeps.
    """

    length: int


@dataclass(frozen=True)
class Barrier:
    """No thread goes on before all are here; each sees what the others have written."""

    arena: Parameter
    thread: Register
    threads: Register


@dataclass(frozen=True)
class Call:
    """Of a kernel or a routine, which may return a register.

    A kernel takes its buffers, the number of rows, the thread and the number of threads; one that
    may fail also the place of the failure and the code that stands for it.
    """

    out: Register | None
    function: Nest | Routine
    arguments: tuple[Parameter | Register, ...]


@dataclass(frozen=True)
class Merged:
    """A register that has one of two values, after a branch."""

    result: Register
    then: Register
    otherwise: Register


@dataclass(frozen=True)
class Branch:
    """One of two bodies."""

    condition: Register
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]
    merged: tuple[Merged, ...]


@dataclass(frozen=True)
class Repeat:
    """The body, once and then while `again` is true at its end."""

    again: Register
    carried: tuple[Carried, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True)
class Leave:
    """The end of the routine, which returns the value, if the condition is true."""

    condition: Register
    value: Register


Statement = (
    Load | Store | Prefetch | Immediate | Immediates | Compute | Splat | Lane | Shuffle | Across
    | Somewhere | Transpose | Positions | RowCount | RuntimeCall | Fail | Share | Loop
    | Within | Entry | Table | Data | Missing | Acquire | Release | Clock | Pause | Barrier | Call
    | Branch | Repeat | Leave
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Nest:
    """One kernel: its parameters and statements. Without a `Share` a single thread does it all."""

    name: str
    note: str  # what it computes, and for which lines
    parameters: tuple[Parameter, ...]
    body: tuple[Statement, ...]
    shared: bool = False

    @cached_property
    def fails(self) -> bool:
        """Does it look for indices out of range?"""
        return any(isinstance(each, Fail) for each in statements(self.body))


@dataclass(frozen=True, eq=False)
class Routine:
    """A function that calls kernels and other routines.

    `inlined` says that it becomes a part of its callers.
    """

    name: str
    note: str
    parameters: tuple[Parameter | Register, ...]
    body: tuple[Statement, ...]
    result: Register | None = None
    inlined: bool = False


def bodies_of(statement: Statement) -> tuple[tuple[Statement, ...], ...]:
    """The statements inside of a statement."""
    if not isinstance(statement, Loop | Repeat | Branch):  # most are not
        return ()
    if isinstance(statement, Branch):
        return statement.then, statement.otherwise
    return (statement.body,)


def statements(body: Iterable[Statement]) -> Iterable[Statement]:
    """Every statement, loops before what is in them."""
    left = [iter(body)]
    while left:
        for statement in left[-1]:
            yield statement
            if inside := bodies_of(statement):
                left += map(iter, reversed(inside))
                break
        else:
            left.pop()
