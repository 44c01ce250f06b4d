"""How each buffer lies in memory: row-major, or its last axis in panels of vectors.

    x[64, 784] @ w[784, 256]     the vectors of w and of the result run along the columns, so both
                                 lie in panels of 16 columns, each panel in the order of the loops

A panel is read from its first byte to its last, so nothing is packed at run time. A contraction
that needs vectors along another axis gets a copy with panels along that one:

    d_z[64, 256] @ w.T           w_by_rows = w, in panels along axis 0
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chainc.lowering.kernels import Copy, Kernel
from chainc.lowering.memory import substitute
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer, Panels, View
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import Machine

CACHE_SETS_BYTES = 4096  # addresses so far apart share a set of the first-level cache
WORTH_PANELS = 4  # a last axis shorter than a vector by more than this factor stays row-major

Layouts = Mapping[str, Panels | None]  # of state slots and inputs, by key


def lay_out(
    program: Program, machine: Machine, capacity: Capacity, given: Layouts | None = None
) -> Program:
    """The program with a layout for each buffer, and copies where two uses need different ones.

    `given` fixes the layouts of slots and inputs that another program shares.
    """
    choice = _Choice(program, machine, capacity, given or {})
    names = {buffer: replace(buffer, panels=panels) for buffer, panels in choice.panels.items()}
    body = list(_converted(substitute(program, names).body, machine, capacity))
    moved = replace(substitute(program, names), body=tuple(body))
    return replace(
        moved,
        inputs=tuple(names.get(buffer, buffer) for buffer in program.inputs),
        states=tuple(names.get(buffer, buffer) for buffer in program.states),
        updates=tuple((names.get(slot, slot), value) for slot, value in moved.updates),
    )


def layouts(program: Program) -> Layouts:
    """What was chosen for slots and inputs."""
    return {buffer.key: buffer.panels for buffer in (*program.states, *program.inputs)}


@dataclass
class _Choice:
    """Panels for what contractions read and write, and for what is computed from it."""

    program: Program
    machine: Machine
    capacity: Capacity
    given: Layouts
    panels: dict[Buffer, Panels] = field(default_factory=dict)

    def __post_init__(self) -> None:
        refused = set(self._refused())
        wanted: set[Buffer] = set()
        kernels = [member for kernel in self.program.body for member in kernel.single]
        for kernel in kernels:
            if kernel.multiplies:
                wanted |= {kernel.out, *(view.buffer for view in kernel.reads)}
        targets = _targets(self.program)
        wanted |= {targets[buffer] for buffer in wanted if buffer in targets}
        before = -1
        while len(wanted) > before:
            before = len(wanted)
            for kernel in self.program.body:
                wanted |= self._alike(kernel, wanted)
            wanted |= {slot for slot, value in self.program.updates if value.buffer in wanted}
            wanted |= {value.buffer for slot, value in self.program.updates if slot in wanted}
        private = {
            member.out
            for kernel in self.program.body
            if len(kernel.single) > 1
            for member in kernel.single
        }
        for buffer in wanted - refused - private:
            self._choose(buffer)
        for buffer in (*self.program.states, *self.program.inputs):
            if buffer.key in self.given:
                self.panels.pop(buffer, None)
                given = self.given[buffer.key]
                if given is not None:
                    self.panels[buffer] = given

    def _alike(self, kernel: Kernel, wanted: set[Buffer]) -> set[Buffer]:
        """Buffers of the shape of one in panels that the kernel handles in the same loops."""
        handed_on = {member.out for member in kernel.single}
        read = {view.buffer for view in kernel.reads if view.whole}
        touched = {*kernel.outs, *handed_on, *read}
        shapes = {buffer.type.shape for buffer in touched & wanted}
        return {buffer for buffer in touched if buffer.type.shape in shapes}

    def _choose(self, buffer: Buffer) -> None:
        shape, dtype = buffer.type.shape, buffer.type.dtype
        if buffer.role not in ("work", "state", "batch") or not dtype.is_float or len(shape) < 2:
            return
        extent, lanes = shape[-1], self.machine.lanes(dtype)
        if isinstance(extent, int) and extent * WORTH_PANELS > lanes:
            self.panels[buffer] = panels(buffer, len(shape) - 1, self.machine, self.capacity)

    def _refused(self) -> Iterator[Buffer]:
        """Buffers with a use that reads or writes elements in row-major order."""
        for kernel in (*self.program.prologue, *self.program.body):
            if _mixes_precisions(kernel):
                yield from _floats(kernel)
            for member in kernel.single:
                if not member.takes_panels:
                    yield member.out
                    yield from (view.buffer for view in member.reads)
            yield from (view.buffer for view in kernel.reads if not _keeps_panels(view))
        for kernel in self.program.prologue:
            yield kernel.out
        for result in self.program.outputs:
            if isinstance(result, View) and not result.whole:
                yield result.buffer
        for _, value in self.program.updates:
            if not value.whole:
                yield value.buffer


def panels(buffer: Buffer, axis: int, machine: Machine, capacity: Capacity) -> Panels:
    """Panels along an axis, kept apart where they would meet in the same cache sets."""
    lanes = machine.lanes(buffer.type.dtype)
    rows = 1
    for position, extent in enumerate(capacity.shape(buffer.type.shape)):
        rows *= extent if position != axis else 1
    conflict = rows * lanes * buffer.type.dtype.itemsize % CACHE_SETS_BYTES == 0
    return Panels(axis, lanes, gap=1 if conflict else 0)


def _targets(program: Program) -> dict[Buffer, Buffer]:
    """Where results are kept."""
    return {result: target for kernel in program.body for result, target in kernel.stored}


def _floats(kernel: Kernel) -> Sequence[Buffer]:
    read = (view.buffer for view in kernel.reads)
    written = (member.out for member in kernel.single)
    return [each for each in (*kernel.outs, *written, *read) if each.type.dtype.is_float]


def _mixes_precisions(kernel: Kernel) -> bool:
    """Would some of its panels be narrower than others, and a position fall apart in two ways?"""
    return len({buffer.type.dtype for buffer in _floats(kernel)}) > 1


def _keeps_panels(view: View) -> bool:
    """Does the view leave the last axis of its buffer whole?"""
    return view.whole or view.carried(len(view.buffer.type.shape) - 1) is not None


def _converted(body: Sequence[Kernel], machine: Machine, capacity: Capacity) -> Iterator[Kernel]:
    """Before a contraction whose vectors run along another axis, a copy with panels there."""
    copies: dict[tuple[Buffer, int], Buffer] = {}
    for found in body:
        kernel = found
        for view, axis in _misfits(found):
            buffer = view.buffer
            if (buffer, axis) not in copies:
                name = f"{buffer.name}_by_axis_{axis}"
                copy = Buffer(name, buffer.type, cotangent=buffer.cotangent)
                copy = replace(copy, panels=panels(copy, axis, machine, capacity))
                copies[buffer, axis] = copy
                original = View(buffer, buffer.type)
                yield Copy(copy, (original,), origin=kernel.origin, node=kernel.root.node)
            kernel = kernel.reading(view, replace(view, buffer=copies[buffer, axis]))
        yield kernel
        for out in kernel.outs:
            copies = {key: copy for key, copy in copies.items() if key[0] is not out}


def _misfits(kernel: Kernel) -> Iterator[tuple[View, int]]:
    """Operands, and the axis of their buffers along which vectors should lie and do not."""
    for view, vectors in kernel.vector_axes():
        panels, axis = view.buffer.panels, view.source(vectors)
        if panels is None or axis is None or axis == panels.axis:
            continue
        if isinstance(view.buffer.type.shape[axis], int):
            yield view, axis
