"""Feedback: other matrices on the way back, in a gradient that is derived already.

before: ∂L/∂x = ∂L/∂y Wᵀ        after: ∂L/∂x = ∂L/∂y Bᵀ
"""

from __future__ import annotations

from collections.abc import Mapping

from chainc.ir import Graph, Node, rebuild
from chainc.ir.graph import with_inputs


def feed_back(graph: Graph, matrices: Mapping[tuple[Node, Node], Node]) -> Graph:
    """The graph whose local derivatives of some nodes read other operands.

    Args:
        graph: holds gradients; the way forward in it stays.
        matrices: by a node of the way forward and an operand of it, what its derivatives read in
            the operand's place; of the operand's type.
    """

    def fed(node: Node, inputs: tuple[Node, ...]) -> Node:
        why = node.origin.derivative
        if why is None:
            return with_inputs(node, inputs)
        read = tuple(
            matrices.get((why.forward, before), after)
            for before, after in zip(node.inputs, inputs, strict=True)
        )
        return with_inputs(node, read)

    return rebuild(graph, fed)
