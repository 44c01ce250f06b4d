"""Leaves that were declared apart and would be one: two inputs, or two draws of random numbers."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from chainc import ir
from chainc.ir import Node, describe
from chainc.ir.errors import GraphError
from chainc.ir.leaves import Constant, Input
from chainc.ops.runs.random import Random


def refuse_shared(graph: ir.Graph) -> None:
    """Copies of one declaration are one; hyperparameters of one name too.

    Raises:
        GraphError: there are two inputs of one name, or two draws of the same numbers.
    """
    _refuse(
        _inputs(graph),
        "two inputs have the name {name!r}, so they would be one",
        "declare it once and use it twice, or rename one of them",
    )
    _refuse(
        _draws(graph),
        "two draws have one seed, step and stream, so their numbers are the same",
        'leave the stream out, name others, such as stream="noise/1", or use one node twice',
    )


def _refuse(named: Iterator[tuple[Hashable, str, Node]], what: str, hint: str) -> None:
    seen: dict[Hashable, Node] = {}
    for key, name, node in named:
        other = seen.setdefault(key, node)
        if other is not node and other.origin is not node.origin:
            raise GraphError(
                what.format(name=name),
                where=f"{describe(other)}\n         {describe(node)}",
                hint=hint,
            )


def _inputs(graph: ir.Graph) -> Iterator[tuple[Hashable, str, Node]]:
    for node in graph.leaves("input"):
        if isinstance(node.op, Input) and node.op.default is None:
            yield node.op.key, node.op.key, node


def _draws(graph: ir.Graph) -> Iterator[tuple[Hashable, str, Node]]:
    for node in graph.nodes:
        if isinstance(node.op, Random):
            yield (node.op, *map(_value, node.inputs)), "", node


def _value(operand: Node) -> Hashable:
    """Equal constants are one value, other nodes each its own."""
    return operand.op if isinstance(operand.op, Constant) else id(operand)
