"""Common subexpressions: what is computed twice is computed once.

    exp(x) + exp(x)              →   e + e             with e = exp(x)
    a * b, b * a                 →   the same node
    sum(x, keepdims=True)        →   reshape(s)        where s = sum(x) is there already

Until here two lines of the user's program stay two nodes.
"""

from __future__ import annotations

from chainc.ir import Graph, Node, apply, originating, rebuild, with_inputs
from chainc.ops.movement import Reshape
from chainc.ops.reduce import Reduce
from chainc.rewriting.trace import note, replacing


def cse(graph: Graph) -> Graph:
    """Merge nodes that compute the same.

    Needs: any graph; it finds more in the canonical form. Leaves: no two nodes of equal op over
    the same operands. Random ops are merged like any other: what they draw is given by operands
    and attributes.
    """
    known: dict[tuple[object, ...], Node] = {}

    def shared(node: Node, inputs: tuple[Node, ...]) -> Node:
        new = with_inputs(node, inputs)
        twin = known.setdefault(_value(new), new)
        if twin is new:
            return new
        if twin.type != new.type:
            return _reshaped(new, twin)
        if node.inputs:
            note("same_value", node, twin)
        return twin

    return rebuild(graph, shared)


def _value(node: Node) -> tuple[object, ...]:
    """A key that nodes share which compute the same."""
    operands = map(id, node.inputs)
    if isinstance(node.op, Reduce):
        return type(node.op), node.op.axes, *operands
    if node.op.commutative:
        return node.op, *sorted(operands)
    return node.op, *operands, node.type


def _reshaped(node: Node, twin: Node) -> Node:
    """A reduction from one that differs in whether it keeps its axes."""
    with originating(replacing(node, "same_reduction")):
        result = apply(Reshape(node.shape), twin)
    note("same_reduction", node, result)
    return result
