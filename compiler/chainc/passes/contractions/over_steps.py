"""An op for all steps of a loop at once: what it is over operands with a first axis of steps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from string import ascii_letters

from chainc.dataclass import dataclass
from chainc.ir import Node, Op, apply
from chainc.ir.types import Dim, Shape, int64, product
from chainc.ops import arange, astype, logical_and, where
from chainc.ops.contract import Contract
from chainc.ops.elementwise import Elementwise
from chainc.ops.index import OneHot, Pick, ScatterAdd, Take
from chainc.ops.movement import (
    BroadcastTo,
    Flip,
    PermuteDims,
    Reshape,
    broadcast_to,
    reshape,
)
from chainc.ops.parts.slicing import Pad, Slice
from chainc.ops.reduce import Reduce


@dataclass(frozen=True)
class Steps:
    """The operands of a node in all steps.

    Attributes:
        shape: of the node, in one step.
        stepped: which operands have the axis of steps: one of them at least.
    """

    shape: Shape
    operands: Sequence[Node]
    stepped: Sequence[bool]

    @property
    def length(self) -> Dim:
        """How many steps there are."""
        pairs = zip(self.operands, self.stepped, strict=True)
        return next(operand.shape[0] for operand, stepped in pairs if stepped)

    def aligned(self) -> Sequence[Node]:
        """Operands that broadcast to the shape behind the axis of steps."""
        pairs = zip(self.operands, self.stepped, strict=True)
        return [self._aligned(operand) if stepped else operand for operand, stepped in pairs]

    def _aligned(self, x: Node) -> Node:
        missing = len(self.shape) - (x.ndim - 1)
        shape = (x.shape[0], *((1,) * missing), *x.shape[1:])
        return apply(Reshape(shape), x) if missing else x


@singledispatch
def over_steps(_op: Op, _steps: Steps) -> Node | None:
    """The values of an op in all steps, along a first axis; None where no op gives them."""
    return None


@over_steps.register
def _elementwise(op: Elementwise, steps: Steps) -> Node | None:
    return apply(op, *steps.aligned())


@over_steps.register
def _contract(op: Contract, steps: Steps) -> Node | None:
    step = free_letter(op)
    a, b = (step * has + each for each, has in zip((op.a, op.b), steps.stepped, strict=True))
    return apply(Contract(a, b, step + op.result), *steps.operands)


@over_steps.register
def _reduce(op: Reduce, steps: Steps) -> Node | None:
    axes = tuple(axis + 1 for axis in op.axes)
    return apply(type(op)(axes, op.keepdims), *steps.operands)


@over_steps.register
def _reshape(_op: Reshape, steps: Steps) -> Node | None:
    return apply(Reshape((steps.length, *steps.shape)), *steps.operands)


@over_steps.register
def _permute(op: PermuteDims, steps: Steps) -> Node | None:
    return apply(PermuteDims((0, *(axis + 1 for axis in op.axes))), *steps.operands)


@over_steps.register
def _broadcast(_op: BroadcastTo, steps: Steps) -> Node | None:
    return apply(BroadcastTo((steps.length, *steps.shape)), *steps.aligned())


@over_steps.register
def _flip(op: Flip, steps: Steps) -> Node | None:
    return apply(Flip(tuple(axis + 1 for axis in op.axes)), *steps.operands)


@over_steps.register
def _slice(op: Slice, steps: Steps) -> Node | None:
    stops = (steps.length, *op.stops)
    return apply(Slice((0, *op.starts), stops, (1, *op.steps)), *steps.operands)


@over_steps.register
def _pad(op: Pad, steps: Steps) -> Node | None:
    pad = Pad((0, *op.low), (0, *op.high), (0, *op.interior), op.value)
    return apply(pad, *steps.operands)


@over_steps.register
def _take(op: Take, steps: Steps) -> Node | None:
    if steps.stepped[0] or op.axis != 0:
        return None
    return apply(op, *steps.operands)


@over_steps.register
def _scatter_add(op: ScatterAdd, steps: Steps) -> Node | None:
    """What every step adds to is one list of rows: a step's are behind those of the one before.

    So what is added to may stay where it is. An index that is out of range stays so.
    """
    x, indices, updates = steps.operands
    before, extent, after = x.shape[: op.axis + 1], x.shape[op.axis + 1], x.shape[op.axis + 2 :]
    rows = product(before)
    if not all(steps.stepped) or not isinstance(rows, int) or not isinstance(extent, int):
        return None
    indices = astype(indices, int64)
    each = (x.shape[0], *((1,) * op.axis), *indices.shape[1:])
    spread = broadcast_to(reshape(indices, each), (*before, *indices.shape[1:]))
    first = reshape(arange(rows) * extent, (*before, *((1,) * (indices.ndim - 1))))
    inside = logical_and(0 <= spread, spread < extent)
    places = reshape(where(inside, spread + first, -1), (-1,))
    new = reshape(updates, (product(places.shape), *after))
    every = apply(ScatterAdd(0), reshape(x, (rows * extent, *after)), places, new)
    return reshape(every, x.shape)


@over_steps.register
def _one_hot(op: OneHot, steps: Steps) -> Node | None:
    return apply(op, *steps.operands)


@over_steps.register
def _pick(op: Pick, steps: Steps) -> Node | None:
    return apply(op, *steps.operands) if all(steps.stepped) else None


def free_letter(op: Contract) -> str:
    """One that names none of the axes of a contraction."""
    return next(letter for letter in ascii_letters if letter not in op.a + op.b)
