"""One schedule a family of kernels: the loop nest that computes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chainc.loops.language import Nest
from chainc.lowering.program import (
    Buffer,
    Contraction,
    Copy,
    Fill,
    Gather,
    Group,
    IndexOf,
    Iota,
    Kernel,
    Map,
    OneHot,
    Permutation,
    RandomWords,
    Reduction,
    ScatterAdd,
)
from chainc.schedules.contraction.schedule import schedule_contract
from chainc.schedules.elementwise import schedule_copy, schedule_fill, schedule_map
from chainc.schedules.frame import Frame
from chainc.schedules.indexing import (
    schedule_arange,
    schedule_gather,
    schedule_one_hot,
    schedule_scatter_add,
)
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import Machine
from chainc.schedules.random import schedule_permutation, schedule_random_bits
from chainc.schedules.reduction.schedule import schedule_index_of, schedule_reduce

SCHEDULES: Mapping[type[Kernel], Callable[[Frame], None]] = {
    Map: schedule_map,
    Copy: schedule_copy,
    Fill: schedule_fill,
    Contraction: schedule_contract,
    Reduction: schedule_reduce,
    IndexOf: schedule_index_of,
    Gather: schedule_gather,
    ScatterAdd: schedule_scatter_add,
    OneHot: schedule_one_hot,
    Iota: schedule_arange,
    RandomWords: schedule_random_bits,
    Permutation: schedule_permutation,
}


def schedule(
    kernel: Kernel, capacity: Capacity, machine: Machine
) -> tuple[Nest, tuple[Buffer, ...]]:
    """A kernel's nest, and the buffers that are its parameters."""
    frame = Frame(kernel, capacity, machine)
    SCHEDULES[type(frame.root)](frame)
    parameters = tuple(frame.parameters.values())
    return frame.builder.nest(_name(kernel), _note(kernel), parameters), tuple(frame.parameters)


def _name(kernel: Kernel) -> str:
    return kernel.outs[-1].name if kernel.outs else kernel.out.name


def _note(kernel: Kernel) -> str:
    """What a kernel computes, and for which of the user's lines."""
    members = kernel.members if isinstance(kernel, Group) else (kernel,)
    computed = ", ".join(dict.fromkeys(member.out.name for member in members))
    lines = [m.origin.location.short for m in members if m.origin.location is not None]
    return f"{computed}   # {', '.join(dict.fromkeys(lines))}" if lines else computed
