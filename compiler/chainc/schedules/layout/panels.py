"""How each buffer lies in memory: row-major, or in panels of vectors along one axis.

    x[64, 784] @ w[784, 256]     the vectors of w and of the result run along the columns, so both
                                 lie in panels of 16 columns, each panel in the order of the loops

A panel is read from its first byte to its last, so nothing is packed at run time. A contraction
that needs vectors along another axis gets a copy with panels along that one:

    d_z[64, 256] @ w.T           w_by_rows = w, in panels along axis 0
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from chainc.ir.types import DType, float32
from chainc.lowering.kernels import Contraction, Copy, Kernel
from chainc.lowering.memory import substitute
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer, Panels, View
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.lanes import WORTH_PANELS, lane_axes, vector_letter
from chainc.schedules.layout.machine import Machine
from chainc.schedules.layout.orders import tap_orders

CACHE_SETS_BYTES = 4096  # addresses so far apart share a set of the first-level cache
CACHE_WAYS = 8  # lines of a set, at least
FEWEST_ROWS = 4  # beside which one more takes little memory

Layouts = Mapping[str, Panels | None]  # of state slots and inputs, by key


def lay_out(
    program: Program, machine: Machine, capacity: Capacity, given: Layouts | None = None
) -> Program:
    """The program with a layout for each buffer, and copies where two uses need different ones.

    `given` fixes the layouts of slots and inputs that another program shares.
    """
    chosen = _chosen(program, machine, capacity, given or {})
    names = {buffer: replace(buffer, panels=panels) for buffer, panels in chosen.items()}
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


def _chosen(
    program: Program, machine: Machine, capacity: Capacity, given: Layouts
) -> Mapping[Buffer, Panels]:
    """Panels along the axes that hold lanes, wherever all uses of a buffer can do with them."""
    axes = lane_axes(program, machine, _fixed(program, given))
    orders = tap_orders(program, axes)
    refused = {*_refused(program, axes), *_private(program), *_in_rows(program, given)}
    found: dict[Buffer, Panels] = {}
    for buffer, axis in axes.items():
        if buffer not in refused and _worth_panels(buffer, axis, machine):
            found[buffer] = panels(buffer, axis, machine, capacity, orders.get(buffer, ()))
    for buffer in (*program.states, *program.inputs):
        if buffer.key in given:
            found.pop(buffer, None)
            fixed = given[buffer.key]
            if fixed is not None:
                found[buffer] = fixed
    return found


def _fixed(program: Program, given: Layouts) -> Mapping[Buffer, int]:
    """The axes of slots and inputs that lie in panels anyway."""
    fixed = {each: given.get(each.key) for each in (*program.states, *program.inputs)}
    return {buffer: panels.axis for buffer, panels in fixed.items() if panels is not None}


def _worth_panels(buffer: Buffer, axis: int, machine: Machine) -> bool:
    shape, dtype = buffer.type.shape, buffer.type.dtype
    if buffer.role not in ("work", "state", "batch") or len(shape) < 2:
        return False
    if buffer.role == "batch" and axis != len(shape) - 1:
        return False  # its rows are copied as they come
    extent, lanes = shape[axis], machine.lanes(dtype)
    return isinstance(extent, int) and extent * WORTH_PANELS > lanes


def _private(program: Program) -> Iterator[Buffer]:
    """Results that groups hand on in registers."""
    for kernel in program.body:
        yield from ({member.out for member in kernel.single} - {*kernel.outs})


def _refused(program: Program, axes: Mapping[Buffer, int]) -> Iterator[Buffer]:
    """Buffers with a use that reads or writes elements in row-major order."""
    for kernel in (*program.prologue, *program.body):
        yield from _refused_by(kernel, axes)
    for kernel in program.prologue:
        yield kernel.out
    yield from outside(program)
    for result in program.outputs:
        if isinstance(result, View) and not result.whole:
            yield result.buffer
    for _, value in program.updates:
        if not value.whole:
            yield value.buffer


def outside(program: Program) -> Iterator[Buffer]:
    """What a step of a loop reads, which lies as the program around it has laid it."""
    kernels = (*program.prologue, *program.body)
    own = {out for kernel in kernels for out in (*kernel.outs, *(m.out for m in kernel.single))}
    own.update(program.inputs, program.states)
    yield from (v.buffer for kernel in kernels for v in kernel.reads if v.buffer not in own)


def _in_rows(program: Program, given: Layouts) -> Iterator[Buffer]:
    """Products that slots become which lie row by row, as the carries of a loop do."""
    products = {kernel.out for kernel in program.body if isinstance(kernel.root, Contraction)}
    for slot, value in program.updates:
        if slot.key in given and given[slot.key] is None and value.buffer in products:
            yield value.buffer


def _refused_by(kernel: Kernel, axes: Mapping[Buffer, int]) -> Iterator[Buffer]:
    floats = _of(kernel, lambda dtype: dtype.is_float)
    if len({buffer.type.dtype for buffer in floats}) > 1:
        yield from floats  # some panels would be narrower than others
    if any(buffer.type.dtype.itemsize != float32.itemsize for buffer in floats):
        yield from _of(kernel, lambda dtype: not dtype.is_float)
    for member in kernel.single:
        if member.one_by_one:
            yield member.out
            yield from (view.buffer for view in member.reads if not _lies_in_rows(view, axes))
        if not member.takes_panels:
            yield from member.outs
            yield from (view.buffer for view in member.reads)
        elif isinstance(member, Copy) and not _copies_whole(member, axes.get(member.out)):
            yield member.out
    yield from _joined(kernel)
    for view in kernel.reads:
        axis = axes.get(view.buffer)
        if axis is not None and not view.whole and view.carried(axis) is None:
            yield view.buffer


def _joined(kernel: Kernel) -> Iterator[Buffer]:
    """What it writes beside other elements of the same rows."""
    pairs = zip(kernel.stored, kernel.written, strict=True)
    return (target for (_, target), part in pairs if part)


def _lies_in_rows(view: View, axes: Mapping[Buffer, int]) -> bool:
    """Are lanes neighbours along the last axis?"""
    return axes.get(view.buffer) == len(view.buffer.type.shape) - 1


def _copies_whole(copy: Copy, axis: int | None) -> bool:
    """Does a copy write all positions of an axis of its result?"""
    if not copy.starts or axis is None:
        return True
    return copy.out.type.shape[axis] == copy.operands[0].type.shape[axis]


def panels(
    buffer: Buffer, axis: int, machine: Machine, capacity: Capacity, order: tuple[int, ...] = ()
) -> Panels:
    """Panels along an axis, kept apart where they would meet in the same cache sets.

    Those of 16 rows come to the same sets after four of them: of a row of 73 panels, which is read
    again for each column of a product, less than half would stay. Memory of a machine of scalars
    may be a board's, without caches and scarce.
    """
    lanes, shape = machine.lanes(buffer.type.dtype), capacity.shape(buffer.type.shape)
    rows = math.prod(extent for position, extent in enumerate(shape) if position != axis)
    stride = rows * lanes * buffer.type.dtype.itemsize
    apart = CACHE_SETS_BYTES // math.gcd(stride, CACHE_SETS_BYTES)  # until sets come again
    crowded = -(-shape[axis] // lanes) > apart * CACHE_WAYS
    spared = machine.takes_apart or rows < FEWEST_ROWS or rows % 2 == 1
    conflict = apart == 1 or (crowded and not spared)
    return Panels(axis, lanes, 1 if conflict else 0, order)


def _of(kernel: Kernel, wanted: Callable[[DType], bool]) -> Sequence[Buffer]:
    """The buffers of a kernel with elements of such a type."""
    read = (view.buffer for view in kernel.reads)
    written = (member.out for member in kernel.single)
    return [each for each in (*kernel.outs, *written, *read) if wanted(each.type.dtype)]


def _converted(body: Sequence[Kernel], machine: Machine, capacity: Capacity) -> Iterator[Kernel]:
    """Before a contraction whose vectors run along another axis, a copy with panels there."""
    copies: dict[Buffer, dict[int, Buffer]] = {}  # by the axis of their panels
    for found in body:
        kernel = found
        for view, axis in _misfits(found, machine):
            buffer = view.buffer
            known = copies.setdefault(buffer, {})
            if axis not in known:
                name = f"{buffer.name}_by_axis_{axis}"
                copy = Buffer(name, buffer.type, cotangent=buffer.cotangent)
                order = _turned(buffer, axis)
                copy = replace(copy, panels=panels(copy, axis, machine, capacity, order))
                known[axis] = copy
                original = View(buffer, buffer.type)
                yield Copy(copy, (original,), origin=kernel.origin, node=kernel.root.node)
            kernel = kernel.reading(view, replace(view, buffer=known[axis]))
        yield kernel
        for out in kernel.outs:
            copies.pop(out, None)


def _turned(buffer: Buffer, axis: int) -> tuple[int, ...]:
    """The order of axes where those in panels take each other's place."""
    if buffer.panels is None:
        return ()
    return tuple(buffer.panels.axis if other == axis else other for other in buffer.panels.order)


def _misfits(kernel: Kernel, machine: Machine) -> Iterator[tuple[View, int]]:
    """Operands, and the axis of their buffers along which vectors should lie and do not."""
    for view, vectors in _vector_axes(kernel, machine):
        panels, axis = view.buffer.panels, view.source(vectors)
        if panels is None or axis is None or axis == panels.axis:
            continue
        if isinstance(view.buffer.type.shape[axis], int):
            yield view, axis


def _vector_axes(kernel: Kernel, machine: Machine) -> Iterator[tuple[View, int]]:
    """Operands of a contraction, and the axis of each along which vectors should lie."""
    root = kernel.root
    if not isinstance(root, Contraction):
        return
    letter = vector_letter(kernel, root, machine)
    for letters, view in zip(root.letters[:2], root.reads[:2], strict=True):
        if letter and letter in letters:
            yield view, letters.index(letter)
