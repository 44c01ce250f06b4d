"""What is linear in a product of matrices, and reads it several times, is that times one factor.

    d = d_y @ W.T                                          d = d_y @ W.T
    d_x = d * (1 + erf z) / 2 + d * x * exp(-z²) * c   →   d_x = d * ((1 + erf z) / 2 + …)

That is the derivative of a GELU: the factor does not wait for the product, so it is computed where
z is, and behind the product one multiplication is left. The sum is rounded otherwise; an infinity
or a NaN comes through as before.

Needs: the gradient is there. Leaves: what is not linear, or has several results, as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush

from chainc.ir import Graph, Node, apply, originating, with_inputs
from chainc.ir.leaves import constant
from chainc.ops.arithmetic import Add, Multiply, Negative, Subtract
from chainc.ops.contract import Contract
from chainc.rewriting.trace import note, replacing

RULE = "one_factor"


def one_factor(graph: Graph) -> Graph:
    """One multiplication in the place of several, for each product that is read so."""
    several = [
        node
        for node in graph.nodes
        if isinstance(node.op, Contract) and len(set(graph.users[node])) > 1
    ]
    if not several:
        return graph
    positions = {node: position for position, node in enumerate(graph.nodes)}
    linear = (_linear(graph, node, positions) for node in several)
    found = {steps[-1]: steps for steps in linear if steps}
    mapping: dict[Node, Node] = {}
    for node in graph.nodes:
        if node not in found:
            mapping[node] = with_inputs(node, tuple(mapping[each] for each in node.inputs))
            continue
        with originating(replacing(node, RULE)):
            mapping[node] = _multiplied(found[node], mapping)
        note(RULE, node, mapping[node])
    return graph.replace(mapping)


def _linear(graph: Graph, product: Node, positions: Mapping[Node, int]) -> list[Node]:
    """The product and all that is linear in it, if only the last of them is read by others."""
    linear = {product: None}
    roots = set(graph.roots)
    read: set[Node] = set()  # by what is not linear
    waiting: list[int] = []

    def follow(node: Node) -> None:
        if node in roots:
            read.add(node)
        for reader in graph.users[node]:
            heappush(waiting, positions[reader])

    follow(product)
    while waiting and len(read) < 2 and product not in read:
        node = graph.nodes[heappop(waiting)]
        if node in linear:
            continue
        if _is_linear(node, linear):
            linear[node] = None
            follow(node)
        else:
            read.update(operand for operand in node.inputs if operand in linear)
    steps = list(linear)
    return steps if read == {steps[-1]} and product not in read else []


def _is_linear(node: Node, linear: Mapping[Node, None]) -> bool:
    inside = [operand in linear for operand in node.inputs]
    if any(node.type != each.type for each in node.inputs if each in linear):
        return False
    if isinstance(node.op, Multiply):
        return inside.count(True) == 1
    return isinstance(node.op, Add | Subtract | Negative) and all(inside)


def _multiplied(steps: list[Node], mapping: Mapping[Node, Node]) -> Node:
    """The last of what is linear in the first, written with one factor."""
    product = steps[0]
    factors = {product: constant(1, product.type.dtype)}
    for node in steps[1:]:
        if isinstance(node.op, Multiply):
            step, other = sorted(node.inputs, key=lambda operand: operand not in factors)
            one = step is product
            factors[node] = mapping[other] if one else factors[step] * mapping[other]
        else:
            factors[node] = apply(node.op, *(factors[operand] for operand in node.inputs))
    return mapping[product] * factors[steps[-1]]
