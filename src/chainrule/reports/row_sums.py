"""What follows from batches, one after the other: means over rows, and functions of sums over rows.

The mean over all rows is the mean of the batches' means, each by its number of rows. Of a root of a
mean, a ratio or a confusion matrix that does not hold: these follow from the sums that they read.
Of a largest element neither does, so it needs all rows at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from chainc import ir
from chainc.ir import Node, apply, rebuild, with_inputs
from chainc.ir.leaves import Input, SizeOf
from chainc.ir.types import Size, TensorType, float64, has_named_size
from chainc.lowering.lower import lower
from chainc.lowering.rows import rows_are_independent
from chainc.ops import astype
from chainc.ops.arithmetic import Add, Divide, Multiply, Negative, Subtract
from chainc.ops.contract import Contract
from chainc.ops.logic import Cast, StopGradient
from chainc.ops.movement import BroadcastTo, PermuteDims, Reshape
from chainc.ops.reduce import Sum
from chainc.ops.runs.random import Random


class _Kind(Enum):
    """How a value over all rows follows from those over parts of them."""

    FIXED = auto()  # all are equal: no rows are read
    COUNT = auto()  # their sum, and a multiple of the number of rows
    SUM = auto()  # their sum
    MEAN = auto()  # their mean, each by its number of rows
    OTHER = auto()  # not at all


LINEAR = (BroadcastTo, Cast, Negative, PermuteDims, Reshape, StopGradient, Sum)


def means_over_rows(graph: ir.Graph) -> tuple[bool, ...]:
    """For each output of an evaluation: is it a mean over rows, or the same for all of them?

    What cannot be told from the ops is none.
    """
    kinds: dict[Node, _Kind] = {}
    for node in graph.nodes:
        kinds[node] = _kind(node, kinds)
    return tuple(kinds[node] in (_Kind.MEAN, _Kind.FIXED) for node in graph.outputs)


def _kind(node: Node, kinds: Mapping[Node, _Kind]) -> _Kind:
    if isinstance(node.op, SizeOf):
        return _kind_of_size(node.op)
    if isinstance(node.op, Sum) and has_named_size(node.inputs[0].shape):
        return _Kind.SUM if _adds_up_rows(node) else _Kind.OTHER
    if any(has_named_size(each.shape) for each in (node, *node.inputs)):
        return _Kind.OTHER
    given = [kinds[operand] for operand in node.inputs]
    if _Kind.OTHER in given:
        return _Kind.OTHER
    if all(kind is _Kind.FIXED for kind in given):
        return _Kind.FIXED
    if isinstance(node.op, LINEAR):
        rounds = isinstance(node.op, Cast) and not node.type.dtype.is_float
        return _Kind.OTHER if rounds and given[0] is not _Kind.COUNT else given[0]
    return _kind_of_two(node.op, *given) if len(given) == 2 else _Kind.OTHER


def _kind_of_size(op: SizeOf) -> _Kind:
    if isinstance(op.dim, int):
        return _Kind.FIXED
    return _Kind.COUNT if len(op.dim.names) == 1 else _Kind.OTHER


def _kind_of_two(op: ir.Op, a: _Kind, b: _Kind) -> _Kind:
    sums = (_Kind.SUM, _Kind.COUNT)
    match op:
        case Add() | Subtract() if a in sums and b in sums:
            return _Kind.SUM
        case Add() | Subtract() if {a, b} <= {_Kind.MEAN, _Kind.FIXED}:
            return _Kind.MEAN
        case Multiply() if _Kind.FIXED in (a, b):
            return b if a is _Kind.FIXED else a
        case Divide() if b is _Kind.FIXED:
            return a
        case Divide() if a in sums and b is _Kind.COUNT:
            return _Kind.MEAN
        case _:
            return _Kind.OTHER


class Cutter:
    """Cuts off what outputs read of the rows, where that is sums over rows and how many there are.

    Attributes:
        sums: nodes that are sums over rows, of static shapes, and what stands for each of them.
    """

    def __init__(self, rows: Node, name: str, *, independent: bool) -> None:
        """What stands for rows and sums.

        Args:
            rows: stands for their number.
            name: begins that of the inputs that stand for sums.
            independent: what is added up of a row must not depend on the others.
        """
        self.rows = rows
        self.name = name
        self.independent = independent
        self.sums: dict[Node, Node] = {}

    def cut(self, output: Node) -> Node | None:
        """What is computed from the sums; None if the rows are read in another way."""
        above: dict[Node, Node | None] = {}
        for node in ir.Graph((output,)).nodes:
            above[node] = self._above(node, above)
        return above[output]

    def _above(self, node: Node, above: Mapping[Node, Node | None]) -> Node | None:
        """What stands for a node; None if it has rows or mixes them."""
        if isinstance(node.op, SizeOf) and not isinstance(node.op.dim, int):
            return self._size(node.op.dim)
        if has_named_size(node.shape):
            return None
        if any(has_named_size(operand.shape) for operand in node.inputs):
            adds_up = _adds_up_rows(node) if self.independent else _is_sum(node)
            return self._sum(node) if adds_up else None
        operands = [above[operand] for operand in node.inputs]
        known = tuple(operand for operand in operands if operand is not None)
        return with_inputs(node, known) if len(known) == len(operands) else None

    def _size(self, dim: Size) -> Node | None:
        return astype(dim.coefficient * self.rows, "int64") if len(dim.names) == 1 else None

    def _sum(self, node: Node) -> Node:
        if node not in self.sums:
            key = f"{self.name}/{len(self.sums)}"
            self.sums[node] = apply(Input(key, TensorType(node.shape, float64)))
        return astype(self.sums[node], node.type.dtype)


def _adds_up_rows(total: Node) -> bool:
    """Is it a sum over all rows of what each row gives by itself?"""
    if not _is_sum(total):
        return False
    operands = tuple(_with_rows_first(x) for x in total.inputs if has_named_size(x.shape))
    graph = rebuild(ir.Graph(operands), _without_randomness)
    return rows_are_independent(lower(graph))


def _is_sum(total: Node) -> bool:
    return isinstance(total.op, Sum | Contract) and not has_named_size(total.shape)


def _with_rows_first(operand: Node) -> Node:
    """What was transposed for a contraction, as it was before."""
    while isinstance(operand.op, PermuteDims):
        (operand,) = operand.inputs
    return operand


def _without_randomness(node: Node, inputs: tuple[Node, ...]) -> Node:
    """Random numbers, drawn for each batch anew, are as good as given ones."""
    if isinstance(node.op, Random):
        return apply(Input(f"random{id(node)}", node.type))
    return with_inputs(node, inputs)
