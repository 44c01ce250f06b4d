"""A loop that ends by a condition, as nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainc.ir import Node, Operand, apply, describe
from chainc.ir.errors import ShapeError
from chainc.ir.leaves import constant
from chainc.ir.types import TensorType, bool_, int64
from chainc.ops.runs.random import drawing_in_step
from chainc.ops.runs.scan import Scan, step_input
from chainrule.declare.arguments import count
from chainrule.sequences.steps import Nodes, check_carries, check_function, closed, nodes, numbered

LOOP = "while_loop"


def while_loop(
    condition: Callable[..., Node],
    body: Callable[..., Nodes],
    carry: Operand | Sequence[Operand],
    *,
    limit: int,
) -> tuple[Nodes, Node]:
    """A loop: `carry = body(carry)` while `condition(carry)`, at most `limit` times.

        def halve(x):
            return x / 2.0
        small, steps = cr.while_loop(lambda x: x > 1.0, halve, carry=x, limit=100)

    Both functions are called when the loop is declared. What else they read is the same in all
    steps; what the body draws at random is new in each. A derivative goes through all steps up to
    the limit, of which those behind the end change nothing, and takes the time and memory of all.

    Args:
        condition: of a carry, one Boolean: is there another step?
        body: of a carry, the next one; its types must stay.
        carry: before the first step, a node or several.
        limit: how many steps there are at most.

    Returns:
        The last carry, a node or several as it was given, and the number of steps as int64.

    Raises:
        GraphError: the functions cannot be called with the carry, or give something else.
        ShapeError: a step changes the type of a carry, or the condition is not one Boolean.
        InputError: the limit is no positive whole number.
    """
    first, several = nodes(LOOP, "the carry", carry)
    most = count(LOOP, "limit", limit, hint="give the largest number of steps, such as limit=1000")
    inputs = [step_input(position, each.type) for position, each in enumerate(first)]
    done = step_input(len(inputs), TensorType((), int64))
    more = step_input(len(inputs) + 1, TensorType((), bool_))

    def given(nodes: Sequence[Node]) -> Nodes:
        return tuple(nodes) if several else nodes[0]

    for what, function, hint in (
        ("the condition", condition, "give a function, such as lambda carry: carry > 0.0"),
        ("the body", body, "give a function, such as def body(carry): return carry * 0.5"),
    ):
        called = check_function(LOOP, what, function, (given(inputs),), "the carry", hint)
    own = [each for name in called[:1] for each in numbered(name, len(first))]
    names = (*own, "steps", "another step") if own else ()
    before = _holds(condition(given(first)))
    with drawing_in_step(done):
        nexts, _ = nodes(LOOP, "the next carry", body(given(inputs)))
        check_carries(LOOP, first, nexts)
        after = _holds(condition(given(nexts)))
    step, fixed = closed(LOOP, [*inputs, done, more], [*nexts, done + 1, after])
    operands = [*first, constant(0, int64), before, *fixed]
    results = [
        apply(Scan(step, len(first) + 2, 0, most, place, names=names, conditional=True), *operands)
        for place in range(len(first) + 1)
    ]
    return given(results[:-1]), results[-1]


def _holds(found: object) -> Node:
    (node,), _ = nodes(LOOP, "the condition", [found])
    if node.type != TensorType((), bool_):
        raise ShapeError(
            f"{LOOP}: the condition is {node.type}, not one Boolean",
            where=describe(node),
            hint="compare one number, such as cr.max(error) > 0.001",
        )
    return node
