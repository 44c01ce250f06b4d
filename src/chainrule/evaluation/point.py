"""A point: a value for every input and state of a graph, and what the graph computes there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chainc.interpreters.reference import evaluate
from chainc.ir import Graph, Node, describe
from chainc.ir.errors import InputError
from chainc.ir.leaves import Input, Slot, initial_graph, number_equal_names
from chainc.ir.types import Array
from chainrule.declare.arguments import array
from chainrule.evaluation.values import Values

Point = Mapping[Node, Array]


def complete(function: str, graph: Graph, at: Values, seed: int) -> Point:
    """The value of every leaf in float64: as given, else its default or first value.

    Raises:
        InputError: a value is missing or unknown; the message says `function: ...`.
    """
    if not isinstance(at, Mapping):
        raise InputError(
            f"{function}: the values are a {type(at).__name__}, not a dictionary",
            hint='name each, such as {"x": 1.0}, or {x: 1.0} for a node x',
        )
    number_equal_names(graph.leaves("state"))
    leaves = {node.op.label: node for node in (*graph.leaves("state"), *graph.leaves("input"))}
    point: dict[Node, Array] = {}
    for key, value in at.items():
        node = leaves.get(key.op.label if isinstance(key, Node) else key)
        if node is None or (isinstance(key, Node) and key is not node):
            raise InputError(
                f"{function}: the graph does not read {key!r}",
                hint=f"give values for {', '.join(leaves) or 'nothing'}",
            )
        point[node] = _as_values(function, node, value)
    for node in leaves.values():
        if node not in point:
            point[node] = _as_values(function, node, _first_value(function, node, seed))
    return point


def _as_values(function: str, node: Node, value: object) -> Array:
    given = array(function, node.op.label, value)
    return given.astype(np.float64) if node.type.dtype.is_float else given


def _first_value(function: str, node: Node, seed: int) -> object:
    if isinstance(node.op, Slot):
        graph = initial_graph([node])
        return evaluate(graph, {"seed": seed} if graph.leaves("input") else {}).outputs[0]
    assert isinstance(node.op, Input)
    if node.op.default is None:
        raise InputError(
            f"{function}: there is no value for {describe(node)}",
            hint=f"give one for {node.op.key!r}",
        )
    return node.op.default


def evaluate_at(graph: Graph, point: Point) -> tuple[Array, ...]:
    """The graph's outputs in float64."""
    inputs = {n.op.label: value for n, value in point.items() if isinstance(n.op, Input)}
    states = {n.op.label: value for n, value in point.items() if isinstance(n.op, Slot)}
    return evaluate(graph, inputs, states).outputs
