"""Where a native program keeps its buffers: a table, and a picture of them over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainc.lowering.memory import FOREVER, lifetimes
from chainc.lowering.program import Buffer, Program
from chainrule.views.plan_drawing import Band, PlanDrawing, draw_bands

if TYPE_CHECKING:
    from chainc.backends.llvm.host.function import FunctionCode
    from chainc.backends.llvm.program import Memory
    from chainc.backends.llvm.training.code import TrainingCode

HEADER = ("buffer", "type", "layout", "offset", "bytes", "first", "last", "in place of")
LEFT = (0, 1, 2, 7)  # columns of words


@dataclass(frozen=True)
class Allocation:
    """Storage of one buffer.

    Attributes:
        name: of the value it holds last.
        role: "state", "input", "output", "constant", "work" for what the step computes, "once" for
            what is computed before the first step, "runtime" for what belongs to the loop.
        type: such as `f32[batch,10]`; empty for the runtime's own.
        layout: "row-major", or along which axis it lies in panels of how many elements.
        place: "arena", "caller" for arrays that are passed in, or "code".
        offset: bytes from the start of the arena; None outside it.
        bytes: its size with its padding, for the largest number of rows.
        first: the kernel that writes it first; None if it is there before.
        last: the kernel that needs it last; None if it stays.
        in_place: further values that are written over one another here, in order.
    """

    name: str
    role: str
    type: str
    layout: str
    place: str
    offset: int | None
    bytes: int
    first: int | None = None
    last: int | None = None
    in_place: tuple[str, ...] = ()

    @property
    def cells(self) -> tuple[str, ...]:
        return (
            self.name,
            self.type or self.role,
            self.layout,
            self.place if self.offset is None else f"{self.offset:,}",
            f"{self.bytes:,}",
            "-" if self.first is None else str(self.first),
            "-" if self.last is None else str(self.last),
            ", ".join(self.in_place),
        )


@dataclass(frozen=True)
class Plan:
    """All memory of a native program, known before it runs.

    Attributes:
        allocations: one a buffer, those of the arena first, by offset.
        kernels: names of the kernels in the order in which they run; `first` and `last` count
            in it.
        arena_bytes: the size of the arena that a run allocates; nothing else is allocated.
    """

    allocations: tuple[Allocation, ...]
    kernels: tuple[str, ...]
    arena_bytes: int

    def __str__(self) -> str:
        table = [HEADER, *(each.cells for each in self.allocations)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [_line(cells, widths) for cells in table]
        lines.insert(1, "-" * max(map(len, lines)))
        kernels = [f"{number:>4}  {name}" for number, name in enumerate(self.kernels)]
        return "\n".join(
            [*lines, lines[1], f"arena: {self.arena_bytes:,} bytes", "kernels:", *kernels]
        )

    def draw(self) -> PlanDrawing:
        """Buffers of the arena over time: kernels from left to right, bytes upwards."""
        bands = [
            Band(
                each.name,
                each.type,
                each.role,
                each.offset,
                each.bytes,
                0 if each.first is None else each.first,
                len(self.kernels) - 1 if each.last is None else each.last,
            )
            for each in self.allocations
            if each.offset is not None
        ]
        return draw_bands(bands, self.kernels, self.arena_bytes)

    def _repr_svg_(self) -> str:
        return self.draw().svg()


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if position in LEFT else cell.rjust(width)
        for position, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()


def plan_of_function(code: FunctionCode) -> Plan:
    """The plan of a compiled function."""
    runtime = [_runtime("header", 0, _header_bytes())]
    return _Planner(code.memory).plan({"": code.program}, runtime)


def plan_of_training(code: TrainingCode) -> Plan:
    """The plan of a training loop: its step, its evaluation, and what belongs to the loop."""
    from chainc.backends.llvm.training.text import order_bytes, totals_bytes

    layout = code.layout
    outputs = len(layout.step.outputs) + len(layout.evaluate.outputs)
    runtime = [
        _runtime("header", 0, _header_bytes()),
        _runtime("orders of rows", layout.orders, code.threads * order_bytes(layout.batch_size)),
        _runtime("sums of outputs", layout.totals, totals_bytes(outputs)),
    ]
    return _Planner(code.memory).plan({"": code.step, "evaluate/": code.evaluate}, runtime)


def _header_bytes() -> int:
    from chainc.backends.llvm.runtime.control_block import CONTROL_BYTES

    return CONTROL_BYTES


def _runtime(name: str, offset: int, nbytes: int) -> Allocation:
    return Allocation(name, "runtime", "", "", "arena", offset, nbytes)


@dataclass(frozen=True)
class _Planner:
    memory: Memory

    def plan(self, programs: Mapping[str, Program], runtime: Sequence[Allocation]) -> Plan:
        found = list(runtime)
        kernels: list[str] = []
        known: set[tuple[str, str]] = set()
        for prefix, program in programs.items():
            for buffer in (*program.states, *program.inputs):
                if (buffer.role, buffer.key) not in known:
                    known.add((buffer.role, buffer.key))
                    found.append(self._kept(buffer, program))
            found += self._computed_once(program, prefix)
            found += self._work(program, prefix, len(kernels))
            kernels += [prefix + kernel.outs[-1].name for kernel in program.body if kernel.outs]
        found += [self._at(buffer, "output") for buffer in self._outputs(programs.values())]
        found += [self._at(buffer, "constant") for buffer in self.memory.constants]
        found.sort(key=lambda each: (each.offset is None, each.offset or 0, each.first or 0))
        return Plan(tuple(found), tuple(kernels), self.memory.arena_bytes)

    def _kept(self, buffer: Buffer, program: Program) -> Allocation:
        role = "state" if buffer.role == "state" else "input"
        return self._at(buffer, role, in_place=_others(buffer, program))

    def _computed_once(self, program: Program, prefix: str) -> Iterator[Allocation]:
        for kernel in program.prologue:
            for out in kernel.outs:
                yield self._at(out, "once", prefix)

    def _work(self, program: Program, prefix: str, start: int) -> Iterator[Allocation]:
        """Kernels are counted from `start` on."""
        last = start + len(program.body) - 1
        for buffer, lifetime in lifetimes(program).items():
            if buffer.role == "work" and buffer in self.memory.offsets:
                end = last if lifetime.end == FOREVER else start + int(lifetime.end)
                span = (start + int(lifetime.start), end)
                yield self._at(buffer, "work", prefix, span, _others(buffer, program))

    def _outputs(self, programs: Iterable[Program]) -> Iterator[Buffer]:
        inputs = {buffer for program in programs for buffer in program.inputs}
        written = {out for program in programs for kernel in program.body for out in kernel.outs}
        return (b for b in self.memory.table if b in written and b not in inputs)

    def _at(
        self,
        buffer: Buffer,
        role: str,
        prefix: str = "",
        span: tuple[int | None, int | None] = (None, None),
        in_place: tuple[str, ...] = (),
    ) -> Allocation:
        offset = self.memory.offsets.get(buffer)
        elsewhere = "code" if role == "constant" else "caller"
        return Allocation(
            prefix + (buffer.key or buffer.name or "value"),
            role,
            str(buffer.type),
            _layout(buffer),
            elsewhere if offset is None else "arena",
            offset,
            self.memory.nbytes(buffer),
            *span,
            in_place,
        )


def _layout(buffer: Buffer) -> str:
    panels = buffer.panels
    return "row-major" if panels is None else f"panels of {panels.lanes}, axis {panels.axis}"


def _others(buffer: Buffer, program: Program) -> tuple[str, ...]:
    return tuple(each.name for each in program.in_place.get(buffer, ()) if each is not buffer)
