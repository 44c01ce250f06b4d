"""Constants: what does not depend on any input is computed once, when compiling.

    concat(constant, constant)   →   constant
    -(x * 2)                     →   x * -2

A large constant makes a large program, so there are budgets: of bytes for each result, of nodes,
and of scalar operations in all. The last stands for time, and does not depend on the machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from chainc.errors import InputError
from chainc.evaluate import evaluate
from chainc.ir import Graph, Node, apply, originating, rebuild, with_inputs
from chainc.ops.contract import Contract
from chainc.ops.movement import BroadcastTo
from chainc.ops.state import Constant, Input, Literal, SizeOf, State
from chainc.rewrite import Equation, RuleSet, note, replacing, rewrite
from chainc.types import TensorType, coefficient_of, float32, names_of, static

MAX_BYTES = 1 << 20  # of a result
MAX_GROWTH = 4  # times the bytes of its operands, unless the result is small
SMALL_BYTES = 1 << 12
MAX_NODES = 10_000
MAX_OPERATIONS = 50_000_000

rule = RuleSet()

ROWS = TensorType((2, 3), float32)  # an operand to test rules with


def fold(graph: Graph) -> Graph:
    """Compute what is constant, in the node's own element type, and move signs into numbers.

    Needs: any graph. Leaves: no op over constants within the budgets. What would raise an error
    when the program runs is left for then. A sign is no longer where the canonical form has it.
    """
    budget = _Budget()
    return rewrite(rebuild(graph, budget.folded), rule)


@dataclass
class _Budget:
    """What is left to spend."""

    nodes: int = MAX_NODES
    operations: int = MAX_OPERATIONS

    def folded(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        new = with_inputs(node, inputs)
        if not _is_constant(new) or not self._affords(new):
            return new
        values = [operand.op.value.array for operand in inputs if isinstance(operand.op, Constant)]
        try:
            value = evaluate(new, values)
        except InputError:  # an index out of range: an error of the program, not of compiling it
            return new
        with originating(replacing(new, "fold")):
            constant = apply(Constant(Literal(value)))
        note("fold", new, constant)
        return constant

    def _affords(self, node: Node) -> bool:
        """Take the cost from the budgets, where it fits and the result is not too large."""
        size = coefficient_of(node.type.nbytes)
        known = sum(coefficient_of(operand.type.nbytes) for operand in node.inputs)
        if size > MAX_BYTES or size > max(SMALL_BYTES, MAX_GROWTH * known):
            return False
        cost = _operations(node)
        if self.nodes < 1 or self.operations < cost:
            return False
        self.nodes -= 1
        self.operations -= cost
        return True


def _is_constant(node: Node) -> bool:
    """Does it compute something, of a known size, from constants only?"""
    if isinstance(node.op, Constant | Input | State | BroadcastTo):  # to repeat is not to compute
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
    return apply(Constant(Literal(np.negative(c.value.array))))
