"""Rules of `convolve` about parts: what is put together from them is not added up.

    pad(x) + pad(y)              →   pad(concat(x, y))           where one begins as the other ends
    (pad(x) + pad(y)) + pad(z)   →   pad(x) + (pad(y) + pad(z))  where these two do

The gradient of something that was cut into gates or heads is such a sum.
"""

from __future__ import annotations

from chainc.ir import Node, apply
from chainc.ir.types import TensorType, float32, named
from chainc.ops.arithmetic import add
from chainc.ops.parts.slicing import Concat, Pad
from chainc.rewriting.rules import Equation, RuleSet

rule = RuleSet()

PART = TensorType((named("batch"), 2), float32)  # an operand to test rules with
FIRST = Pad((0, 0), (0, 4), (0, 0))
SECOND = Pad((0, 2), (0, 2), (0, 0))
THIRD = Pad((0, 4), (0, 0), (0, 0))


@rule.fast(at=[(FIRST, SECOND, PART, PART), (THIRD, SECOND, PART, PART)])
def neighbours(p: Pad, q: Pad, x: Node, y: Node) -> Equation:
    """They differ in the sign of a zero."""
    return apply(p, x) + apply(q, y), lambda: _joined(p, q, x, y)


@rule.fast(at=[(FIRST, THIRD, SECOND, PART, PART, PART), (SECOND, FIRST, THIRD, PART, PART, PART)])
def neighbour_of_a_term(p: Pad, q: Pad, r: Pad, x: Node, y: Node, z: Node) -> Equation:
    """They differ in the sign of a zero."""
    a, b, c = apply(p, x), apply(q, y), apply(r, z)

    def together() -> Node | None:
        if (joined := _joined(q, r, y, z)) is not None:
            return add(a, joined)
        if (joined := _joined(p, r, x, z)) is not None:
            return add(joined, b)
        return None

    return (a + b) + c, together


def _joined(p: Pad, q: Pad, x: Node, y: Node) -> Node | None:
    """Of two paddings with zeros, that of both parts; None where they are no neighbours."""
    axis = _axis(p)
    if axis is None or axis != _axis(q) or p.value != 0 or q.value != 0:
        return None
    if p.low[axis] > q.low[axis]:
        return _joined(q, p, y, x)
    length = x.shape[axis]
    if not isinstance(length, int) or p.low[axis] + length != q.low[axis]:
        return None
    every = (*_parts(x, axis), *_parts(y, axis))
    return apply(Pad(p.low, q.high, p.interior), apply(Concat(axis), *every))


def _parts(x: Node, axis: int) -> tuple[Node, ...]:
    return x.inputs if x.op == Concat(axis) else (x,)


def _axis(pad: Pad) -> int | None:
    """The only one that is padded, at its ends."""
    ends = [axis for axis, pair in enumerate(zip(pad.low, pad.high, strict=True)) if any(pair)]
    return ends[0] if len(ends) == 1 and not any(pad.interior) else None
