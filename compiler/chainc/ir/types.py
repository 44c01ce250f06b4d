"""Element types, sizes and tensor types: pure data, and the arithmetic on it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, reduce

import numpy as np
import numpy.typing as npt

from chainc.dataclass import dataclass

Array = npt.NDArray[np.generic]
Number = int | float | np.integer | np.floating
Axes = tuple[int, ...]  # numbers of axes, or a number for each axis


@dataclass(frozen=True)
class DType:
    """An element type: `name` as in the Array API standard, `short` as in printed graphs."""

    name: str
    short: str
    kind: str  # "f" floating, "i" integer, "b" boolean
    itemsize: int
    signed: bool = True  # does it hold numbers below 0?
    sums: DType | None = None  # the type in which its sums and products are added up; None: its own

    @property
    def numpy(self) -> np.dtype[np.generic]:
        return np.dtype(self.name)

    @property
    def is_float(self) -> bool:
        return self.kind == "f"

    @property
    def is_bool(self) -> bool:
        return self.kind == "b"

    @property
    def accumulator(self) -> DType:
        """The type in which sums, and sums of products, of its numbers are added up."""
        return self.sums or self

    @property
    def lowest(self) -> float | int | bool:
        """No number is below it."""
        if self.is_float:
            return -math.inf
        if self.is_bool or not self.signed:
            return False if self.is_bool else 0
        return -(1 << 8 * self.itemsize - 1)

    @property
    def highest(self) -> float | int | bool:
        """No number is above it."""
        if self.is_float:
            return math.inf
        return True if self.is_bool else (1 << 8 * self.itemsize - self.signed) - 1

    def __str__(self) -> str:
        return self.short


float32 = DType("float32", "f32", "f", 4)
float64 = DType("float64", "f64", "f", 8)
int32 = DType("int32", "i32", "i", 4)
int64 = DType("int64", "i64", "i", 8)
uint8 = DType("uint8", "u8", "i", 1, signed=False)
bool_ = DType("bool", "bool", "b", 1, signed=False)

DTYPES = (float32, float64, int32, int64, uint8, bool_)
BY_NUMPY: Mapping[np.dtype[np.generic], DType] = {d.numpy: d for d in DTYPES}
BY_NAME: Mapping[str, DType] = {key: d for d in DTYPES for key in (d.name, d.short)}


def promote(a: DType, b: DType) -> DType | None:
    """The Array API standard's promotion; None where the standard defines none (mixed kinds)."""
    if a is b:
        return a
    if a.kind != b.kind:
        return None
    return a if a.itemsize >= b.itemsize else b


@dataclass(frozen=True)
class Size:
    """A named size, or a product of named sizes and an integer: `batch`, `2*batch*time`."""

    coefficient: int
    names: tuple[str, ...]  # sorted, never empty

    def __str__(self) -> str:
        head = () if self.coefficient == 1 else (str(self.coefficient),)
        return "*".join(head + self.names)

    __repr__ = __str__


Dim = int | Size
Shape = tuple[Dim, ...]


def named(name: str) -> Size:
    return Size(1, (name,))


def multiply(a: Dim, b: Dim) -> Dim:
    coefficient = coefficient_of(a) * coefficient_of(b)
    names = tuple(sorted(names_of(a) + names_of(b)))
    return Size(coefficient, names) if names and coefficient else coefficient


def divide(a: Dim, b: Dim) -> Dim | None:
    """The quotient when b divides a for every value of the names, else None."""
    if coefficient_of(b) == 0 or coefficient_of(a) % coefficient_of(b):
        return None
    remaining = list(names_of(a))
    for name in names_of(b):
        if name not in remaining:
            return None
        remaining.remove(name)
    quotient = coefficient_of(a) // coefficient_of(b)
    return Size(quotient, tuple(remaining)) if remaining else quotient


def coefficient_of(dim: Dim) -> int:
    return dim.coefficient if isinstance(dim, Size) else dim


def names_of(dim: Dim) -> tuple[str, ...]:
    return dim.names if isinstance(dim, Size) else ()


def named_axes(shape: Shape) -> tuple[int, ...]:
    """The axes whose sizes are named."""
    return tuple(axis for axis, dim in enumerate(shape) if isinstance(dim, Size))


def has_named_size(shape: Shape) -> bool:
    return any(isinstance(dim, Size) for dim in shape)


def product(dims: Iterable[Dim]) -> Dim:
    one: Dim = 1
    return reduce(multiply, dims, one)


def bind(dim: Dim, sizes: Mapping[str, int]) -> Dim:
    """Replace the names that `sizes` knows by their values."""
    if isinstance(dim, int):
        return dim
    known = math.prod(sizes[name] for name in dim.names if name in sizes)
    rest = tuple(name for name in dim.names if name not in sizes)
    coefficient = dim.coefficient * known
    return Size(coefficient, rest) if rest and coefficient else coefficient


def bind_shape(shape: Shape, sizes: Mapping[str, int]) -> Shape:
    return tuple(bind(dim, sizes) for dim in shape)


def static(shape: Shape) -> tuple[int, ...]:
    """The shape as integers; the caller has bound every name."""
    unbound = [str(dim) for dim in shape if isinstance(dim, Size)]
    if unbound:
        raise ValueError(f"sizes {unbound} are not bound")
    return tuple(coefficient_of(dim) for dim in shape)


def format_shape(shape: Sequence[Dim]) -> str:
    return "[" + ",".join(str(dim) for dim in shape) + "]"


@dataclass(frozen=True)
class TensorType:
    """What a node holds: a shape of integers and named sizes, and an element type."""

    shape: Shape
    dtype: DType

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> Dim:
        """Number of elements."""
        return product(self.shape)

    @property
    def nbytes(self) -> Dim:
        return multiply(self.size, self.dtype.itemsize)

    def with_shape(self, shape: Sequence[Dim]) -> TensorType:
        return TensorType(tuple(shape), self.dtype)

    def with_dtype(self, dtype: DType) -> TensorType:
        return TensorType(self.shape, dtype)

    def bind(self, sizes: Mapping[str, int]) -> TensorType:
        return self.with_shape(bind_shape(self.shape, sizes))

    def __str__(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        return f"{self.dtype}{format_shape(self.shape)}"


# The type of a pattern's holes, and of everything built on them: fits anything.
UNKNOWN = TensorType((), DType("unknown", "?", "?", 0))


def broadcast(*shapes: Shape) -> Shape | None:
    """The common shape by the NumPy rule, None where there is none.

    A named size matches itself and 1 only: whether `batch` is 1 is not known here.
    """
    longest = max(shapes, key=len, default=())
    rank = len(longest)
    for shape in shapes:
        if longest[rank - len(shape) :] != shape:
            break
    else:  # most are so
        return longest
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    result: list[Dim] = []
    for dims in zip(*padded, strict=True):
        larger = {dim for dim in dims if dim != 1}
        if len(larger) > 1:
            return None
        result.append(larger.pop() if larger else 1)
    return tuple(result)
