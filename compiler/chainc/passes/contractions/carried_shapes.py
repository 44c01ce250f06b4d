"""Carries go through a loop in the shape that its steps read and give, and so stay in place.

c → g(reshape(c, s)) in the shape of c   →   d → g(d) in the shape s;   d = reshape(c, s) before
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chainc.ir import Graph, Node, apply, rebuild, substitute, with_inputs
from chainc.ir.types import Shape
from chainc.ops.movement import Reshape, reshape
from chainc.ops.runs.scan import Scan, step_input


def in_shapes_of_steps(graph: Graph) -> Graph:
    """The graph with carries of its loops in the only shape that a step asks for, if it is one."""
    bodies: dict[Graph, tuple[Graph, Mapping[int, Shape]]] = {}
    given: dict[tuple[Node, Shape], Node] = {}  # one for all results of a loop

    def changing(node: Node, inputs: tuple[Node, ...]) -> Node:
        loop = node.op
        if not isinstance(loop, Scan):
            return with_inputs(node, inputs)
        if loop.body not in bodies:
            shapes = _shapes(loop)
            bodies[loop.body] = (_in_shapes(loop, shapes) if shapes else loop.body), shapes
        body, shapes = bodies[loop.body]
        if not shapes:
            return with_inputs(node, inputs)
        pairs = [(x, shapes.get(place, x.shape)) for place, x in enumerate(inputs)]
        operands = [given.setdefault(pair, reshape(*pair)) for pair in pairs]
        return reshape(apply(replace(loop, body=body), *operands), node.shape)

    return rebuild(graph, changing)


def _shapes(loop: Scan) -> Mapping[int, Shape]:
    """Other ones than they have, by the places of carries."""
    places = {leaf: place for place, leaf in loop.leaves.items() if place < loop.carries}
    asked: dict[int, set[Shape]] = {place: set() for place in places.values()}
    for reader in loop.body.nodes:
        for operand in reader.inputs:
            if operand in places:
                asked[places[operand]].add(_shape_inside(reader, operand))
    for place, after in enumerate(loop.body.outputs[: loop.carries]):
        if place in asked:
            asked[place].add(_shape_inside(after, after, back=True))
    own = {place: leaf.shape for leaf, place in places.items()}
    return {
        place: shape
        for place, shapes in asked.items()
        for shape in shapes
        if len(shapes) == 1 and shape != own[place]
    }


def _shape_inside(node: Node, other: Node, *, back: bool = False) -> Shape:
    """Of what a reshape gives, or is given; of anything else, as it is."""
    if not isinstance(node.op, Reshape):
        return other.shape
    return node.inputs[0].shape if back else node.shape


def _in_shapes(loop: Scan, shapes: Mapping[int, Shape]) -> Graph:
    known: dict[Node, Node] = {}
    for place, shape in shapes.items():
        leaf = loop.leaves[place]
        new = step_input(place, leaf.type.with_shape(shape))
        known[leaf] = apply(Reshape(leaf.shape), new)
    outputs: Sequence[Node] = [
        reshape(each, shapes.get(place, each.shape)) for place, each in enumerate(loop.body.outputs)
    ]
    return substitute(Graph(tuple(outputs)), known)
