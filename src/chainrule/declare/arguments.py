"""Checks of the arguments that declare a model: refused before anything is built on them."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable, Mapping
from numbers import Real
from string import ascii_letters
from typing import TYPE_CHECKING

import numpy as np

from chainc.ir.errors import DTypeError, InputError
from chainc.ir.python.foreign import is_masked
from chainc.ir.types import BY_NUMPY, Array
from chainc.ops.movement import whole
from chainrule.declare.arrays import UnfitError, read, taken_out

LONGEST = 120  # characters of a value that a message shows
LARGEST = 2**63 - 1  # that an integer of a compiled program can be
UNITS = {
    "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
}  # fmt: skip

if TYPE_CHECKING:
    from pathlib import Path


def shown(value: object) -> str:
    """What was given, in a message: of an array, or another object that fills lines, its class."""
    written = repr(value)
    return (
        written if len(written) <= LONGEST and "\n" not in written else f"a {type(value).__name__}"
    )


def number(
    function: str,
    name: str,
    value: object,
    *,
    above: float = -math.inf,
    at_least: float = -math.inf,
    below: float = math.inf,
    hint: str,
) -> float:
    """A finite real number in the given range, as a float.

    Raises:
        InputError: it is not; the message says `function: name must be ...`.
    """
    converted = _as_float(value)
    if not (math.isfinite(converted) and above < converted < below and at_least <= converted):
        bounds = {"above": above, "at least": at_least, "below": below}
        told = [f"{word} {bound:g}" for word, bound in bounds.items() if math.isfinite(bound)]
        wanted = " and ".join(["a finite number", *told])
        raise InputError(f"{function}: {name} must be {wanted}, got {shown(value)}", hint=hint)
    return converted


def _as_float(value: object) -> float:
    """NaN for what is no real number, or none that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def text(function: str, name: str, value: object) -> str:
    """A string.

    Raises:
        InputError: it is none.
    """
    if not isinstance(value, str):
        raise InputError(
            f"{function}: {name} must be text, got {shown(value)}", hint=f'give words: {name}="..."'
        )
    return value


def is_one_of(value: object, words: Collection[str]) -> bool:
    """Is it one of these words? Also asked of what cannot be compared, such as an array."""
    return isinstance(value, str) and value in words


def several(function: str, name: str, value: object, *, hint: str) -> list[object]:
    """The members of a list, a tuple or another collection, and not the letters of a text.

    Raises:
        InputError: it is none.
    """
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise InputError(f"{function}: {name} must be a list, got {shown(value)}", hint=hint)
    return list(value)


def mapping(function: str, name: str, value: object, *, hint: str) -> Mapping[object, object]:
    """A dictionary.

    Raises:
        InputError: it is none.
    """
    if not isinstance(value, Mapping):
        raise InputError(f"{function}: {name} must be a dictionary, got {shown(value)}", hint=hint)
    return value


def count(function: str, name: str, value: object, *, at_least: int = 1, hint: str) -> int:
    """A whole number, at least `at_least`.

    Raises:
        InputError: it is not; the message says `function: name must be ...`.
    """
    converted = None if isinstance(value, bool) else whole(value)
    if converted is None or converted < at_least:
        raise InputError(
            f"{function}: {name} must be a whole number, at least {at_least}, got {shown(value)}",
            hint=hint,
        )
    if converted > LARGEST:
        raise InputError(
            f"{function}: {name} must be below 2^63, got {value!r}", hint="give a smaller number"
        )
    return converted


def byte_count(function: str, name: str, value: object) -> int:
    """A number of bytes, or a text such as "64 MB".

    Raises:
        InputError: it is neither, or less than one byte.
    """
    if not isinstance(value, str):
        hint = f'give {name}="64 MB", or a number of bytes'
        return count(function, name, value, hint=hint)
    digits = value.rstrip(ascii_letters)
    unit, number = value[len(digits) :], digits.strip()
    plain = number.replace(".", "", 1)
    if unit not in UNITS or not (plain.isascii() and plain.isdigit()) or float(number) <= 0:
        raise InputError(
            f"{function}: {name} must be a number with a unit, got {shown(value)}",
            hint=f'give one of {", ".join(UNITS)}, such as {name}="64 MB"',
        )
    return max(1, int(float(number) * UNITS[unit]))


def path_of(function: str, value: object) -> Path:
    """A place in the file system.

    Raises:
        InputError: it is none.
    """
    from pathlib import Path  # slow to import, and who declares needs none

    if isinstance(value, (str, os.PathLike)):
        return Path(value)
    raise InputError(
        f"{function}: {value!r} is no path",
        hint='give the name of a file or a folder, such as "pages/network.html"',
    )


def part_name(function: str, value: object) -> str:
    """One part of a path such as `model/linear1/weight`.

    Raises:
        InputError: it is no string, empty, or holds a slash or a character that does not print.
    """
    if not isinstance(value, str) or not value or "/" in value or not value.isprintable():
        raise InputError(
            f"{function}: {value!r} is no name",
            hint='give a word such as "weight"; slashes are put between the names of parts',
        )
    return value


def array(function: str, name: str, value: object) -> Array:
    """A read-only, contiguous copy in the machine's byte order, of one of Chainrule's types.

    Raises:
        InputError: it is masked, no array, or a nested list whose rows differ in length.
        DTypeError: its element type is none of Chainrule's.
    """
    try:
        given = taken_out(read(value))
    except UnfitError as unfit:
        lost = ", whose mask would be lost" if is_masked(value) else ""
        raise InputError(f"{function}: {name} is {unfit.what}{lost}", hint=unfit.hint) from None
    own = given.dtype.newbyteorder("=")
    if own not in BY_NUMPY:
        raise DTypeError(
            f"{function}: {name} has element type {given.dtype}, which is none of Chainrule's",
            hint="convert it with .astype(numpy.float32) or .astype(numpy.int32)",
        )
    copy = np.array(given, dtype=own, order="C", copy=True)
    copy.flags.writeable = False
    return copy
