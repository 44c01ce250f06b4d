"""One node as an equation: its op over the names of its operands."""

from __future__ import annotations

from collections.abc import Sequence

from chainc.formulas import blackboard
from chainc.formulas.blackboard import ENTRYWISE, PRODUCT, Blackboard, EntrywiseBlackboard, Written
from chainc.formulas.local_derivative import transposed, written_product
from chainc.ir import Node
from chainc.ir.types import Shape
from chainc.ops.contract import Contract
from chainc.ops.elementwise import Elementwise
from chainc.ops.formula import Formula
from chainc.ops.logic import StopGradient
from chainc.ops.movement import PermuteDims
from chainc.ops.reduce import Reduce

SIGNS = {"Σ": r"\sum", "Π": r"\prod"}


def write_op(node: Node, operands: Sequence[Written]) -> Written:
    """The op's formula over its operands: `x W + b`, `σ(z)`, `Σ z`."""
    op = node.op
    if isinstance(op, Elementwise) and not _is_called_by_name(op):
        tensors = sum(operand.ndim > 0 for operand in node.inputs)
        board = EntrywiseBlackboard() if tensors > 1 else Blackboard()
        return op.interpret(board, operands)
    if isinstance(op, Contract):
        return written_product(op, *operands)
    if isinstance(op, Reduce) and op.symbol in SIGNS:
        return over_axes(op.symbol, node.inputs[0].shape, op.axes, operands[0])
    if isinstance(op, PermuteDims) and op.axes == (1, 0):
        return transposed(operands[0])
    return blackboard.call(op.symbol or op.label, *operands)


def _is_called_by_name(op: Elementwise) -> bool:
    one_word = op.symbol.replace("_", "").isalnum() and op.arity() == 1
    return one_word or isinstance(op, (Formula, StopGradient))


def over_axes(sign: str, shape: Shape, axes: Sequence[int], inner: Written) -> Written:
    """A sum or product over some axes, or over all, where nothing stands below the sign."""
    within = inner.within(PRODUCT)  # a sum reaches as far as the product after it
    if len(axes) == len(shape):
        return Written(f"{sign} {within.text}", f"{SIGNS[sign]} {within.latex}", ENTRYWISE)
    below = ", ".join(axis_name(shape, axis) for axis in axes)
    latex = rf"{SIGNS[sign]}_{{\text{{{blackboard.escaped(below)}}}}} {within.latex}"
    return Written(f"{sign}[{below}] {within.text}", latex, ENTRYWISE)


def axis_name(shape: Shape, axis: int) -> str:
    """`batch` for an axis of a named size, else its number."""
    dim = shape[axis]
    return f"axis {axis}" if isinstance(dim, int) else str(dim)


def shape_latex(shape: Shape) -> str:
    """`batch × 64`, for math mode."""
    sizes = [str(dim) for dim in shape]
    return r" \times ".join(s if s.isdigit() else blackboard.word(s) for s in sizes) or "1"
