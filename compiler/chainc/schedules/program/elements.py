"""Single elements as buffers: kernels that read different ones of a tensor are one function.

divide(x[0], mean), divide(x[1], mean), …   ->   one function, called with the address of x[i]
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from chainc.ir.types import has_named_size, static
from chainc.lowering.grouping import Group, outside
from chainc.lowering.kernels import Kernel
from chainc.lowering.views import View
from chainc.schedules.program.memory import Memory
from chainc.schedules.reduction.row_nests import RowNest, nest_of


def over_elements(kernel: Kernel, memory: Memory) -> Kernel:
    """The kernel over buffers of one element where it reads one alone; itself if it reads none."""
    if not any(map(_is_element, kernel.reads)):
        return kernel
    if isinstance(kernel, Group):
        members = tuple(over_elements(member, memory) for member in kernel.members)
        return replace(kernel, members=members, operands=outside(members))
    if isinstance(kernel, RowNest):
        stages = [over_elements(stage, memory) for stage in kernel.stages]
        return nest_of(stages, kernel.rows, kernel.at_once)
    for view in kernel.reads:
        if _is_element(view):
            kernel = kernel.reading(view, _element(view, memory))
    return kernel


def _is_element(view: View) -> bool:
    buffer = view.buffer
    if view.whole or buffer.panels is not None:
        return False
    if has_named_size(view.type.shape) or has_named_size(buffer.type.shape):
        return False
    return math.prod(static(view.type.shape)) == 1 < math.prod(static(buffer.type.shape))


def _element(view: View, memory: Memory) -> View:
    distance = _distance(view)
    element = memory.element(view.buffer, distance * view.type.dtype.itemsize, view.type)
    return View(element, view.type)


def _distance(view: View) -> int:
    """From the first element of the buffer; its numbers are not looked at."""
    start = moved = np.empty(static(view.buffer.type.shape), np.uint8)
    for movement in view.movements:
        moved = movement.of(moved)
    return moved.ctypes.data - start.ctypes.data
