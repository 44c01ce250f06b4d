"""Loops written out for the views that go through a graph node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainc.ir import Graph, Node
from chainc.ir.binding import bind_graph, sizes_of
from chainc.ir.leaves import Input
from chainc.ops.runs.scan import Scan
from chainc.ops.runs.unroll import unrolled
from chainrule.evaluation.values import Values

MOST_COPIES = 4_000  # nodes of all steps, that a view goes through one by one


def written_out(
    nodes: Sequence[Node], values: Values | None = None, most: int = MOST_COPIES
) -> tuple[Sequence[Node], Mapping[Node, str]]:
    """Nodes whose graph has no loop, and what its carries are called behind each step.

    How many steps there are is known, or follows from the shapes of the inputs' values. Loops that
    would give more than `most` nodes stay loops.

    Raises:
        GraphError: it is a named size.
    """
    graph = Graph(tuple(nodes))
    if not any(node.op.has_steps for node in graph.nodes):
        return nodes, {}
    bound = graph if values is None else _bound(graph, values_by_name(values))
    if _copies(bound) > most:
        return nodes, {}
    written, names = unrolled(bound)
    return written.outputs, names


def _copies(graph: Graph) -> int:
    """How many nodes the steps of all loops have; a loop in a loop counts in each of its steps."""
    bodies = {
        node.op.body: node.op.length for node in graph.nodes if isinstance(node.op, Scan)
    }  # once for all results of a loop
    return sum(
        (length if isinstance(length, int) else 1) * (len(body.nodes) + _copies(body))
        for body, length in bodies.items()
    )


def values_by_name(values: Values) -> Values:
    """Values of inputs and states by their names: with sizes bound, inputs are other nodes."""
    given: object = values
    if not isinstance(given, Mapping):
        return values  # refused where it is read
    pairs = values.items()
    return {key.op.label if isinstance(key, Node) else key: value for key, value in pairs}


def _bound(graph: Graph, values: Values) -> Graph:
    """With numbers for the sizes that inputs show, if all of them are given."""
    inputs = [node.op.key for node in graph.leaves("input") if isinstance(node.op, Input)]
    given: object = values
    known = dict(given) if isinstance(given, Mapping) else {}
    shapes = {key: np.shape(np.asarray(known[key])) for key in inputs if key in known}
    return bind_graph(graph, sizes_of(graph, shapes)) if len(shapes) == len(inputs) else graph
