"""The forms of a program between lowering and schedules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import replace
from itertools import chain

from chainc.lowering.grouping import group
from chainc.lowering.kernels import Kernel
from chainc.lowering.memory import reuse_in_place, substitute
from chainc.lowering.parts import split_large, without_idle
from chainc.lowering.program import Loop, Program
from chainc.lowering.rows import counted_at_each_call
from chainc.lowering.views import Buffer
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.lent import in_results
from chainc.schedules.layout.machine import Machine
from chainc.schedules.layout.masks import with_masks
from chainc.schedules.layout.packing import packed
from chainc.schedules.layout.panels import Layouts, lay_out, outside
from chainc.schedules.layout.placing import placed
from chainc.schedules.program.inlining import inlined
from chainc.schedules.program.pieces import in_pieces
from chainc.schedules.random import with_stream
from chainc.schedules.reduction.row_nests import row_nests

MOST_INSTRUCTIONS = 256  # of a map


def prepare(
    program: Program,
    machine: Machine,
    capacity: Capacity,
    given: Layouts | None = None,
    *,
    watch: bool = False,
) -> Program:
    """Kernels joined, laid out and in place: the form that is printed.

    Code is generated in a time that grows faster than a function, so very large maps are cut. To
    `watch` what every op gives, no map is computed where it is read.
    """
    formed = _formed(program, machine, capacity, given, watch=watch)
    if watch:
        return without_idle(reuse_in_place(formed))
    final = in_results(without_idle(reuse_in_place(placed(formed))), capacity)
    return row_nests(final, machine, capacity)


def _formed(
    program: Program,
    machine: Machine,
    capacity: Capacity,
    given: Layouts | None,
    *,
    watch: bool,
    slices: Set[Buffer] = frozenset(),
) -> Program:
    """Each value in a place of its own; a step of a loop has slices, other ones in each."""
    counted = counted_at_each_call(program)
    cut = split_large(in_pieces(_with_streams(counted), machine, capacity), MOST_INSTRUCTIONS)
    grouped = group(with_masks(cut if watch else inlined(cut)))
    laid_out = lay_out(grouped, machine, capacity, given)
    body = packed(laid_out.body, machine, capacity, {*outside(laid_out)} - slices)
    formed = (_with_step(kernel, machine, capacity, watch=watch) for kernel in body)
    return replace(laid_out, body=tuple(chain.from_iterable(formed)))


def _with_step(
    kernel: Kernel, machine: Machine, capacity: Capacity, *, watch: bool
) -> Iterator[Kernel]:
    """A loop, after what every step would do alike, such as to lay out weights."""
    if not isinstance(kernel, Loop):
        yield kernel
        return
    row_major = {carry.key: None for carry in kernel.program.states}
    slices = {part for part, _ in kernel.slices}
    step = _formed(kernel.program, machine, capacity, row_major, watch=watch, slices=slices)
    written = Counter(out for each in step.body for out in each.outs)
    moving: set[Buffer] = {*step.states, *slices}
    moving.update(out for out, times in written.items() if times > 1)
    body: list[Kernel] = []
    for each in step.body:
        if moving.isdisjoint((*each.outs, *(view.buffer for view in each.reads))):
            yield each
        else:
            moving.update(each.outs)
            body.append(each)
    yield kernel.with_program(without_idle(reuse_in_place(replace(step, body=tuple(body)))))


def _with_streams(program: Program) -> Program:
    kernels = (tuple(map(with_stream, some)) for some in (program.prologue, program.body))
    prologue, body = kernels
    return replace(program, prologue=prologue, body=body)


def with_roles(program: Program, roles: Mapping[str, str]) -> Program:
    """The program with other roles for inputs that are not arrays of the caller's, by key."""
    names = {b: replace(b, role=roles[b.key]) for b in program.inputs if b.key in roles}
    inputs = tuple(names.get(buffer, buffer) for buffer in program.inputs)
    return replace(substitute(program, names), inputs=inputs)
