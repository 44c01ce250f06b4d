"""Copies and pickles of nodes without recursion, so that no graph is too deep for them.

What is not computed from a state slot is immutable, and its copy is itself.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from chainc.ir.types import TensorType

if TYPE_CHECKING:
    from chainc.ir.node import Node, Op
    from chainc.ir.origin import Origin


def deep_copy(node: Node, memo: dict[int, object]) -> Node:
    """The node itself, unless it is computed from a state slot: only slots are copied."""
    for each in ancestry([node]):
        memo[id(each)] = _copy(each, memo)
    copied = memo[id(node)]
    assert isinstance(copied, type(node))
    return copied


def reduction(node: Node) -> tuple[object, ...]:
    """For pickle: a table of what it is computed from; leaves stay one object in one pickle."""
    order = ancestry([node])
    if len(order) == 1:
        return type(node), (node.op, node.inputs, node.type, node.origin)
    return _unpacked, (_packed(order),)


def ancestry(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """All that the nodes are computed from or derived from, each after what it refers to."""
    order: dict[Node, None] = {}
    stack = [(node, False) for node in reversed(nodes)]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            order[node] = None
        elif node not in order:
            stack.append((node, True))
            stack.extend((other, False) for other in reversed(_referred(node)))
    return tuple(order)


def _referred(node: Node) -> tuple[Node, ...]:
    derivative, rewrite = node.origin.derivative, node.origin.rewrite
    forward = (derivative.forward,) if derivative else ()
    replaced = (rewrite.replaced,) if rewrite else ()
    return (*node.inputs, *forward, *replaced)


def _with_references(origin: Origin, others: Sequence[Node]) -> Origin:
    """The origin, speaking of other nodes: its forward node and the one that it replaced."""
    left = iter(others)
    derivative, rewrite = origin.derivative, origin.rewrite
    return replace(
        origin,
        derivative=derivative and replace(derivative, forward=next(left)),
        rewrite=rewrite and replace(rewrite, replaced=next(left)),
    )


def _copy(node: Node, memo: dict[int, object]) -> object:
    if id(node) in memo:
        return memo[id(node)]
    op, referred = copy.deepcopy(node.op, memo), _referred(node)
    others = [other for each in referred if isinstance(other := memo[id(each)], type(node))]
    if op is node.op and all(map(operator.is_, others, referred)):
        return node
    count = len(node.inputs)
    origin = _with_references(node.origin, others[count:])
    return type(node)(op, tuple(others[:count]), node.type, origin)


# A leaf; or an op, a type, an origin that refers to nothing, and the places of what it refers to.
Packed: TypeAlias = "list[Node | tuple[Op, TensorType, Origin, int, tuple[int, ...]]]"


def _packed(order: Sequence[Node]) -> Packed:
    places = {node: place for place, node in enumerate(order)}
    table: Packed = []
    for node in order:
        referred = _referred(node)
        if not referred:
            table.append(node)
            continue
        plain = _with_references(node.origin, [order[0], order[0]])  # a leaf, in place of others
        found = tuple(places[other] for other in referred)
        table.append((node.op, node.type, plain, len(node.inputs), found))
    return table


def _unpacked(table: Packed) -> Node:
    """The last node of a table."""
    nodes: list[Node] = []
    for record in table:
        if not isinstance(record, tuple):
            nodes.append(record)
            continue
        op, found, origin, count, places = record
        referred = [nodes[place] for place in places]
        inputs = tuple(referred[:count])
        nodes.append(type(nodes[0])(op, inputs, found, _with_references(origin, referred[count:])))
    return nodes[-1]
