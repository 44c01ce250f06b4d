"""What depends on the rows of a call: on one row alone, or on how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chainc.ir.types import has_named_size, named, named_axes, names_of
from chainc.lowering.kernels import Kernel
from chainc.lowering.program import Loop, Program
from chainc.lowering.views import Buffer, Operand, SizeValue, View


def rows_are_independent(program: Program) -> bool:
    """Is row i of every output computed from row i of the inputs alone?"""
    results = [*program.outputs, *(View(buffer, buffer.type) for buffer in program.inputs)]
    if program.updates or not all(_leads(result) for result in program.outputs):
        return False
    if not all(_leads(result) for result in results if has_named_size(result.type.shape)):
        return False
    return _all_keep_rows_apart((*program.prologue, *program.body))


def _all_keep_rows_apart(kernels: Sequence[Kernel]) -> bool:
    return all(_keeps_rows_apart(member) for kernel in kernels for member in kernel.single)


def _leads(operand: Operand) -> bool:
    """Is the first axis, and no other, the rows?"""
    shape = operand.type.shape
    return named_axes(shape) == (0,) and shape[0] == named(names_of(shape[0])[0])


def _keeps_rows_apart(kernel: Kernel) -> bool:
    if isinstance(kernel, Loop):
        program, steps_are_rows = kernel.program, has_named_size((kernel.length,))
        carried = all(view.keeps_rows_apart for _, view in program.updates)
        return not steps_are_rows and carried and _all_keep_rows_apart(program.body)
    return (
        kernel.keeps_rows_apart
        and not any(isinstance(operand, SizeValue) for operand in kernel.operands)
        and all(view.keeps_rows_apart for view in kernel.reads)
    )


def counted_at_each_call(program: Program) -> Program:
    """What depends on the number of rows leaves the prologue, which runs once for all of them.

    prologue: weight = 1 / rows      →      body: weight = 1 / rows, whether 64 or the last 17
    """
    moved: list[Kernel] = []
    written: set[Buffer] = set()
    for kernel in program.prologue:
        if _counts_rows(kernel) or any(view.buffer in written for view in kernel.reads):
            moved.append(kernel)
            written.update(kernel.outs)
    kept = tuple(kernel for kernel in program.prologue if kernel not in moved)
    return replace(program, prologue=kept, body=(*moved, *program.body))


def _counts_rows(kernel: Kernel) -> bool:
    sizes = [operand.dim for operand in kernel.operands if isinstance(operand, SizeValue)]
    types = [operand.type for operand in (*kernel.operands, *kernel.outs)]
    return has_named_size(tuple(sizes)) or any(has_named_size(type.shape) for type in types)
