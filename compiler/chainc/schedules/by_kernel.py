"""One schedule a family of kernels: the loop nest that computes it."""

from __future__ import annotations

from functools import singledispatch

from chainc.ir.kernels import Family
from chainc.loops.language import Nest
from chainc.lowering.kernels import Kernel
from chainc.lowering.views import Buffer
from chainc.schedules.contraction.schedule import schedule_contract
from chainc.schedules.elementwise import schedule_copy, schedule_fill, schedule_map
from chainc.schedules.frame import Frame
from chainc.schedules.indexing.rows import (
    schedule_add_along,
    schedule_order,
    schedule_pick_along,
    schedule_running_sum,
)
from chainc.schedules.indexing.slices import (
    schedule_arange,
    schedule_gather,
    schedule_one_hot,
    schedule_pick,
    schedule_scatter_add,
)
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import Machine
from chainc.schedules.random import schedule_permutation, schedule_random_bits
from chainc.schedules.reduction.row_nests import RowNest, stage_frames
from chainc.schedules.reduction.schedule import schedule_reduce
from chainc.schedules.reduction.search import schedule_index_of, schedule_largest


@singledispatch
def write_loops(subject: Kernel | Family, frame: Frame) -> None:
    """Write the nest of a kernel: by its class, or by its family's. `register` takes another."""
    name = type(subject).__name__
    raise NotImplementedError(f"{name} has no schedule for {frame.kernel.out.name}")


for _schedule in (
    schedule_map,
    schedule_copy,
    schedule_fill,
    schedule_contract,
    schedule_reduce,
    schedule_index_of,
    schedule_largest,
    schedule_gather,
    schedule_scatter_add,
    schedule_one_hot,
    schedule_pick,
    schedule_arange,
    schedule_running_sum,
    schedule_pick_along,
    schedule_add_along,
    schedule_order,
    schedule_random_bits,
    schedule_permutation,
):
    write_loops.register(_schedule)


@write_loops.register
def _schedule_rows(nest: RowNest, frame: Frame) -> None:
    """The nests of all stages, one after another for each row."""
    for stage in stage_frames(nest, frame):
        write_loops(stage.root.subject, stage)


def schedule(
    kernel: Kernel, capacity: Capacity, machine: Machine
) -> tuple[Nest, tuple[Buffer, ...]]:
    """A kernel's nest, and the buffers that are its parameters."""
    frame = Frame(kernel, capacity, machine)
    write_loops(kernel.root.subject, frame)
    parameters = tuple(frame.parameters.values())
    return frame.builder.nest(_name(kernel), _note(kernel), parameters), tuple(frame.parameters)


def _name(kernel: Kernel) -> str:
    return kernel.outs[-1].name if kernel.outs else kernel.out.name


def _note(kernel: Kernel) -> str:
    """What a kernel computes, and for which of the user's lines."""
    computed = ", ".join(dict.fromkeys(member.out.name for member in kernel.single))
    lines = [m.origin.location.short for m in kernel.single if m.origin.location is not None]
    return f"{computed}   # {', '.join(dict.fromkeys(lines))}" if lines else computed
