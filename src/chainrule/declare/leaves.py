"""Declaring the leaves of a graph: inputs, parameters, constants, sizes and the step counter."""

from __future__ import annotations

import builtins
import functools
import keyword
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from chainc.ir import Node, apply
from chainc.ir import leaves as state
from chainc.ir.errors import DTypeError, InputError, ShapeError
from chainc.ir.leaves import Initializer, Input, Label, Slot, step_counter
from chainc.ir.types import (
    Array,
    Dim,
    DType,
    Shape,
    Size,
    TensorType,
    float32,
    format_shape,
    named,
    names_of,
)
from chainc.ops.logic import as_dtype
from chainc.ops.movement import DimLike, as_flag
from chainrule.declare import init
from chainrule.declare.arguments import array, count, part_name, shown
from chainrule.declare.arrays import UnfitError, columns_of, convert, read
from chainrule.declare.init import InitializerLike

__all__ = ["constant", "input", "parameter", "size", "step_counter"]


def input(
    name: str,
    shape: Sequence[DimLike] = (),
    dtype: DType | str = "float32",
    default: float | None = None,
) -> Node:
    """A value given when the graph runs.

    Args:
        name: the keyword under which the value is given.
        shape: one entry an axis: a number, or the name of a size that is known only then, such as
            "batch"; equal names stand for equal sizes.
        dtype: float32, float64, int32, int64, uint8 or bool.
        default: of a scalar, the value where none is given; such an input is a hyperparameter.

    Raises:
        InputError: the name or the default cannot be used.
        ShapeError: the shape is none.
        DTypeError: the element type is unknown.
    """
    _check_keyword("input", name)
    type = TensorType(_shape(f"input {name!r}", shape), as_dtype(dtype))
    return apply(Input(name, type, _default(name, type, default)))


def parameter(
    name: str,
    shape: Sequence[int],
    initializer: InitializerLike,
    *,
    trainable: bool = True,
    dtype: DType | str = "float32",
) -> Node:
    """A named value that lives outside the graph, such as a weight.

    Inside a layer its full name is `model/linear1/weight`. The initialiser is tried once, so that
    one that does not fit is an error here.

    Args:
        name: its own part of the full name.
        shape: known sizes only.
        initializer: from `cr.init`, or the name of one, such as "he_normal"; a number for every
            element, or an array of values; or a function (type, seed, stream) -> node.
        trainable: whether an optimizer changes it.
        dtype: its element type.

    Raises:
        InputError: the name or the initialiser cannot be used.
        ShapeError: the shape has a named size, or the initialiser does not fit it.
        DTypeError: the element type is unknown, or does not fit the initialiser.
        GraphError: the initialiser gives a node of another type.
    """
    part_name("parameter", name)
    sizes = _shape(f"parameter {name!r}", shape)
    if any(names_of(dim) for dim in sizes):
        raise ShapeError(
            f"parameter {name!r}: the shape {format_shape(sizes)} has a named size",
            hint="give numbers: a parameter keeps its shape whatever the batch is",
        )
    trained = as_flag("parameter", "trainable", trainable)
    type = TensorType(sizes, as_dtype(dtype))
    first = init.as_initializer(initializer)
    node = apply(Slot(Label(name), type, first, trained))
    if builtins.type(first) in init.BY_VALUE:
        _tried(first, type)
    else:
        state.initial_graph([node])
    return node


@functools.lru_cache(maxsize=256)
def _tried(initializer: Initializer, type: TensorType) -> None:
    """Equal layers have equal ones, which are tried once."""
    state.initial_graph([apply(Slot(Label("parameter"), type, initializer))])


def constant(value: npt.ArrayLike, dtype: DType | str | None = None) -> Node:
    """A value that is part of the graph: a number, a nested list, or an array.

    Without `dtype` an array keeps its element type; Python's numbers become float32, int64, bool.

    Raises:
        InputError: it is masked, or no array.
        DTypeError: its element type is none of Chainrule's.
    """
    given = array("constant", "the value", value)
    target = None if dtype is None else as_dtype(dtype)
    if target is None and not isinstance(value, (np.ndarray, np.generic)) and given.dtype == float:
        target = float32
    if target is None:
        return state.constant(given)
    try:
        return state.constant(convert(given, target, columns_of(value)))
    except UnfitError as unfit:
        raise DTypeError(
            f"constant: a value of {target.name} cannot take {unfit.what}", hint=unfit.hint
        ) from None


def size(name: str) -> Node:
    """The number that a named size stands for, as an int64 scalar: the true batch size.

    Raises:
        ShapeError: the name is no name.
    """
    return state.size(_dim("size", name))


def by_layer(parameters: Iterable[Node]) -> Mapping[str, Sequence[Node]]:
    """Parameters by layer, in their order: `model/linear1/bias` is of `model/linear1`.

    One that is in no layer stands alone, under its own name.
    """
    layers: dict[str, list[Node]] = {}
    for each in parameters:
        label = each.op.label
        layers.setdefault(label.rpartition("/")[0] or label, []).append(each)
    return layers


def _check_keyword(function: str, name: object) -> None:
    usable = isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)
    if not usable:
        raise InputError(
            f"{function}: {name!r} is no name under which a value can be given",
            hint='use a word such as "x": letters, digits and _, and no keyword of Python',
        )


def _shape(function: str, shape: Sequence[DimLike]) -> Shape:
    if isinstance(shape, (str, Size)) or not isinstance(shape, Sequence):
        raise ShapeError(
            f"{function}: the shape {shown(shape)} is no sequence of sizes",
            hint='give a tuple, such as ("batch", 64), ("batch",) or ()',
        )
    return tuple(_dim(function, dim) for dim in shape)


def _dim(function: str, dim: object) -> Dim:
    if isinstance(dim, Size):
        return dim
    if isinstance(dim, str):
        if not dim.isidentifier() or keyword.iskeyword(dim):
            raise ShapeError(
                f"{function}: {dim!r} is no name of a size",
                hint='use a word such as "batch": letters, digits and _',
            )
        return named(dim)
    try:
        return count(function, "a size", dim, at_least=0, hint="")
    except InputError:
        raise ShapeError(
            f"{function}: {shown(dim)} is no size",
            hint='give a whole number that is not negative, or a name such as "batch"',
        ) from None


def _default(name: str, type: TensorType, default: float | None) -> float | int | None:
    if default is None:
        return None
    if type.shape != ():
        raise InputError(
            f"input {name!r}: only a scalar can have a default, not {type}",
            hint="leave the default out, or declare the input with shape=()",
        )
    try:
        given = read(default)
    except UnfitError:
        given = None
    if given is None or not _fits(given, type.dtype):
        raise InputError(
            f"input {name!r}: the default {default!r} is no {type.dtype.name}",
            hint="give a number of that type, or another dtype",
        )
    number: float | int = given.item()
    return float(number) if type.dtype.is_float else number


def _fits(value: Array, dtype: DType) -> bool:
    if value.shape != ():
        return False
    if dtype.is_float:
        return value.dtype.kind in "fiu"
    if dtype.kind == "b" or value.dtype.kind not in "iu":
        return value.dtype.kind == dtype.kind
    limits = np.iinfo(dtype.name)
    return bool(limits.min <= value.item() <= limits.max)
