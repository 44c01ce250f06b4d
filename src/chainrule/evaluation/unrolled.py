"""Loops written out for the views that go through a graph node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainc.ir import Graph, Node
from chainc.ir.binding import bind_graph, sizes_of
from chainc.ir.leaves import Input
from chainc.ops.runs.unroll import unrolled
from chainrule.evaluation.values import Values


def written_out(
    nodes: Sequence[Node], values: Values | None = None
) -> tuple[Sequence[Node], Mapping[Node, str]]:
    """Nodes whose graph has no loop, and what its carries are called behind each step.

    How many steps there are is known, or follows from the shapes of the inputs' values.

    Raises:
        GraphError: it is a named size.
    """
    graph = Graph(tuple(nodes))
    if not any(node.op.has_steps for node in graph.nodes):
        return nodes, {}
    graph, names = unrolled(graph if values is None else _bound(graph, values_by_name(values)))
    return graph.outputs, names


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
