"""One scalar primitive a kernel: the form for a backend that works on whole arrays.

h = relu(x @ w + b)      →      h = x @ w;   h = h + b;   h = maximum(h, 0)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from chainc.lowering.kernels import Kernel, Map
from chainc.lowering.program import Program


def split(program: Program) -> Program:
    """Every map with several instructions, and every epilogue, as maps of one instruction."""
    return replace(
        program,
        prologue=tuple(part for kernel in program.prologue for part in kernel.apart()),
        body=tuple(part for kernel in program.body for part in kernel.apart()),
    )


def split_large(program: Program, instructions: int) -> Program:
    """Only maps of more instructions than that."""

    def parts(kernel: Kernel) -> Iterator[Kernel]:
        if isinstance(kernel, Map) and len(kernel.instructions) > instructions:
            return kernel.apart()
        return iter((kernel,))

    return replace(program, body=tuple(part for kernel in program.body for part in parts(kernel)))
