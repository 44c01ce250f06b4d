"""Where machine code keeps its buffers: what there is to see of the memory of a module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from chainc.backends.llvm.training_code import TrainingCode
from chainc.backends.storage import Allocation, Storage
from chainc.dataclass import dataclass
from chainc.lowering.memory import FOREVER, lifetimes
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer
from chainc.schedules.program.control_block import CONTROL_BYTES
from chainc.schedules.program.memory import Memory
from chainc.schedules.training.layout import order_bytes


def storage_of_function(program: Program, memory: Memory) -> Storage:
    """Of one program."""
    return _Planner(memory).plan({"": program}, [_runtime("header", 0, CONTROL_BYTES)])


def storage_of_training(code: TrainingCode) -> Storage:
    """Of a training loop: its step, its evaluation, and what belongs to the loop."""
    layout = code.layout
    runtime = [
        _runtime("header", 0, CONTROL_BYTES),
        _runtime("orders of rows", layout.orders, code.threads * order_bytes(layout.batch_size)),
        _runtime("record of an epoch", layout.record, 8 * layout.columns),
        _runtime("sums of outputs", layout.step.totals, 8 * layout.step.added),
        _runtime("sums of validation", layout.evaluate.totals, 8 * layout.evaluate.added),
    ]
    named = {"" if name == "step" else f"{name}/": each for name, each in code.programs.items()}
    return _Planner(code.memory).plan(named, runtime)


def _runtime(name: str, offset: int, nbytes: int) -> Allocation:
    return Allocation(name, "runtime", "", "", "arena", offset, nbytes)


@dataclass(frozen=True)
class _Planner:
    memory: Memory

    def plan(self, programs: Mapping[str, Program], runtime: Sequence[Allocation]) -> Storage:
        found = list(runtime)
        kernels: list[str] = []
        known: set[tuple[str, str]] = set()
        for prefix, program in programs.items():
            for buffer in (*program.states, *program.inputs):
                outlives = buffer in program.states or buffer.role == "state"
                role = "state" if outlives else "input"
                if (role, buffer.key) not in known:
                    known.add((role, buffer.key))
                    found.append(self._at(buffer, role, in_place=_others(buffer, program)))
            found += self._computed_once(program, prefix)
            found += self._work(program, prefix, len(kernels))
            kernels += [prefix + kernel.outs[-1].name for kernel in program.body if kernel.outs]
        found += [self._at(buffer, "output") for buffer in self._outputs(programs.values())]
        constants = (*self.memory.constants, *self.memory.outside)
        found += [self._at(buffer, "constant") for buffer in constants]
        found.sort(key=lambda each: (each.offset is None, each.offset or 0, each.first or 0))
        return Storage(tuple(found), tuple(kernels), self.memory.arena_bytes)

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
        elsewhere = "code" if buffer in self.memory.constants else "caller"
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
    if panels is None:
        return "row-major"
    inside = f", [{', '.join(map(str, panels.order))}] inside" if panels.order else ""
    return f"panels of {panels.lanes}, axis {panels.axis}{inside}"


def _others(buffer: Buffer, program: Program) -> tuple[str, ...]:
    return tuple(each.name for each in program.in_place.get(buffer, ()) if each is not buffer)
