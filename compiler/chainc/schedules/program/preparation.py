"""The forms of a program between lowering and schedules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from chainc.lowering.grouping import group
from chainc.lowering.kernels import Copy, Kernel
from chainc.lowering.memory import reuse_in_place, substitute
from chainc.lowering.program import Program
from chainc.lowering.rows import counted_at_each_call
from chainc.lowering.split import split_large
from chainc.lowering.views import Buffer, View
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import Machine
from chainc.schedules.layout.packing import packed
from chainc.schedules.layout.panels import Layouts, lay_out
from chainc.schedules.program.inlining import inlined
from chainc.schedules.random import with_stream

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
    counted = counted_at_each_call(program)
    cut = split_large(_with_streams(counted), MOST_INSTRUCTIONS)
    grouped = group(cut if watch else inlined(cut))
    laid_out = lay_out(grouped, machine, capacity, given)
    body = tuple(packed(laid_out.body, machine, capacity))
    return reuse_in_place(replace(laid_out, body=body))


def _with_streams(program: Program) -> Program:
    kernels = (tuple(map(with_stream, some)) for some in (program.prologue, program.body))
    prologue, body = kernels
    return replace(program, prologue=prologue, body=body)


def with_roles(program: Program, roles: Mapping[str, str]) -> Program:
    """The program with other roles for inputs that are not arrays of the caller's, by key."""
    names = {b: replace(b, role=roles[b.key]) for b in program.inputs if b.key in roles}
    inputs = tuple(names.get(buffer, buffer) for buffer in program.inputs)
    return replace(substitute(program, names), inputs=inputs)


def with_outputs(program: Program) -> tuple[Program, tuple[Buffer, ...]]:
    """The program with its outputs written to arrays of the caller's."""
    updated = {view.buffer for _, view in program.updates}
    once = [kernel.out for kernel in program.body]
    names: dict[Buffer, Buffer] = {}
    copies: list[Kernel] = []
    targets: list[Buffer] = []
    for position, result in enumerate(program.outputs):
        target = Buffer(_output_name(program, position), result.type, "output")
        targets.append(target)
        own = isinstance(result, View) and result.whole and once.count(result.buffer) == 1
        if own and isinstance(result, View) and result.buffer not in {*updated, *names}:
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
