"""The parts of a kernel: the ops that it computes, each known by a number in the kernel's code.

Split, a program has one scalar primitive a kernel: the form for a backend that works on whole
arrays.

    h = relu(x @ w + b)      →      h = x @ w;   h = h + b;   h = maximum(h, 0)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.lowering.kernels import Copy, Kernel, Map
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer


@dataclass(frozen=True, eq=False)
class Part:
    """One op of one kernel.

    Attributes:
        kernel: no group, but a member where it is one.
        node: of a fused body; None for what the kernel is without one, such as its product.
        target: what the kernel's result is written to, if it is.
    """

    kernel: Kernel
    node: Node | None
    target: Buffer

    @property
    def key(self) -> tuple[Buffer, Node | None]:
        """What tells it from the other parts of a group."""
        return self.kernel.out, self.node


def parts_of(kernel: Kernel) -> tuple[Part, ...]:
    """The parts in order; their positions are the numbers by which registers name them."""
    kept = dict(kernel.stored)
    return tuple(
        part for each in kernel.single for part in _parts(each, kept.get(each.out, each.out))
    )


def parts_of_all(kernels: Iterable[Kernel]) -> tuple[Part, ...]:
    """The parts of kernels that are done by one function."""
    return tuple(part for kernel in kernels for part in parts_of(kernel))


def _parts(kernel: Kernel, target: Buffer) -> Iterator[Part]:
    if kernel.starts_alone:
        yield Part(kernel, None, target)
    for node in dict.fromkeys(instruction.node for instruction in kernel.scalars):
        yield Part(kernel, node, target)


def split(program: Program) -> Program:
    """Every map with several instructions, and every epilogue, as maps of one instruction."""
    return replace(
        program,
        prologue=tuple(part for kernel in program.prologue for part in kernel.apart()),
        body=tuple(part for kernel in program.body for part in kernel.apart()),
    )


def without_idle(program: Program) -> Program:
    """Without copies of buffers to where they are."""
    return replace(program, body=tuple(each for each in program.body if not _is_idle(each)))


def _is_idle(kernel: Kernel) -> bool:
    if not isinstance(kernel, Copy) or kernel.starts:
        return False
    return any(view.whole and view.buffer is kernel.out for view in kernel.reads)


def split_large(program: Program, instructions: int) -> Program:
    """Only maps of more instructions than that."""

    def parts(kernel: Kernel) -> Iterator[Kernel]:
        if isinstance(kernel, Map) and len(kernel.instructions) > instructions:
            return kernel.apart()
        return iter((kernel,))

    return replace(program, body=tuple(part for kernel in program.body for part in parts(kernel)))
