"""What depends on the rows of a call: on one row alone, or on how many there are."""

from __future__ import annotations

from dataclasses import replace

from chainc.ir.types import Shape, Size, TensorType, named, names_of
from chainc.lowering.program import (
    Buffer,
    Contraction,
    Gather,
    Group,
    IndexOf,
    Iota,
    Kernel,
    Operand,
    Permutation,
    Program,
    RandomWords,
    Reduction,
    ScatterAdd,
    SizeValue,
    View,
)


def rows_are_independent(program: Program) -> bool:
    """Is row i of every output computed from row i of the inputs alone?"""
    results = [*program.outputs, *(View(buffer, buffer.type) for buffer in program.inputs)]
    if program.updates or not all(_leads(result) for result in program.outputs):
        return False
    if not all(_leads(result) for result in results if _named_axes(result.type.shape)):
        return False
    return all(_keeps_rows_apart(kernel) for kernel in (*program.prologue, *program.body))


def _leads(operand: Operand) -> bool:
    """Is the first axis, and no other, the rows?"""
    shape = operand.type.shape
    axes = _named_axes(shape)
    return axes == [0] and shape[0] == named(names_of(shape[0])[0])


def _named_axes(shape: Shape) -> list[int]:
    return [axis for axis, dim in enumerate(shape) if isinstance(dim, Size)]


def _keeps_rows_apart(kernel: Kernel) -> bool:
    if isinstance(kernel, Group):
        return all(_keeps_rows_apart(member) for member in kernel.members)
    if any(isinstance(operand, SizeValue) for operand in kernel.operands):
        return False
    if isinstance(kernel, Contraction):
        return _contracts_within_rows(kernel)
    if isinstance(kernel, Reduction | IndexOf):
        (operand,) = kernel.operands
        axes = kernel.axes if isinstance(kernel, Reduction) else (kernel.axis,)
        return not set(axes) & set(_named_axes(operand.type.shape))
    if isinstance(kernel, Gather):
        return not _is_named(kernel.operands[0].type)
    if isinstance(kernel, RandomWords | Permutation | Iota | ScatterAdd):
        return not _is_named(kernel.out.type)
    return True


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
    return any(isinstance(dim, Size) for dim in sizes) or any(map(_is_named, types))


def _is_named(type: TensorType) -> bool:
    return bool(_named_axes(type.shape))


def _contracts_within_rows(kernel: Contraction) -> bool:
    result = kernel.letters[2]
    for operand, letters in zip(kernel.operands[:2], kernel.letters[:2], strict=True):
        for axis in _named_axes(operand.type.shape):
            if letters[axis] not in result:
                return False
    return True
