"""Constants: what does not depend on any input is computed once, when compiling.

    concat(constant, constant)   →   constant
    -(x * 2)                     →   x * -2

A large constant makes a large program, so there is a budget: of bytes for each result, of nodes,
and of scalar operations in all. The last stands for time, and does not depend on the machine.
"""

from __future__ import annotations

import math

import numpy as np

from chainc.dataclass import dataclass
from chainc.interpreters.evaluate import evaluate_node
from chainc.ir import Graph, Node, apply, originating, rebuild, with_inputs
from chainc.ir.errors import InputError
from chainc.ir.leaves import Constant, ConstantArray, Input, SizeOf, Slot
from chainc.ir.types import TensorType, coefficient_of, float32, names_of, static
from chainc.ops.contract import Contract
from chainc.ops.movement import BroadcastTo
from chainc.rewriting.rewrite import rewrite
from chainc.rewriting.rules import Equation, RuleSet
from chainc.rewriting.trace import note, replacing

SMALL = 1 << 12  # bytes of a result that may be much larger than its operands
GROWTH = 4  # how much larger others may be

rule = RuleSet()

ROWS = TensorType((2, 3), float32)  # an operand to test rules with


@dataclass
class Budget:
    """What folding may spend: bytes for each result, results, scalar operations in all."""

    bytes: int = 1 << 20
    nodes: int = 10_000
    operations: int = 50_000_000

    def affords(self, node: Node) -> bool:
        """Take the cost from the budget, where it fits and the result is not too large."""
        size = coefficient_of(node.type.nbytes)
        known = sum(coefficient_of(operand.type.nbytes) for operand in node.inputs)
        cost = _operations(node)
        if size > self.bytes or size > max(SMALL, GROWTH * known):
            return False
        if self.nodes < 1 or self.operations < cost:
            return False
        self.nodes -= 1
        self.operations -= cost
        return True


def fold(graph: Graph, budget: Budget | None = None) -> Graph:
    """Compute what is constant, in the node's own element type, and move signs into numbers.

    Needs: any graph. Leaves: no op over constants within the budget. What would raise an error
    when the program runs is left for then. A sign is no longer where the canonical form has it.
    """
    left = budget or Budget()
    return rewrite(rebuild(graph, lambda node, inputs: _folded(node, inputs, left)), rule)


def _folded(node: Node, inputs: tuple[Node, ...], budget: Budget) -> Node:
    new = with_inputs(node, inputs)
    if not _is_constant(new) or not budget.affords(new):
        return new
    try:
        value = evaluate_node(new, [x.op.value.array for x in inputs if isinstance(x.op, Constant)])
    except InputError:  # an index out of range: an error of the program, not of compiling it
        return new
    with originating(replacing(new, "fold")):
        result = apply(Constant(ConstantArray(value)))
    note("fold", new, result)
    return result


def _is_constant(node: Node) -> bool:
    """Does it compute something, of a known size, from constants only?"""
    if isinstance(node.op, Constant | Input | Slot | BroadcastTo):  # to repeat is not to compute
        return False
    dims = (*node.shape, node.op.dim) if isinstance(node.op, SizeOf) else node.shape
    if any(names_of(dim) for dim in dims) or node.type.size == 0:
        return False
    return all(isinstance(operand.op, Constant) for operand in node.inputs)


def _operations(node: Node) -> int:
    """About how many scalar operations the node takes."""
    if isinstance(node.op, Contract):
        sizes = node.op.sizes(*(operand.type for operand in node.inputs))
        return math.prod(static(tuple(sizes.values())))
    return sum(coefficient_of(part.type.size) for part in (node, *node.inputs))


@rule.exact(alone=True, at=[(ROWS, 2.0)])
def minus_into_factor(x: Node, c: Constant) -> Equation:
    return -(x * apply(c)), lambda: x * _opposite(c)


@rule.exact(alone=True, at=[(2.0, ROWS)])
def minus_into_numerator(c: Constant, x: Node) -> Equation:
    return -(apply(c) / x), lambda: _opposite(c) / x


def _opposite(c: Constant) -> Node:
    return apply(Constant(ConstantArray(np.negative(c.value.array))))
