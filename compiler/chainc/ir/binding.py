"""Binding of named sizes: found from the shapes of actual inputs, put into a graph."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, Op, apply, describe, originating, rebuild
from chainc.ir.errors import InputError
from chainc.ir.leaves import Input, SizeOf
from chainc.ir.types import Dim, Size, TensorType, bind, coefficient_of, format_shape, names_of


def bind_graph(graph: Graph, sizes: Mapping[str, int]) -> Graph:
    """The graph with integers in place of the named sizes that `sizes` knows.

    Types are inferred again; origins, output names and update slots stay, and a node in which
    no such name occurs stays the same object.

    Raises:
        ShapeError: an op does not allow the size, such as the maximum over no elements.
    """
    return _Binding(sizes).graph(graph) if sizes else graph


class _Binding:
    """Sizes to put in the place of names, and what has been done with graphs that ops hold."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.sizes = sizes
        self.bodies: dict[Graph, Graph] = {}  # so that the results of one loop share theirs

    def graph(self, graph: Graph) -> Graph:
        return rebuild(graph, self._node)

    def _node(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        op = self._op(node.op)
        if op is node.op and all(new is old for new, old in zip(inputs, node.inputs, strict=True)):
            return node
        with originating(node.origin):
            return apply(op, *inputs)

    def _op(self, op: Op) -> Op:
        changes: dict[str, object] = {}
        for field in dataclasses.fields(op):
            old = getattr(op, field.name)
            new = self._attribute(old)
            if new is not old:
                changes[field.name] = new
        return dataclasses.replace(op, **changes) if changes else op

    def _attribute(self, value: object) -> object:
        """The attribute with its names bound; itself where none occurs."""
        if isinstance(value, Size):
            found = any(name in self.sizes for name in value.names)
            return bind(value, self.sizes) if found else value
        if isinstance(value, TensorType):
            shape = self._attribute(value.shape)
            return value if shape is value.shape else value.bind(self.sizes)
        if isinstance(value, Graph):
            return self._body(value)
        if isinstance(value, Op):
            return self._op(value)
        if isinstance(value, tuple):
            parts = tuple(map(self._attribute, value))
            return value if all(a is b for a, b in zip(parts, value, strict=True)) else parts
        return value

    def _body(self, body: Graph) -> Graph:
        if body not in self.bodies:
            bound = self.graph(body)
            unchanged = all(a is b for a, b in zip(bound.roots, body.roots, strict=True))
            self.bodies[body] = body if unchanged else bound
        return self.bodies[body]


@dataclass(frozen=True)
class _Axis:
    """One axis of a given input: the declared size, and the actual one."""

    input: Node
    key: str
    position: int
    declared: Dim
    actual: int

    def __str__(self) -> str:
        return f"{self.actual} on axis {self.position} of input {self.key!r}"


def sizes_of(graph: Graph, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """The named sizes that give the graph's inputs the given shapes, by input key.

    Raises:
        InputError: a shape has the wrong rank or size, two shapes disagree on a named size, or
            the shapes leave one open.
    """
    open_axes = [axis for node in graph.leaves("input") for axis in _axes(node, shapes)]
    sizes: dict[str, int] = {}
    sources: dict[str, _Axis] = {}
    while open_axes:
        remaining = [axis for axis in open_axes if not _solve(axis, sizes, sources)]
        if len(remaining) == len(open_axes):
            raise _undetermined(remaining[0], sizes)
        open_axes = remaining
    return sizes


def _axes(node: Node, shapes: Mapping[str, tuple[int, ...]]) -> Sequence[_Axis]:
    assert isinstance(node.op, Input)
    key = node.op.key
    if key not in shapes:
        return ()
    shape = shapes[key]
    if len(shape) != node.ndim:
        raise InputError(
            f"input {key!r} is declared {node.type} and got an array of shape "
            f"{format_shape(shape)}",
            where=describe(node),
            hint=f"give an array of {node.ndim} axes, {format_shape(node.shape)}",
        )
    return [
        _Axis(node, key, position, declared, actual)
        for position, (declared, actual) in enumerate(zip(node.shape, shape, strict=True))
    ]


def _solve(axis: _Axis, sizes: dict[str, int], sources: dict[str, _Axis]) -> bool:
    """Check an axis whose names are known; find its name when it is the only open one."""
    left = bind(axis.declared, sizes)
    if isinstance(left, int):
        if left != axis.actual:
            raise _disagreement(axis, sources)
        return True
    if len(set(left.names)) > 1:
        return False
    name, power = left.names[0], len(left.names)
    root = round((axis.actual / left.coefficient) ** (1 / power))
    if left.coefficient * root**power != axis.actual:
        raise InputError(
            f"input {axis.key!r} has size {axis}, which is not {left} for any {name}",
            where=describe(axis.input),
            hint=f"give a size that {coefficient_of(left)} divides",
        )
    sizes[name] = root
    sources[name] = axis
    return True


def _disagreement(axis: _Axis, sources: Mapping[str, _Axis]) -> InputError:
    names = names_of(axis.declared)
    if not names:
        return InputError(
            f"input {axis.key!r} is declared {axis.input.type} and got {axis.actual} on axis "
            f"{axis.position}",
            where=describe(axis.input),
            hint=f"give an array of shape {format_shape(axis.input.shape)}",
        )
    source = sources[names[0]]
    return InputError(
        f"the inputs disagree on the size {str(axis.declared)!r}: {source}, but {axis}",
        where=f"{describe(source.input)}\n         {describe(axis.input)}",
        hint=f"give {source.key!r} and {axis.key!r} arrays that agree on {names[0]!r}",
    )


def _undetermined(axis: _Axis, sizes: Mapping[str, int]) -> InputError:
    unknown = sorted(set(names_of(bind(axis.declared, sizes))))
    return InputError(
        f"the sizes {', '.join(unknown)} do not follow from the shapes of the inputs: "
        f"{axis.declared} is {axis}",
        where=describe(axis.input),
        hint=f"declare an input with an axis {unknown[0]!r} of its own",
    )


def too_small(graph: Graph, sizes: Mapping[str, int]) -> tuple[Node, int] | None:
    """A node that needs a larger size, and what it would get."""
    for node in graph.leaves("size"):
        found = bind(node.op.dim, sizes) if isinstance(node.op, SizeOf) else 0
        if isinstance(node.op, SizeOf) and isinstance(found, int) and found < node.op.least:
            return node, found
    return None
