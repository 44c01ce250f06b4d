"""The oracle: the direct meaning of every op (`evaluate.py`) in NumPy float64.

No passes, no fusion, nothing in place: what another backend computes is compared with this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

import numpy as np
import numpy.typing as npt

from chainc.dataclass import dataclass
from chainc.interpreters.evaluate import Held, evaluate_node
from chainc.ir import Graph, Node, describe
from chainc.ir.binding import bind_graph, sizes_of
from chainc.ir.errors import InputError
from chainc.ir.leaves import Input, Slot
from chainc.ir.types import Array, DType, Size, format_shape, static
from chainc.ops.runs.random import with_own_streams


@dataclass(frozen=True)
class Evaluation:
    """What one evaluation of a graph gives; `updates` holds new values by state name."""

    outputs: tuple[Array, ...]
    updates: Mapping[str, Array] = field(default_factory=dict)


def held_as(dtype: DType) -> np.dtype[np.generic]:
    """The element type in which the oracle holds values declared as `dtype`."""
    return np.dtype(np.float64) if dtype.is_float else dtype.numpy


def evaluate(
    graph: Graph,
    inputs: Mapping[str, npt.ArrayLike],
    states: Mapping[str, npt.ArrayLike] | None = None,
    held: Held = held_as,
) -> Evaluation:
    """Compute the graph for input values by key and state values by name.

    Floating-point values are computed and returned in float64, whatever their declared type;
    integers and Booleans keep theirs; `held` chooses other types. Named sizes are those of the
    inputs' shapes.

    Raises:
        InputError: a value is missing, unknown or does not fit its type; an index is out of range.
    """
    given = {key: np.asarray(value) for key, value in inputs.items()}
    _refuse_unknown(graph, given)
    sizes = sizes_of(graph, {key: a.shape for key, a in given.items()})
    bound = bind_graph(with_own_streams(graph), sizes)
    slots = {key: np.asarray(value) for key, value in (states or {}).items()}
    values: dict[Node, Array] = {}
    for node in bound.nodes:
        _refuse_named_sizes(node)
        operands = [values[operand] for operand in node.inputs]
        values[node] = _compute(node, operands, given, slots, held)
    return Evaluation(
        tuple(values[node] for node in bound.outputs),
        {slot.op.label: values[value] for slot, value in bound.updates.items()},
    )


def _refuse_unknown(graph: Graph, given: Mapping[str, Array]) -> None:
    known = {node.op.label for node in graph.leaves("input")}
    for key in given:
        if key not in known:
            raise InputError(
                f"the graph has no input {key!r}",
                hint=f"its inputs are {', '.join(sorted(known)) or 'none'}",
            )


def _compute(
    node: Node,
    operands: Sequence[Array],
    given: Mapping[str, Array],
    slots: Mapping[str, Array],
    held: Held,
) -> Array:
    dtype = held(node.type.dtype)
    if isinstance(node.op, Input):
        return _given(node, node.op.key, given, node.op.default, dtype)
    if isinstance(node.op, Slot):
        return _given(node, str(node.op.key), slots, None, dtype)
    return evaluate_node(node, operands, held)


def _given(
    node: Node,
    name: str,
    values: Mapping[str, Array],
    default: float | int | None,
    dtype: np.dtype[np.generic],
) -> Array:
    if name not in values and default is not None:
        return np.full(static(node.shape), default, dtype)
    if name not in values:
        raise InputError(
            f"no value for {node.op.name} {name!r}",
            where=describe(node),
            hint=f"give an array of type {node.type}",
        )
    value = values[name]
    fits = np.can_cast(value.dtype, dtype, "same_kind")
    if value.shape != static(node.shape) or not fits:
        raise InputError(
            f"{node.op.name} {name!r} is declared {node.type} and got {value.dtype} "
            f"{format_shape(value.shape)}",
            where=describe(node),
            hint=f"give an array of type {node.type}",
        )
    return value.astype(dtype, copy=False)


def _refuse_named_sizes(node: Node) -> None:
    unbound = [dim for dim in node.shape if isinstance(dim, Size)]
    if unbound:
        raise InputError(
            f"the size {str(unbound[0])!r} of {node.op.label} {node.type} is not known",
            where=describe(node),
            hint="give an input that has such an axis, or bind the size first",
        )
