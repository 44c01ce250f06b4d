"""Values on their way into a compiled program: checked and converted before anything runs."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chainc.ir import Graph, Node, describe, topological
from chainc.ir.binding import sizes_of
from chainc.ir.errors import InputError, NonFiniteWarning, warn
from chainc.ir.leaves import Input
from chainc.ir.types import Array, bind, names_of
from chainrule.declare.arguments import count, number
from chainrule.declare.arrays import UnfitError, columns_of, convert, read
from chainrule.evaluation.positions import by_name

if TYPE_CHECKING:
    from chainc.lowering.program import IndexBound

Floats = NDArray[np.float64]
ELEMENTS_AT_ONCE = 2**20  # that are looked at for NaN
Values = Mapping[Node, object] | Mapping[str, object] | Mapping[Node | str, object]
Data = Values | Sequence[object] | Array  # by name, in the order of declaration, of one input


def dropped_inputs(graph: Graph) -> tuple[Node, ...]:
    """Inputs of what was differentiated that the derivative does not read: d(3x)/dx is 3.

    A call may give them a value all the same, and a size of the derivative may be theirs alone.
    """
    found: dict[Node, None] = {}
    nodes: Sequence[Node] = graph.nodes
    while nodes:
        found.update(dict.fromkeys(nodes))
        forward = [node.origin.derivative.forward for node in nodes if node.origin.derivative]
        waiting = [node for node in dict.fromkeys(forward) if node not in found]
        nodes = [node for node in topological(waiting) if node not in found]
    known = {node.op.label for node in graph.leaves("input")}
    return tuple(n for n in found if isinstance(n.op, Input) and n.op.key not in known)


def by_key(graph: Graph, *groups: object) -> dict[str, object]:
    """Given values by input name; a name that the graph does not have is refused."""
    known = {node.op.label for node in graph.leaves("input")}
    values: dict[str, object] = {}
    for group in groups:
        for key, value in by_name(graph, group).items():
            name = _name(key)
            if name not in known:
                raise InputError(
                    f"there is no input {name!r}",
                    hint=f"give values for {', '.join(map(repr, sorted(known))) or 'nothing'}; an "
                    "input that no output depends on is not part of the graph",
                )
            values[name] = value
    return values


def check_hyperparameters(graph: Graph, given: Mapping[str, float]) -> None:
    """Refuse what is no scalar input with a default, or no number that it can have."""
    known = [node.op.key for node in graph.leaves("input") if isinstance(node.op, Input)
             and node.op.default is not None]  # fmt: skip
    for name, value in given.items():
        if name not in known:
            raise InputError(
                f"there is no hyperparameter {name!r}",
                hint=f"this program has {', '.join(known) or 'none'}",
            )
        above = 0.0 if "lr" in name.split("_") else -math.inf  # lr_1 of a group, d_lr of a step
        number("run", name, value, above=above, hint="give a finite number; a positive one for lr")


def _name(key: Node | str) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key.op, Input):
        return key.op.key
    raise InputError(
        f"{describe(key)} is not an input, so it cannot be given a value",
        hint="give values for nodes made by cr.input, or for their names",
    )


def as_arrays(
    graph: Graph, values: Mapping[str, object], keep_bytes: Collection[str] = ()
) -> dict[str, Array]:
    """Arrays of exactly the declared types, contiguous, aligned and in the machine's byte order.

    Inputs named in `keep_bytes` may also stay uint8, for programs that convert them row by row.

    Raises:
        InputError: a value is missing, or has another rank, size or element type.
    """
    arrays: dict[str, Array] = {}
    for node in graph.leaves("input"):
        assert isinstance(node.op, Input)
        if node.op.key not in values and node.op.default is None:
            raise InputError(
                f"no value for the input {describe(node)}",
                hint=f"pass {node.op.key}=..., an array of type {node.type}",
            )
        value = values.get(node.op.key, node.op.default)
        arrays[node.op.key] = _as_array(node, value, node.op.key in keep_bytes)
    return arrays


def _as_array(node: Node, value: object, keep_bytes: bool) -> Array:
    try:
        array = read(value)
        kept = keep_bytes and array.dtype == np.uint8
        typed = array if kept else convert(array, node.type.dtype, columns_of(value))
    except UnfitError as unfit:
        raise InputError(
            f"input {describe(node)} cannot take {unfit.what}", hint=unfit.hint
        ) from None
    return np.require(typed, typed.dtype.newbyteorder("="), ["C", "A"])


def check_indices(
    bounds: Sequence[IndexBound], arrays: Mapping[str, Array], sizes: Mapping[str, int]
) -> None:
    """Refuse labels and other indices that are out of range, before anything runs."""
    for index in bounds:
        array, limit = arrays[index.key], bind(index.bound, sizes)
        if not isinstance(limit, int) or array.size == 0:
            continue
        if array.min() < 0 or array.max() >= limit:
            place = np.argwhere(np.less(array, 0) | np.greater_equal(array, limit))[0].tolist()
            raise InputError(
                f"input {index.key!r} holds the index {array[tuple(place)]}"
                f"{f' at {place}' if place else ''}, out of range for an axis of size {limit}",
                where=f"{index.origin.location}, where it is used as an index",
                hint=f"give values from 0 to {limit - 1}",
            )


def with_nan(arrays: Mapping[str, Array]) -> list[str]:
    """The inputs whose arrays hold NaN."""
    return [key for key, array in arrays.items()
            if array.dtype.kind == "f" and any(map(_holds_nan, _parts(array)))]  # fmt: skip


def _holds_nan(array: Array) -> bool:
    return bool(np.isnan(array).any())


def _parts(array: Array) -> Iterator[Array]:
    """The rows, some at a time: an array in a file may be larger than memory."""
    if array.ndim == 0:
        yield array
        return
    rows = max(1, ELEMENTS_AT_ONCE * len(array) // max(array.size, 1))
    for start in range(0, len(array), rows):
        yield array[start : start + rows]


def warn_of_nan(arrays: Mapping[str, Array]) -> None:
    """NaN in training data spoils every parameter: worth a warning, not an error."""
    for key in with_nan(arrays):
        warn(
            NonFiniteWarning,
            f"input {key!r} holds NaN, which will spread to every parameter",
            hint="leave its rows out, or fill them in",
        )


def sizes_for(names: Sequence[str], graph: Graph, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The values of these names; one that no input has is refused."""
    for name in names:
        if name not in sizes:
            carriers = [n.op.label for n in dropped_inputs(graph) if _has(n, name)]
            hint = f"give {carriers[0]} too, an array whose shape says it" if carriers else None
            raise InputError(
                f"the size {name!r} does not follow from the inputs that were given",
                hint=hint or f"set it when compiling: cr.compile(..., {name}=64)",
            )
    return tuple(sizes[name] for name in names)


def sizes_to_warm(names: Sequence[str], given: object) -> tuple[int, ...]:
    """The values of these names, from a number of rows or a mapping that has all of them."""
    hint = f"give {dict.fromkeys(names, 32)}" if len(names) > 1 else "give numbers, such as [1, 32]"
    if not isinstance(given, Mapping) and len(names) < 2:
        return tuple(count("warm_up", name, given, hint=hint) for name in names)
    if not isinstance(given, Mapping) or set(given) != set(names):
        raise InputError(
            f"warm_up: the sizes are {', '.join(map(repr, names)) or 'none'}, got {given!r}",
            hint=hint,
        )
    return tuple(count("warm_up", name, given[name], hint=hint) for name in names)


def _has(node: Node, size: str) -> bool:
    return any(size in names_of(dim) for dim in node.shape)


def sizes_from(graph: Graph, arrays: Mapping[str, Array]) -> dict[str, int]:
    """The named sizes that the arrays' shapes give; an empty one is refused."""
    sizes = sizes_of(graph, {key: array.shape for key, array in arrays.items()})
    empty = [name for name, size in sizes.items() if size == 0]
    if empty:
        raise InputError(
            f"the size {empty[0]!r} is 0: the arrays given are empty",
            hint="give at least one row",
        )
    return sizes
