"""Sums over steps of what a carry was before each: of what it was after the step before.

    Σ over t of h_(t-1) · g_t   →   Σ over t of h_t · g_(t+1)     where the first h is 0

The left side needs a second copy of all that the loop keeps of `h`, and a product by zeros. It is
how the gradient of a recurrent weight begins.
"""

from __future__ import annotations

from dataclasses import replace

from chainc.ir import Graph, Node, apply, originating, rebuild, with_inputs
from chainc.ops.contract import Contract
from chainc.ops.parts.slicing import getitem
from chainc.ops.runs.scan import Scan
from chainc.passes.rules.rows import is_zero
from chainc.rewriting.trace import note, replacing


def sums_over_steps_after(graph: Graph) -> Graph:
    """Read what is kept after each step in such sums."""

    def summed(node: Node, inputs: tuple[Node, ...]) -> Node:
        new = with_inputs(node, inputs)
        if not isinstance(new.op, Contract):
            return new
        with originating(replacing(new, "sums_over_steps_after")):
            shifted = _of_steps_after(new.op, *inputs)
            if shifted is None:
                return new
            found = apply(new.op, *shifted)
        note("sums_over_steps_after", new, found, "fast")
        return found

    return rebuild(graph, summed)


def _of_steps_after(op: Contract, a: Node, b: Node) -> tuple[Node, Node] | None:
    """Its operands then; the carry may be either of them."""
    found = _shifted(op.a, op.b, op.result, a, b)
    if found is not None:
        return found
    turned = _shifted(op.b, op.a, op.result, b, a)
    return None if turned is None else (turned[1], turned[0])


def _shifted(
    letters: str, others: str, result: str, before: Node, other: Node
) -> tuple[Node, Node] | None:
    """What is kept after all steps but the last, and the other operand of all but the first."""
    after = _kept_after(before)
    step = letters[:1]
    if after is None or step in result or step not in others:
        return None
    assert isinstance(before.op, Scan)
    forwards = not before.op.reverse
    return _without(after, 0, last=forwards), _without(other, others.index(step), last=not forwards)


def _kept_after(before: Node) -> Node | None:
    """The carry after each step, if the other is what it was before, and was 0 at first."""
    loop = before.op
    if not isinstance(loop, Scan) or not isinstance(loop.length, int) or loop.length < 2:
        return None
    place = _carry_before(loop)
    if place is None or not is_zero(before.inputs[place]):
        return None
    following = loop.body.outputs[place]
    for kept in range(loop.carries, len(loop.body.outputs)):
        if loop.body.outputs[kept] is following:
            return apply(replace(loop, result=kept), *before.inputs)
    return None


def _carry_before(loop: Scan) -> int | None:
    """Its place, if that is what is kept of each step."""
    if loop.result < loop.carries:
        return None
    value = loop.body.outputs[loop.result]
    found = (place for place, leaf in loop.leaves.items() if leaf is value)
    return next((place for place in found if place < loop.carries), None)


def _without(x: Node, axis: int, *, last: bool) -> Node:
    """All positions of an axis but the last, or the first."""
    part = slice(None, -1) if last else slice(1, None)
    return getitem(x, (*(slice(None),) * axis, part))
