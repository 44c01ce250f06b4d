"""Arrays of every kind as NumPy's, and numbers of one type as another that means the same.

Lists, NumPy arrays, tables of pandas and polars, tensors of PyTorch and JAX: whatever has
`__array__`, a buffer or DLPack. Floating-point numbers are rounded to the wanted precision; whole
numbers and truth values must be there exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import TypeGuard, cast

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from chainc.ir.errors import ChainruleError
from chainc.ir.python.foreign import is_masked
from chainc.ir.types import BY_NAME, Array, DType

PLAIN = (np.ndarray, np.generic, bool, int, float, complex, str, bytes, list, tuple)


class UnfitError(Exception):
    """Values that are no array of numbers, or that another type cannot hold."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def is_array(value: object) -> TypeGuard[npt.ArrayLike]:
    """Is it a list, an array or a tensor, rather than a number or something else?"""
    if isinstance(value, (str, bytes, Real)):
        return False
    return isinstance(value, (list, tuple)) or hasattr(value, "__array__") or _by_dlpack(value)


WHOLE = (bool, int, np.integer, np.bool_)


def read(value: object) -> Array:
    """The values as a NumPy array of any type, in their own memory where that is possible.

    Raises:
        UnfitError: it is masked, ragged or no array.
    """
    if is_masked(value):
        raise UnfitError("a masked array", "fill it first, such as array.filled(0)")
    try:
        _refuse_missing(value)
        given = _numbers_alone(value)
        array = np.from_dlpack(given) if _by_dlpack(given) else np.asarray(given)
    except UnfitError:
        raise
    except ChainruleError:
        raise
    except Exception as error:  # whatever a foreign `__array__` raises
        raise _unreadable(value, error) from error
    if array.ndim == 0 and array.dtype == object and not _is_number(array[()]):
        raise UnfitError(
            f"a {type(value).__name__}, which is no array of element type float32 or another "
            "(NumPy reads an object)",
            "give an array of numbers, such as numpy.asarray(values).astype(numpy.float32)",
        )
    return array


def convert(array: Array, wanted: DType, columns: Sequence[object] = ()) -> Array:
    """The same numbers as `wanted`; a copy only where the type differs.

    Args:
        array: what `read` gave.
        wanted: the element type.
        columns: names of a table's columns, for messages.

    Raises:
        UnfitError: a number does not fit; it names the row and column of the first.
    """
    if array.dtype == wanted.numpy:
        return array
    numbers = _numbers(array, wanted, columns)
    if wanted.is_float:
        return _as_floats(numbers, wanted, columns)
    if numbers.dtype.kind == "f":
        raise _unfit_type(numbers.dtype, wanted)
    return _as_whole(numbers, wanted, columns)


def taken_out(array: Array) -> Array:
    """Numbers that are Python objects, as pandas gives nullable ones, in a type that holds them."""
    if array.dtype != object or not all(map(_is_number, array.flat)):
        return array
    whole = all(isinstance(item, WHOLE) for item in array.flat)
    return _numbers(array, BY_NAME["int64" if whole else "float64"], ())


def columns_of(value: object) -> tuple[object, ...]:
    """The names of a table's columns; none of an array."""
    if isinstance(value, PLAIN):
        return ()
    names: object = getattr(value, "column_names", None) or getattr(value, "columns", None)
    try:
        return tuple(names) if hasattr(names, "__iter__") else ()
    except TypeError:
        return ()


def _numbers_alone(value: object) -> object:
    """A tensor of PyTorch without its place in a graph, and in a precision that NumPy has."""
    if isinstance(value, PLAIN):
        return value
    for step, needed in (("detach", True), ("float", str(_dtype(value)) == "torch.bfloat16")):
        method: object = getattr(value, step, None)
        if needed and callable(method):
            value = method()
    return value


def _refuse_missing(value: object) -> None:
    """A missing value of pandas, polars or Arrow, which each would give as NaN."""
    columns = columns_of(value)
    if not columns:
        _refuse_missing_in(value, "")
    elif hasattr(value, "__getitem__"):
        for name in columns:
            _refuse_missing_in(value[name], f", column {name!r}")


def _refuse_missing_in(column: object, of: str) -> None:
    if isinstance(column, PLAIN) or isinstance(_dtype(column), np.dtype):
        return  # NumPy's types have none
    asked: object = getattr(column, "is_null", None) or getattr(column, "isna", None)
    missing = np.asarray(asked() if callable(asked) else False)
    if missing.ndim == 1 and missing.any():
        raise UnfitError(
            f"a missing value in row {int(missing.argmax())}{of}",
            "fill it or drop its row first, such as with fill_null(0) or fillna(0)",
        )


def _dtype(value: object) -> object:
    return getattr(value, "dtype", None)


def _by_dlpack(value: object) -> TypeGuard[NDArray[np.generic]]:
    """Does it offer nothing else?"""
    ours = isinstance(value, PLAIN) or hasattr(value, "__array__")
    return not ours and hasattr(value, "__dlpack__")


def _unreadable(value: object, error: Exception) -> UnfitError:
    if isinstance(value, (list, tuple)) and isinstance(error, ValueError):
        return UnfitError(f"no array: {error}", "give rows of equal length")
    return UnfitError(
        f"a {type(value).__name__}, which cannot be read: {error}",
        "give numbers in the memory of this machine, such as tensor.detach().cpu().numpy()",
    )


def _numbers(array: Array, wanted: DType, columns: Sequence[object]) -> Array:
    """Numbers of a type that NumPy calculates with; objects that are numbers are taken out."""
    if array.dtype.kind in "fiub" or np.can_cast(array.dtype, np.float32, "safe"):
        return array
    if array.dtype.kind == "c" or array.dtype.kind in "mMV":
        raise _unfit_type(array.dtype, wanted)
    wrong = [place for place in np.ndindex(array.shape) if not _is_number(array[place])]
    if wrong:
        raise _unfit(array, wrong[0], wanted, columns)
    whole = all(isinstance(item, WHOLE) for item in array.flat)
    wide = [place for place in np.ndindex(array.shape) if not _fits(array[place], whole, wanted)]
    if wide:
        raise _unfit(array, wide[0], wanted, columns)
    inside = whole and all(abs(int(item)) < 2**63 for item in array.flat)
    return array.astype(np.int64 if inside else np.float64)


def _fits(value: object, whole: bool, wanted: DType) -> bool:
    """Can NumPy hold a number of Python's, which may be of any size?"""
    if not isinstance(value, int):
        return True
    return abs(value) < (2**1023 if wanted.is_float or not whole else 2**63)


def _is_number(value: object) -> bool:
    return isinstance(value, (Real, np.bool_))


def _as_floats(array: Array, wanted: DType, columns: Sequence[object]) -> Array:
    with np.errstate(all="ignore"):
        rounded: NDArray[np.floating] = array.astype(wanted.numpy)
    grows = array.dtype.kind == "f" and array.dtype.itemsize > wanted.itemsize
    if grows:
        lost = np.isinf(rounded) & np.isfinite(array.astype(np.longdouble))
        _refuse_any(array, lost, wanted, columns)
    return rounded


def _as_whole(array: Array, wanted: DType, columns: Sequence[object]) -> Array:
    low, high = (0, 1) if wanted.kind == "b" else _limits(wanted)
    if array.dtype.kind != "b" and array.size:
        whole = cast("NDArray[np.integer]", array)
        _refuse_any(array, (whole < low) | (whole > high), wanted, columns)
    return array.astype(wanted.numpy)


def _limits(wanted: DType) -> tuple[int, int]:
    limits = np.iinfo(wanted.name)
    return int(limits.min), int(limits.max)


def _refuse_any(
    array: Array, lost: NDArray[np.bool_], wanted: DType, columns: Sequence[object]
) -> None:
    if not lost.any():
        return
    place = np.unravel_index(int(lost.argmax()), lost.shape)
    raise _unfit(array, tuple(map(int, place)), wanted, columns)


def _unfit(
    array: Array, place: tuple[int, ...], wanted: DType, columns: Sequence[object]
) -> UnfitError:
    value = array[place]
    shown = repr(value.item() if isinstance(value, np.generic) else value)
    hint = (
        f"give numbers that {wanted.numpy} can hold, converted with .astype(numpy.{wanted.numpy})"
    )
    if isinstance(value, str):
        hint = (
            "give numbers: of categories their codes, such as column.astype('category').cat.codes"
        )
    return UnfitError(f"{shown[:60]}{_place(place, columns)}, of element type {array.dtype}", hint)


def _place(place: tuple[int, ...], columns: Sequence[object]) -> str:
    """Where it stands, counted from 0 as Python does."""
    if not place:
        return ""
    if len(place) > 2:
        return f" at {list(place)}"
    row = f" in row {place[0]}"
    if len(place) == 1:
        return row
    named = place[1] < len(columns)
    return f"{row}, column {columns[place[1]]!r}" if named else f"{row}, column {place[1]}"


def _unfit_type(found: np.dtype[np.generic], wanted: DType) -> UnfitError:
    return UnfitError(f"element type {found}", f"convert it with .astype(numpy.{wanted.numpy})")
