"""What every loop is declared with: carries, a function that is a step, and the step as a graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from inspect import signature

import numpy as np

from chainc.ir import Graph, Node, describe, substitute, topological
from chainc.ir.errors import GraphError, ShapeError
from chainc.ir.leaves import Constant, SizeOf, constant
from chainc.ops.runs.modes import Updating
from chainc.ops.runs.scan import step_input

Nodes = Node | Sequence[Node]


def check_carries(loop: str, before: Sequence[Node], after: Sequence[Node]) -> None:
    """A step must give as many carries as it gets, of the same types."""
    if len(after) != len(before):
        raise GraphError(
            f"{loop}: the cell gives {len(after)} carries for {len(before)}",
            hint="return as many as it is called with, in the same order",
        )
    for old, new in zip(before, after, strict=True):
        if old.type != new.type:
            raise ShapeError(
                f"{loop}: the carry is {old.type} before a step and {new.type} after it",
                where=f"{describe(old)}\n         {describe(new)}",
                hint="let the cell keep shape and element type, or begin with the type that "
                "it gives",
            )


def check_function(
    loop: str, what: str, function: object, arguments: Sequence[object], given: str, hint: str
) -> Sequence[str]:
    """What it calls its arguments; refused if it cannot be called so."""
    if callable(function) and not isinstance(function, type):
        try:
            found = signature(function)
            found.bind(*arguments)
            return list(found.parameters)
        except TypeError:
            pass  # refused below
        except ValueError:  # a function of Python's own, which does not tell
            return ()
    is_function = callable(function) and not isinstance(function, type)
    named = what if is_function else f"{what}, {told(function)},"
    raise GraphError(f"{loop}: {named} cannot be called with {given}", hint=hint)


def numbered(name: str, count: int) -> Sequence[str]:
    """Names for several that are called alike."""
    return [name] if count == 1 else [f"{name} {number + 1}" for number in range(count)]


def closed(
    loop: str, inputs: Sequence[Node], outputs: Sequence[Node]
) -> tuple[Graph, Sequence[Node]]:
    """A step as a graph over its inputs, and the nodes that it reads from outside."""
    order = topological(outputs)
    inside = set(inputs)
    for node in order:
        if not inside.isdisjoint(node.inputs):
            inside.add(node)
    _refuse_updates(loop, inside)
    read = (operand for node in order if node in inside for operand in node.inputs)
    outside = [
        node for node in dict.fromkeys((*read, *outputs)) if node not in inside and not _stays(node)
    ]
    known = {
        node: step_input(position, node.type)
        for position, node in enumerate(outside, start=len(inputs))
    }
    return substitute(Graph(tuple(outputs)), known), outside


def _refuse_updates(loop: str, inside: Iterable[Node]) -> None:
    for node in inside:
        if isinstance(node.op, Updating):
            raise GraphError(
                f"{loop}: {describe(node)} updates a state in a loop",
                hint="carry what changes from step to step",
            )


def _stays(node: Node) -> bool:
    """Is it a number, which a loop may as well hold?"""
    return isinstance(node.op, SizeOf) or (isinstance(node.op, Constant) and node.ndim == 0)


def nodes(loop: str, what: str, given: object) -> tuple[list[Node], bool]:
    """One node or several, and whether they are several."""
    if isinstance(given, Sequence) and not isinstance(given, str):
        return [node for each in given for node in nodes(loop, what, each)[0]], True
    if isinstance(given, Node):
        return [given], False
    if isinstance(given, np.ndarray | int | float):
        return [constant(given)], False
    raise GraphError(f"{loop}: {what} is {told(given)}", hint="give a node, or a tuple of nodes")


def told(given: object) -> str:
    return "None" if given is None else f"a {type(given).__name__}"
