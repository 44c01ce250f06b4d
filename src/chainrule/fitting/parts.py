"""One array or several: what a model takes, gives, and is measured against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainrule.declare.arrays import UnfitError, is_array, read, taken_out

T = TypeVar("T")
U = TypeVar("U")

ONE = ""  # the name of the part where there is one


@dataclass(frozen=True, eq=False)
class Parts(Generic[T]):
    """A value, a tuple of values, or values by name.

    Attributes:
        by_name: "" for a single value; "1", "2", … for those of a tuple.
        form: "one", "tuple" or "mapping".
    """

    by_name: Mapping[str, T]
    form: str

    def with_values(self, values: Mapping[str, U]) -> Parts[U]:
        """Other values of these names."""
        return Parts({name: values[name] for name in self.by_name}, self.form)

    @property
    def whole(self) -> T | tuple[T, ...] | dict[str, T]:
        """The values in the form in which they were given."""
        if self.form == "one":
            return self.by_name[ONE]
        if self.form == "tuple":
            return tuple(self.by_name.values())
        return dict(self.by_name)

    def named(self, single: str) -> dict[str, str]:
        """For each part a name that tells whose it is: x alone, x1 and x2, or its own."""
        if self.form == "mapping":
            return {name: name for name in self.by_name}
        return {name: f"{single}{name}" for name in self.by_name}


def parts_of(given: object) -> Parts[object]:
    """A mapping is several by name, a tuple of arrays, nodes or functions several in order."""
    if isinstance(given, Mapping):
        return Parts({str(name): value for name, value in given.items()}, "mapping")
    if isinstance(given, tuple) and given and all(map(_is_part, given)):
        return Parts({str(k): value for k, value in enumerate(given, start=1)}, "tuple")
    return Parts({ONE: given}, "one")


def _is_part(value: object) -> bool:
    return isinstance(value, Node) or callable(value) or is_array(value)


def arrays_in(function: str, name: str, given: object) -> Parts[Array]:
    """The arrays of one or several parts, in their own memory where that is possible.

    Raises:
        InputError: one is no array with rows, or they differ in the number of rows.
    """
    parts = parts_of(given)
    if not parts.by_name:
        raise InputError(
            f"{function}: {name} is an empty dictionary", hint="give an array for each name"
        )
    names = parts.named(name)
    arrays = {part: _array(function, names[part], value) for part, value in parts.by_name.items()}
    rows = {names[part]: len(array) for part, array in arrays.items()}
    refuse_uneven(function, rows)
    return parts.with_values(arrays)


def refuse_uneven(function: str, rows: Mapping[str, int]) -> None:
    """Refuse arrays of different numbers of rows.

    Raises:
        InputError: they differ.
    """
    if len(set(rows.values())) > 1:
        told = ", ".join(f"{name} has {count}" for name, count in rows.items())
        raise InputError(f"{function}: rows differ: {told}", hint="give as many rows of each")


def _array(function: str, name: str, value: object) -> Array:
    try:
        array = taken_out(read(value))
    except UnfitError as unfit:
        raise InputError(f"{function}: {name} is {unfit.what}", hint=unfit.hint) from None
    if array.ndim == 0:
        raise InputError(
            f"{function}: {name} is a single number or object, not rows",
            hint="give an array with a row for each sample",
        )
    return array


def rows_in(parts: Parts[Array]) -> int:
    """How many rows there are."""
    return len(next(iter(parts.by_name.values())))


def rows_of(parts: Parts[Array], chosen: Array | slice) -> Parts[Array]:
    """Some of the rows; of a slice no number is copied."""
    return Parts({name: array[chosen] for name, array in parts.by_name.items()}, parts.form)


def in_file(array: Array) -> bool:
    """Is it, or a view of, a file that is mapped into memory, and so may be larger than it?"""
    owner: object = array
    while isinstance(owner, np.ndarray):
        if isinstance(owner, np.memmap):
            return True
        owner = owner.base
    return False
