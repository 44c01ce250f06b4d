"""Large arrays of the caller's that a function works on where they lie.

    x[1, 25088] @ w[25088, 4096]     every element of w is read once, in the order in which it lies

Panels gain nothing there, however many bytes they would take: the weight comes from memory at each
call. With more rows a tile reads the same columns again, and these are better side by side.

    r = √(-2 log u);  w = r · cos(2π v)     r lies where w goes, if w is an output
"""

from __future__ import annotations

import math
from dataclasses import replace

from chainc.lowering.kernels import Contraction, Kernel
from chainc.lowering.memory import safe_operands, substitute
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import LARGE

FEW_ROWS = 4  # of products that take as long either way: measured, as with 8 it is 2 to 5 % more


def lent(program: Program, capacity: Capacity) -> Program:
    """The program with such weights as arrays of the caller's, which stay row-major."""
    if program.updates:
        return program
    readers: dict[Buffer, list[Kernel]] = {}
    for kernel in (*program.prologue, *program.body):
        for buffer in {view.buffer for view in kernel.reads}:
            readers.setdefault(buffer, []).append(kernel)
    names = {
        state: replace(state, role="input")
        for state in program.states
        if _is_large(state, capacity)
        and all(_reads_once(kernel, state, capacity) for kernel in readers.get(state, ()))
    }
    states = tuple(names.get(state, state) for state in program.states)
    return replace(substitute(program, names), states=states)


def _reads_once(kernel: Kernel, weight: Buffer, capacity: Capacity) -> bool:
    """Is it a product of few rows, in which neighbours of the weight are for neighbouring sums?"""
    if not isinstance(kernel, Contraction):
        return False
    result, extents = kernel.letters[2], kernel.extents
    factors = zip(kernel.letters[:2], kernel.reads[:2], strict=True)
    rows = [
        math.prod(capacity.dim(extents[letter]) for letter in result if letter not in letters)
        for letters, view in factors
        if view.buffer is weight and view.whole and letters[-1] in result
    ]
    reads = sum(view.buffer is weight for view in kernel.reads)
    return len(rows) == reads == 1 and rows[0] <= FEW_ROWS


def in_results(program: Program, capacity: Capacity) -> Program:
    """The program with what it computes large outputs from where these go, as far as it can be."""
    touched: dict[Buffer, list[int]] = {}
    for position, kernel in enumerate(program.body):
        for buffer in {*kernel.outs, *(view.buffer for view in kernel.reads)}:
            touched.setdefault(buffer, []).append(position)
    own = {out for kernel in program.body for out in kernel.outs if out.role == "work"}
    names: dict[Buffer, Buffer] = {}
    for position, kernel in enumerate(program.body):
        for out in kernel.outs:
            if out.role == "output" and touched[out] == [position] and _is_large(out, capacity):
                operands = own.intersection(view.buffer for view in safe_operands(kernel, out))
                dying = [each for each in operands if touched[each][-1] == position]
                names |= dict.fromkeys(sorted(dying, key=touched.__getitem__)[:1], out)
    return substitute(program, names)


def _is_large(buffer: Buffer, capacity: Capacity) -> bool:
    return math.prod(capacity.shape(buffer.type.shape)) * buffer.type.dtype.itemsize >= LARGE
