"""A small program as straight-line code: every element of every tensor is a lane of a register.

State is read at the beginning and written at the end; nothing else goes through memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir.kernels import Family
from chainc.ir.types import DType, Shape, bool_
from chainc.loops.language import Nest
from chainc.loops.values import Kind, Register
from chainc.lowering.instructions import Instruction
from chainc.lowering.kernels import Contraction, Copy, Fill, Kernel, Map, Reduction
from chainc.lowering.parts import parts_of
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer, View
from chainc.ops.families.indexing import Gather, IndexOf, Iota, OneHot, Pick, ScatterAdd
from chainc.schedules.frame import Frame
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import Machine
from chainc.schedules.unrolled.elements import ANY, Numbers
from chainc.schedules.unrolled.folds import product, reduction
from chainc.schedules.unrolled.straight_line import Stored, StraightLine, chunks, part

BUDGET = 4000  # up to which LLVM takes about 0.15 s

# About how many machine instructions a primitive takes that takes more than one.
_WORK: Mapping[str, int] = {
    **dict.fromkeys(("exp", "expm1", "tanh", "log", "log1p", "erf"), 40),
    **dict.fromkeys(("sin", "cos", "power"), 200),
    **dict.fromkeys(("floor_divide", "remainder"), 20),
}


@dataclass(frozen=True)
class Unrolled:
    """A program's nest, and the buffers of its parameters: inputs, states, constants, outputs.

    Its parts are those of `kernels`, one after the other.

    An output's buffer is that of its view; the view's movements are left to the reader. Failure
    number n is an index out of range in kernel n of `checked`.
    """

    nest: Nest
    buffers: tuple[Buffer, ...]
    checked: tuple[Kernel, ...]
    kernels: tuple[Kernel, ...]


def unrolled(
    program: Program, capacity: Capacity, machine: Machine, budget: int = BUDGET
) -> Unrolled | None:
    """The whole program for exactly as many rows as the capacity says; None if it is too large.

    Args:
        program: as it was lowered, its kernels in no groups.
        capacity: the sizes, which all are static here.
        machine: whose vectors to use.
        budget: about how many vector operations there may be at most.
    """
    kernels = (*program.prologue, *program.body)
    if not all(_possible(kernel, capacity) for kernel in kernels):
        return None
    if sum(work(kernel, capacity, machine) for kernel in kernels) > budget:
        return None
    code = StraightLine(capacity, machine)
    count = 0  # of the parts so far
    last_parts: dict[Buffer, int] = {}  # of the kernels that write buffers
    for kernel in kernels:
        with code.builder.writing(count):
            code.values[kernel.out] = _WRITERS[type(kernel.subject)](code, kernel, kernel.subject)
        count += len(parts_of(kernel))
        last_parts[kernel.out] = count - 1
        if len(code.builder.bodies[0]) > budget:  # views may scatter elements over many registers
            return None
    results = [Stored(slot, code.operand(view), last_parts.get(view.buffer))
               for slot, view in program.updates]  # fmt: skip
    kept = dict.fromkeys(kernel.out for kernel in kernels if kernel.out.role != "work")
    kept.update((view.buffer, None) for view in program.outputs if isinstance(view, View))
    results += [Stored(buffer, code.tensor(buffer), last_parts.get(buffer)) for buffer in kept]
    code.store(results)
    parameters = tuple(code.parameters.values())
    nest = code.builder.nest("step", "the whole step: " + ", ".join(program.names), parameters)
    return Unrolled(nest, tuple(code.parameters), tuple(code.checked), kernels)


def _possible(kernel: Kernel, capacity: Capacity) -> bool:
    """There is a writer for it, and it has elements."""
    types = [operand.type for operand in (*kernel.operands, kernel.out)]
    return type(kernel.subject) in _WRITERS and all(capacity.dim(type.size) for type in types)


def work(kernel: Kernel, capacity: Capacity, machine: Machine) -> int:
    """About how many vector operations a kernel is, from shapes alone."""

    def vectors(shape: Shape) -> int:
        return -(-math.prod(capacity.shape(shape)) // machine.lanes(kernel.out.type.dtype))

    out = vectors(kernel.out.type.shape)
    inside = vectors(tuple(dim for view in kernel.reads[:2] for dim in view.type.shape))
    scalars = _work(kernel.scalars)
    match kernel.subject:
        case Map():
            return out * (len(kernel.operands) + scalars)
        case Contraction() as contraction:
            terms = vectors(tuple(contraction.extents.values()))
            return 3 * terms + out * (len(kernel.operands) + scalars)
        case Reduction():
            return 3 * inside
        case IndexOf():
            return 6 * inside
        case Gather() as gather:
            return 3 * out * capacity.dim(kernel.reads[0].type.shape[gather.axis])
        case Pick():
            return 3 * inside
        case ScatterAdd():
            return 4 * out * math.prod(capacity.shape(kernel.reads[0].type.shape))
    return out


def _work(instructions: Sequence[Instruction]) -> int:
    return sum(_WORK.get(instruction.primitive, 1) for instruction in instructions)


def _map(code: StraightLine, kernel: Map, _subject: Map) -> Numbers:
    operands = [code.operand(operand) for operand in kernel.operands]
    return _expression(code, kernel, operands)


def _contract(code: StraightLine, kernel: Contraction, _subject: Contraction) -> Numbers:
    sums = product(code, kernel)
    if not kernel.epilogue:
        return sums
    others = [code.operand(operand) for operand in kernel.operands[2:]]
    return _expression(code, kernel, [sums, *others])


def _expression(code: StraightLine, kernel: Kernel, operands: Sequence[Numbers]) -> Numbers:
    first = code.builder.part or 0
    frame = Frame(kernel, code.capacity, code.machine, code.builder, first_part=first)
    dtypes = {typed.type.dtype for typed in (*kernel.operands, *kernel.scalars)}

    def body(*vectors: Register) -> Register:
        return frame.expression(kernel, vectors)

    return code.lanewise(kernel.out.type.shape, code.lanes(dtypes), operands, body)


def _index_of(code: StraightLine, kernel: Kernel, family: IndexOf) -> Numbers:
    """A later element is better if it is larger, or smaller, or the first NaN."""
    (x,) = kernel.reads
    build, dtype = code.builder, kernel.out.type.dtype

    def better(a: Register, b: Register) -> Register:
        larger = (b, a) if family.primitive == "maximum" else (a, b)
        found = build.compare("less", *larger)
        if not a.kind.dtype.is_float:
            return found
        nan = build.compute("logical_not", build.compare("equal", a, a), dtype=bool_)
        first = build.compute("logical_and", nan, build.compare("equal", b, b), dtype=bool_)
        return build.compute("logical_or", found, first, dtype=bool_)

    def body(*vectors: Register) -> Register:
        best, place = vectors[0], build.constant(0, Kind(dtype, vectors[0].kind.lanes))
        for position, value in enumerate(vectors[1:], 1):
            condition = better(value, best)
            here = build.constant(position, Kind(dtype))
            place = build.compute("select", condition, here, place)
            best = build.compute("select", condition, value, best)
        return place

    along = list(np.moveaxis(code.operand(x), family.axis, 0))
    lanes = code.lanes((x.type.dtype, dtype))
    return code.lanewise(kernel.out.type.shape, lanes, along, body)


def _copy(code: StraightLine, kernel: Copy, _subject: Copy) -> Numbers:
    (operand,) = kernel.operands
    values, shape = code.operand(operand), code.capacity.shape(kernel.out.type.shape)
    if not kernel.starts:
        return np.broadcast_to(values, shape)
    target = code.values[kernel.out].copy() if kernel.out in code.values else np.full(shape, ANY)
    extents = code.capacity.shape(operand.type.shape)
    ranges = zip(kernel.starts, extents, kernel.steps, strict=True)
    target[tuple(slice(start, start + n * step, step) for start, n, step in ranges)] = values
    return target


def _fill(code: StraightLine, kernel: Fill, _subject: Fill) -> Numbers:
    value = code.number(kernel.value, kernel.out.type.dtype)
    return np.broadcast_to(value, code.capacity.shape(kernel.out.type.shape))


def _arange(code: StraightLine, kernel: Kernel, _family: Iota) -> Numbers:
    dtype = kernel.out.type.dtype
    return _positions(code, code.capacity.dim(kernel.out.type.shape[0]), dtype)


def _positions(code: StraightLine, count: int, dtype: DType) -> Numbers:
    """Counts from 0."""
    return np.array([code.elements.number(i, dtype) for i in range(count)], np.int64)


def _gather(code: StraightLine, kernel: Kernel, family: Gather) -> Numbers:
    x, indices = kernel.reads
    axis = family.axis
    values, chosen = code.operand(x), code.operand(indices)
    after = values.ndim - axis - 1
    chosen = chosen.reshape(chosen.shape + (1,) * after)
    middle = (1,) * indices.type.ndim
    slices = [
        taken.reshape(taken.shape[:axis] + middle + taken.shape[axis:])
        for taken in np.moveaxis(values, axis, 0)
    ]
    return _selected(code, kernel, chosen, slices)


def _pick(code: StraightLine, kernel: Kernel, _family: Pick) -> Numbers:
    x, indices = map(code.operand, kernel.reads)
    return _selected(code, kernel, indices, list(np.moveaxis(x, -1, 0)))


def _selected(
    code: StraightLine, kernel: Kernel, indices: Numbers, slices: Sequence[Numbers]
) -> Numbers:
    """Every slice, and a select that keeps the one at the index."""
    build = code.builder
    _check(code, kernel)

    def body(index: Register, *slices: Register) -> Register:
        found = slices[0]
        for position, values in enumerate(slices[1:], 1):
            here = build.constant(position, Kind(index.kind.dtype))
            found = build.compute("select", build.compare("equal", index, here), values, found)
        return found

    lanes = code.lanes(tuple(view.type.dtype for view in kernel.reads))
    return code.lanewise(kernel.out.type.shape, lanes, [indices, *slices], body)


def _scatter_add(code: StraightLine, kernel: Kernel, family: ScatterAdd) -> Numbers:
    """One update after another, each where its index is the position."""
    indices, updates = kernel.reads
    axis, build = family.axis, code.builder
    shape, rank = kernel.out.type.shape, indices.type.ndim
    _check(code, kernel)
    index_type = indices.type.dtype
    extent = code.capacity.dim(shape[axis])
    places = _positions(code, extent, index_type).reshape(-1, *(1,) * (len(shape) - axis - 1))

    def body(place: Register, total: Register, *given: Register) -> Register:
        for index, update in zip(given[::2], given[1::2], strict=True):
            here = build.compare("equal", index, place)
            total = build.compute("select", here, build.compute("add", total, update), total)
        return total

    source = code.operand(updates)
    steps: list[Numbers] = []
    for where in np.ndindex(source.shape[axis : axis + rank]):
        steps.append(code.operand(indices)[where])
        update = source[(slice(None),) * axis + where]
        steps.append(np.expand_dims(update, axis))
    lanes = code.lanes((kernel.out.type.dtype, index_type))
    tensors = [places, code.tensor(kernel.out), *steps]
    return code.lanewise(shape, lanes, tensors, body)


def _one_hot(code: StraightLine, kernel: Kernel, _family: OneHot) -> Numbers:
    indices, classes = kernel.reads
    out = kernel.out.type
    _check(code, kernel)

    def body(index: Register, position: Register) -> Register:
        return code.builder.cast(code.builder.compare("equal", index, position), out.dtype)

    tensors = [code.operand(indices)[..., None], code.operand(classes)]
    lanes = code.lanes((out.dtype, indices.type.dtype))
    return code.lanewise(out.shape, lanes, tensors, body)


def _check(code: StraightLine, kernel: Kernel) -> None:
    """Report an index that is out of range; lanes without an element look at the first one."""
    if kernel.index is None or not kernel.checks_indices:
        return
    indices, bound = kernel.index
    number = len(code.checked)
    code.checked.append(kernel)
    build, kind = code.builder, Kind(indices.type.dtype)
    flat = code.operand(indices).reshape(-1)
    for where in chunks(flat.size, code.lanes([kind.dtype])):
        found = [number if number != ANY else int(flat[0]) for number in part(flat, where)]
        vector = code.elements.vector(found)
        below = build.compare("less", vector, build.constant(0, kind))
        limit = build.constant(code.capacity.dim(bound), kind)
        above = build.compare("less_equal", limit, vector)
        build.fail(build.compute("logical_or", below, above, dtype=bool_), number)


# How each kernel is written; what is not here has no straight-line form.
_WRITERS: Mapping[type[Kernel | Family], Callable[..., Numbers]] = {
    Map: _map,
    Contraction: _contract,
    Reduction: reduction,
    IndexOf: _index_of,
    Copy: _copy,
    Fill: _fill,
    Gather: _gather,
    ScatterAdd: _scatter_add,
    OneHot: _one_hot,
    Pick: _pick,
    Iota: _arange,
}
