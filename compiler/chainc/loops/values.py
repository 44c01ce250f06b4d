"""What statements of the loop language speak of: buffers, registers, positions, addresses."""

from __future__ import annotations

from chainc.dataclass import dataclass
from chainc.ir.types import DType


@dataclass(frozen=True, eq=False)
class Parameter:
    """A buffer: where it starts is an argument, or found by a statement."""

    name: str
    dtype: DType
    padded: bool = True  # consists of whole cache lines, which may be read and written past its end


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


Variable = Index | Register  # a register here is a scalar int64
Bound = int | Rows | Variable


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
    first: int = 0  # so many lanes have an element, the others are 0 and not stored; 0: all have
