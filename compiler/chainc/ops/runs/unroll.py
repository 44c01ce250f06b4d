"""Loops written out: the same steps one after the other, each with nodes of its own.

With `last, every = scan(cell, h0, x)` over two slices:

    h1, y0 = cell(h0, x[0])
    h2, y1 = cell(h1, x[1])
    last, every = h2, stack([y0, y1])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, Scope, apply, describe, originating, rebuild, with_inputs
from chainc.ir.errors import GraphError
from chainc.ops.parts.slicing import concat, getitem, stack
from chainc.ops.runs.scan import Scan, with_bodies

__all__: list[str] = []


@dataclass(frozen=True, eq=False)
class StepScope(Scope):
    """One step of a loop that is written out, that of slice number `time`."""

    time: int


def unroll(graph: Graph, steps: int | None = None) -> Graph:
    """The graph with copies of what its loops do in the first steps; its values stay the same.

    The steps are those of the first slices, in either direction: what comes before them in a loop
    that is reversed, or behind them in another one, stays a loop. So does one with a condition.

    Args:
        graph: the loops' numbers of steps are known.
        steps: so many; all of them if there are not more, or by default.

    Raises:
        GraphError: how many steps a loop makes is a named size.
    """
    return unrolled(graph, steps)[0]


def unrolled(graph: Graph, steps: int | None = None) -> tuple[Graph, Mapping[Node, str]]:
    """The same, and what the carries are called behind each step: h1, h2, ….

    Raises:
        GraphError: how many steps a loop makes is a named size.
    """
    if not any(node.op.has_steps for node in graph.nodes):
        return graph, {}
    copies = _Unrolling(steps)
    inside = with_bodies(graph, lambda body: unroll(body, steps))
    return rebuild(inside, copies.node), copies.names


class _Unrolling:
    def __init__(self, steps: int | None) -> None:
        self.steps = steps
        self.done: dict[object, _Copies] = {}
        self.parts: dict[Node, Sequence[Node]] = {}  # what was stacked, and the rest
        self.names: dict[Node, str] = {}

    def node(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        """What stands for it over other operands."""
        if not isinstance(node.op, Scan) or node.op.conditional:
            return with_inputs(node, inputs)
        key = replace(node.op, result=0), *map(id, inputs)
        if key not in self.done:
            self.done[key] = _Copies(node, node.op, inputs, self)
        return self.done[key].result(node.op.result)

    def count(self, node: Node, length: object) -> int:
        """How many steps of a loop are written out."""
        if not isinstance(length, int):
            raise GraphError(
                f"{describe(node)} makes {length} steps: how many copies that are is not known",
                hint=f"declare its inputs with a number in the place of {str(length)!r}",
            )
        return length if self.steps is None else min(length, self.steps)


class _Copies:
    """The steps of a loop that are written out, and the loop that is left."""

    def __init__(
        self, node: Node, loop: Scan, operands: Sequence[Node], around: _Unrolling
    ) -> None:
        self.origin, self.loop, self.operands, self.around = node.origin, loop, operands, around
        self.count = around.count(node, loop.length)
        self.steps: dict[int, Sequence[Node]] = {}  # the outputs of the body in each
        self.rest: Mapping[int, Node] = {}
        carries = operands[: loop.carries]
        if loop.reverse:
            carries = self._rest(carries)
        times = range(self.count)
        for time in reversed(times) if loop.reverse else times:
            self.steps[time] = self._step(time, carries)
            carries = self.steps[time][: loop.carries]
        self.carries = carries if loop.reverse else self._rest(carries)

    def result(self, place: int) -> Node:
        """What stands for a result of the loop."""
        if place < self.loop.carries:
            return self.carries[place]
        with originating(self.origin):
            values = [self.steps[time][place] for time in range(self.count)]
            rest = [self.rest[place]] if place in self.rest else []
            parts = [stack(values), *rest] if values else rest
            every = concat(parts) if len(parts) > 1 else parts[0]
        self.around.parts[every] = [*values, *rest]
        return every

    def _rest(self, carries: Sequence[Node]) -> Sequence[Node]:
        """What the steps that stay a loop make of the carries."""
        assert isinstance(self.loop.length, int)
        left = self.loop.length - self.count
        if self.count and not left:
            return carries
        end = self.loop.carries + self.loop.sequences
        with originating(self.origin):
            tails = [self._tail(each) for each in self.operands[self.loop.carries : end]]
            operands = [*carries, *tails, *self.operands[end:]]
            self.rest = {
                place: apply(replace(self.loop, length=left, result=place), *operands)
                for place in range(len(self.loop.body.outputs))
            }
        return [self.rest[place] for place in range(self.loop.carries)]

    def _tail(self, sequence: Node) -> Node:
        """The slices of the steps that stay a loop."""
        if not self.count:
            return sequence
        known = self.around.parts.get(sequence)
        return known[-1] if known else getitem(sequence, slice(self.count, None))

    def _step(self, time: int, carries: Sequence[Node]) -> Sequence[Node]:
        """The outputs of the body, computed by nodes of this step."""
        step, around = StepScope(f"t = {time}", time), self.origin.scopes
        goes_back = any(node.origin.derivative for node in self.loop.body.nodes)
        derived = self.origin.derivative if goes_back else None
        known = {
            leaf: carries[place] if place < len(carries) else self._given(place, time, step)
            for place, leaf in self.loop.leaves.items()
        }

        def copied(node: Node, inputs: tuple[Node, ...]) -> Node:
            if node in known:
                return known[node]
            scopes = within(node.origin.scopes, (*around, step))
            derivative = node.origin.derivative or derived
            origin = replace(node.origin, scopes=scopes, derivative=derivative)
            return Node(node.op, inputs, node.type, origin)

        outputs = rebuild(self.loop.body, copied).outputs
        for place, node in enumerate(outputs[: self.loop.carries]):
            name = self.loop.called(place)
            dot = "." if name[-1:].isdigit() else ""
            self.around.names.setdefault(node, f"{name}{dot}{time + 1}")
        return outputs

    def _given(self, place: int, time: int, step: Scope) -> Node:
        """What a step reads beside its carries: its slice, or what all of them read."""
        operand = self.operands[place]
        if place >= self.loop.carries + self.loop.sequences:
            return operand
        known = self.around.parts.get(operand)
        if known:
            return known[time]
        with originating(replace(self.origin, scopes=(*self.origin.scopes, step))):
            return getitem(operand, time)


def within(own: Sequence[Scope], around: tuple[Scope, ...]) -> tuple[Scope, ...]:
    """Scopes put inside others, of which they share the outermost."""
    shared = 0
    while own[shared:] and around[shared:] and own[shared] is around[shared]:
        shared += 1
    return (*around, *own[shared:])
