"""Loops of a graph as kernels that own a program.

last, every = scan(cell, h0, x)     h = copy(h0)
→   loop over t: x_t, every_t = slices of x, every
every_t = tanh(x_t @ wx + h @ wh + b)
h = every_t
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Protocol

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, apply, originating
from chainc.ir import substitute as with_nodes
from chainc.ir.leaves import Label, Slot
from chainc.ir.text import to_text
from chainc.ir.types import TensorType
from chainc.lowering.kernels import Applied, Copy, Kernel
from chainc.lowering.memory import substitute
from chainc.lowering.program import Loop, Program
from chainc.lowering.views import Buffer, Operand, View
from chainc.ops.runs.scan import Scan

CARRY = "carry"  # before its place, the key of the state that stands for it


@dataclass(frozen=True)
class Step:
    """What a step does for some results of a loop, as a graph: its carries are state slots.

    `kept` are the places, among the outputs of the loop's body, of the graph's outputs.
    """

    graph: Graph
    kept: tuple[int, ...]

    @classmethod
    def of(cls, steps: Scan, wanted: Set[int]) -> Step:
        """For the results at these places."""
        kept = tuple(place for place in sorted(wanted) if place >= steps.carries)
        outputs = steps.body.outputs
        last = (place for place in wanted if place < steps.carries)
        carries = sorted(steps.carries_of([outputs[place] for place in kept], last))
        slots = {place: _slot(place, outputs[place]) for place in carries}
        known = {leaf: slots[place] for place, leaf in steps.leaves.items() if place in slots}
        body = with_nodes(Graph(tuple(outputs[place] for place in (*kept, *carries))), known)
        results, nexts = body.outputs[: len(kept)], body.outputs[len(kept) :]
        pairs = zip(carries, nexts, strict=True)
        changed = {slots[place]: value for place, value in pairs if value is not slots[place]}
        return cls(Graph(results, changed), kept)


def _slot(place: int, following: Node) -> Node:
    """It is for the line of what it holds next, wherever the program is lowered."""
    with originating(following.origin):
        return apply(Slot(Label(f"{CARRY}{place}"), following.type))


class Writer(Protocol):
    """Writes the kernels of the program around a loop."""

    kernels: list[Kernel]
    computed: Node | None

    def work(self, type: TensorType) -> Buffer: ...
    def viewed(self, operand: Operand) -> View: ...
    def copy(self, operand: Operand) -> View: ...
    def emit(self, kernel: Kernel) -> View: ...


class Loops:
    """Those of a graph; each is done where the first of its results is asked for."""

    def __init__(self, graph: Graph, lower: Callable[[Graph], Program]) -> None:
        self._lower = lower
        self._texts: dict[Graph, str] = {}
        self._wanted: dict[object, set[int]] = {}
        self._done: dict[object, Mapping[int, Operand]] = {}
        for node in graph.nodes:
            if isinstance(node.op, Scan):
                self._wanted.setdefault(self._loop_of(node, node.op), set()).add(node.op.result)

    def _loop_of(self, node: Node, steps: Scan) -> tuple[object, ...]:
        """Equal for all results of one loop."""
        if steps.body not in self._texts:
            self._texts[steps.body] = to_text(steps.body, comments=False)
        form = steps.carries, steps.sequences, steps.length, steps.reverse, steps.conditional
        return *form, self._texts[steps.body], *map(id, node.inputs)

    def result(self, writer: Writer, operands: Sequence[Operand]) -> Operand:
        """Of the node that is being computed."""
        node = writer.computed
        assert node is not None
        assert isinstance(node.op, Scan)
        steps, key = node.op, self._loop_of(node, node.op)
        if key not in self._done:
            self._done[key] = self._write(writer, node, steps, self._wanted[key], operands)
        return self._done[key][steps.result]

    def _write(
        self,
        writer: Writer,
        node: Node,
        steps: Scan,
        wanted: Set[int],
        operands: Sequence[Operand],
    ) -> Mapping[int, Operand]:
        step = Step.of(steps, wanted)
        program, outputs = with_outputs(_checking(self._lower(step.graph)))
        writer.kernels.extend(program.prologue)
        found: dict[int, Operand] = {}
        outside: dict[Buffer, Buffer] = {}
        slices: list[tuple[Buffer, Buffer]] = []
        for state in program.states:
            first = writer.copy(operands[_place_of(state)])
            found[_place_of(state)], outside[state] = first, first.buffer
        for buffer in program.inputs:
            view = writer.viewed(operands[_place_of(buffer)])
            whole = (view if view.whole else writer.copy(view)).buffer
            if _place_of(buffer) < steps.carries + steps.sequences:
                slices.append((buffer, whole))
            else:
                outside[buffer] = whole
        for place, out in zip(step.kept, outputs, strict=True):
            every = replace(writer.work(steps.stacked(out.type)), name=out.name)
            found[place] = View(every, every.type)
            slices.append((out, every))
        inside = replace(program, inputs=(), prologue=())
        unchanged = wanted - found.keys()  # no step reads or writes them
        same = {place: operands[place] for place in unchanged}
        target = next((view.buffer for view in found.values() if isinstance(view, View)), None)
        if target is None:
            return same
        states = {_place_of(state): state for state in program.states}
        condition = states[steps.carries - 1] if steps.conditional else None
        loop = Loop(target, (), inside, tuple(slices), steps.length, steps.reverse, condition,
                    origin=node.origin)  # fmt: skip
        writer.emit(loop.over(outside).reading_outside())
        return found | same


def _place_of(buffer: Buffer) -> int:
    """Of an input or a state of a step, among the operands of the loop."""
    return int(buffer.key.removeprefix(CARRY))


def _checking(program: Program) -> Program:
    """The program with kernels that look at their indices themselves: no one else does."""
    body = (
        replace(kernel, checked=True)
        if isinstance(kernel, Applied) and kernel.index is not None
        else kernel
        for kernel in program.body
    )
    return replace(program, body=tuple(body), index_bounds=())


def with_outputs(program: Program) -> tuple[Program, tuple[Buffer, ...]]:
    """The program with its outputs written to buffers that are given to it."""
    own = {kernel.out for kernel in program.body}  # one that is joined of parts by several kernels
    names: dict[Buffer, Buffer] = {}
    copies: list[Kernel] = []
    targets: list[Buffer] = []
    for position, result in enumerate(program.outputs):
        target = Buffer(_output_name(program, position), result.type, "output")
        targets.append(target)
        moved = isinstance(result, View) and result.whole and result.buffer in own
        if moved and isinstance(result, View) and result.buffer not in names:
            names[result.buffer] = target
        else:
            copies.append(Copy(target, (result,)))
    direct = replace(program, body=(*program.body, *copies), outputs=())
    return substitute(direct, names), tuple(targets)


def _output_name(program: Program, position: int) -> str:
    """The graph's name for an output, or else that of what it is."""
    if position < len(program.names) and program.names[position]:
        return program.names[position]
    result = program.outputs[position]
    return result.buffer.name if isinstance(result, View) else f"output_{position}"


def with_loops(program: Program, change: Callable[[Program], Program]) -> Program:
    """The program with those of its loops in another form."""
    return replace(
        program,
        body=tuple(
            kernel.with_program(change(kernel.program)) if isinstance(kernel, Loop) else kernel
            for kernel in program.body
        ),
    )
