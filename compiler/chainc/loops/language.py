"""The loop language: what one kernel does, as loops over machine vectors.

    for panel in 0..16:
        for row in 0..rows by 12:
            sum: f32x16 = 0
            for k in 0..784 carrying sum:
                w = load weight[12544*panel + 16*k]
                ...

Registers are written once. An address is a parameter and an affine position in elements.
A loop runs while `index + step <= stop`; its index keeps its last value, so that a loop with a
smaller step can go on where it ended. LLVM text is one printer of this language.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chainc.ir.types import DType


@dataclass(frozen=True, eq=False)
class Parameter:
    """A buffer as a kernel sees it: where it starts is an argument."""

    name: str
    dtype: DType
    padded: bool = True  # may be read, and written, up to one vector past its elements


@dataclass(frozen=True)
class Kind:
    """The element type and the number of elements of a register."""

    dtype: DType
    lanes: int = 1

    def __str__(self) -> str:
        return self.dtype.short if self.lanes == 1 else f"{self.dtype.short}x{self.lanes}"

    def with_dtype(self, dtype: DType) -> Kind:
        return Kind(dtype, self.lanes)


@dataclass(frozen=True, eq=False)
class Register:
    """A value in a machine register, written once.

    `part` is the number of the part of the kernel that needs it, None where no one part does.
    """

    kind: Kind
    name: str = ""
    part: int | None = None


@dataclass(frozen=True, eq=False)
class Index:
    """A loop's position, or a bound that is computed at run time; a 64-bit integer."""

    name: str


@dataclass(frozen=True)
class Rows:
    """`multiple` × the number of rows of this call, rounded up to a multiple of `rounded`."""

    multiple: int = 1
    rounded: int = 1

    def __str__(self) -> str:
        text = "rows" if self.multiple == 1 else f"{self.multiple}*rows"
        return text if self.rounded == 1 else f"ceil({text}, {self.rounded})"


Bound = int | Rows | Index
Variable = Index | Register  # a register here is a scalar int64


@dataclass(frozen=True)
class Affine:
    """constant + Σ variable × factor."""

    constant: int = 0
    terms: tuple[tuple[Variable, int], ...] = ()

    def __add__(self, other: Affine | int) -> Affine:
        if isinstance(other, int):
            return Affine(self.constant + other, self.terms)
        merged: dict[Variable, int] = dict(self.terms)
        for variable, factor in other.terms:
            merged[variable] = merged.get(variable, 0) + factor
        terms = tuple((variable, factor) for variable, factor in merged.items() if factor)
        return Affine(self.constant + other.constant, terms)

    def __mul__(self, factor: int) -> Affine:
        if factor == 0:
            return Affine()
        terms = tuple((variable, each * factor) for variable, each in self.terms)
        return Affine(self.constant * factor, terms)


def affine(value: int | Variable | Affine) -> Affine:
    if isinstance(value, Affine):
        return value
    return Affine(value) if isinstance(value, int) else Affine(0, ((value, 1),))


@dataclass(frozen=True)
class Address:
    """Element `position` of a parameter, and the distance of the elements of a vector."""

    parameter: Parameter
    position: Affine
    stride: int = 1  # between lanes; 0: one element for all lanes


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

    One more is `fma`: a·b + c, rounded once or twice, whichever the machine does.
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
    """`multiple` × the number of rows, as a scalar of the register's kind."""

    out: Register
    multiple: int


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


Statement = (
    Load
    | Store
    | Prefetch
    | Immediate
    | Immediates
    | Compute
    | Splat
    | Lane
    | Shuffle
    | Across
    | Transpose
    | Positions
    | RowCount
    | RuntimeCall
    | Fail
    | Share
    | Loop
)


@dataclass(frozen=True)
class Nest:
    """One kernel: its parameters and statements. Without a `Share` a single thread does it all."""

    name: str
    note: str  # what it computes, and for which lines
    parameters: tuple[Parameter, ...]
    body: tuple[Statement, ...]
    shared: bool = False


def part_of(statement: Statement) -> int | None:
    """For which part of the kernel a statement is; None for what serves all of it."""
    match statement:
        case Store():
            return statement.value.part
        case Transpose() | RuntimeCall():
            return statement.outs[0].part
        case Prefetch() | Fail() | Share() | Loop():
            return None
    return statement.out.part


def statements(body: Iterable[Statement]) -> Iterable[Statement]:
    """Every statement, loops before what is in them."""
    for statement in body:
        yield statement
        if isinstance(statement, Loop):
            yield from statements(statement.body)
