"""Rows that are looked up for all steps of a loop, and read by it alone: each step finds its own.

    scan(h, take(E, i))   →   scan(h, i), whose step t reads take(E, i_t)

`lift` takes products with rows out of the steps, and the rules in `rules/rows.py` multiply each row
once. What is left is a copy of rows, which are near where they are read: the copy of a step stays
in the cache, that of all steps does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chainc.ir import Graph, Node, apply, originating, rebuild, substitute, with_inputs
from chainc.ops.index import Take
from chainc.ops.parts.slicing import Slice
from chainc.ops.runs.scan import Scan, step_input
from chainc.rewriting.trace import note, replacing


def look_up_in_steps(graph: Graph) -> Graph:
    """Leave each loop the rows and the indices in the place of what is looked up."""
    bodies: dict[object, Graph] = {}

    def stepping(node: Node, inputs: tuple[Node, ...]) -> Node:
        places = _places(graph, node)
        if not places:
            return with_inputs(node, inputs)
        assert isinstance(node.op, Scan)
        found = {place: _looked_up(inputs[place]) for place in places}
        key = node.op.body, *((place, id(inputs[place])) for place in places)
        with originating(replacing(node, "look_up_in_steps")):
            if key not in bodies:
                bodies[key] = _looking_up(node.op, places, inputs)
            operands = [found[i].inputs[1] if i in found else x for i, x in enumerate(inputs)]
            rows = [look.inputs[0] for look in dict.fromkeys(found.values())]
            new = apply(replace(node.op, body=bodies[key]), *operands, *rows)
        note("look_up_in_steps", node, new)
        return new

    return rebuild(graph, stepping)


def _places(graph: Graph, node: Node) -> tuple[int, ...]:
    """Those of the sequences that are looked up, for loops alone."""
    if not isinstance(node.op, Scan):
        return ()
    return tuple(
        place
        for place in range(node.op.carries, node.op.carries + node.op.sequences)
        if place in node.op.leaves and _is_for_steps(graph, _looked_up(node.inputs[place]))
    )


def _looked_up(x: Node) -> Node:
    """What a sequence is, or is a part of in each step."""
    while isinstance(x.op, Slice) and _is_of_steps(x.op, x.inputs[0]):
        x = x.inputs[0]
    return x


def _is_of_steps(cut: Slice, x: Node) -> bool:
    """Does it leave all steps?"""
    return (cut.starts[0], cut.stops[0], cut.steps[0]) == (0, x.shape[0], 1)


def _is_for_steps(graph: Graph, x: Node) -> bool:
    """Are these rows along a first axis of steps, which loops read one after another?"""
    if not isinstance(x.op, Take) or x.op.axis != 0 or x in set(graph.roots):
        return False
    return x.inputs[1].ndim > 1 and _steps_through(graph, x)


def _steps_through(graph: Graph, x: Node) -> bool:
    """Do loops alone read it, as a sequence, or parts of it?"""
    return all(_reads_steps(graph, user, x) for user in graph.users[x])


def _reads_steps(graph: Graph, user: Node, x: Node) -> bool:
    if isinstance(user.op, Scan):
        first, end = user.op.carries, user.op.carries + user.op.sequences
        return all(first <= i < end for i, each in enumerate(user.inputs) if each is x)
    is_part = isinstance(user.op, Slice) and _is_of_steps(user.op, x)
    return is_part and user not in set(graph.roots) and _steps_through(graph, user)


def _looking_up(op: Scan, places: Sequence[int], inputs: Sequence[Node]) -> Graph:
    """The body with indices at these places, and rows behind all other operands."""
    known: dict[Node, Node] = {}
    in_step: dict[Node, Node] = {}

    def of_step(x: Node) -> Node:
        if x not in in_step:
            assert isinstance(x.op, Slice)
            starts, stops, steps = x.op.starts[1:], x.op.stops[1:], x.op.steps[1:]
            in_step[x] = apply(Slice(starts, stops, steps), of_step(x.inputs[0]))
        return in_step[x]

    number = len(inputs)
    for place in places:
        look = _looked_up(inputs[place])
        if look not in in_step:
            rows, indices = look.inputs
            at = step_input(place, indices.type.with_shape(indices.shape[1:]))
            in_step[look] = apply(Take(0), step_input(number, rows.type), at)
            number += 1
        known[op.leaves[place]] = of_step(inputs[place])
    return substitute(op.body, known)
