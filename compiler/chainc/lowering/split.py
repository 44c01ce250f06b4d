"""One scalar primitive a kernel: the form for a backend that works on whole arrays.

h = relu(x @ w + b)      →      h = x @ w;   h = h + b;   h = maximum(h, 0)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from chainc.lowering.naming import named_buffer
from chainc.lowering.program import (
    Contraction,
    Instruction,
    Kernel,
    Map,
    Operand,
    Program,
    Reference,
    Value,
    View,
)


def split(program: Program) -> Program:
    """Every map with several instructions, and every epilogue, as maps of one instruction."""
    return replace(
        program,
        prologue=tuple(part for kernel in program.prologue for part in _split(kernel)),
        body=tuple(part for kernel in program.body for part in _split(kernel)),
    )


def split_large(program: Program, instructions: int) -> Program:
    """Only maps of more instructions than that."""

    def parts(kernel: Kernel) -> Iterator[Kernel]:
        if isinstance(kernel, Map) and len(kernel.instructions) > instructions:
            return _split(kernel)
        return iter((kernel,))

    return replace(program, body=tuple(part for kernel in program.body for part in parts(kernel)))


def _split(kernel: Kernel) -> Iterator[Kernel]:
    if isinstance(kernel, Map):
        yield from _single(kernel, kernel.operands, kernel.instructions)
    elif isinstance(kernel, Contraction) and kernel.product is not None:
        product = kernel.product
        operands, origin = kernel.operands[:2], kernel.origin
        yield Contraction(product, operands, kernel.letters, origin=origin, node=kernel.node)
        arguments = (View(product, product.type), *kernel.operands[2:])
        yield from _single(kernel, arguments, kernel.epilogue)
    else:
        yield kernel


def _single(
    kernel: Kernel, arguments: Sequence[Operand], instructions: Sequence[Instruction]
) -> Iterator[Kernel]:
    results: list[Operand] = []
    for index, instruction in enumerate(instructions):
        last = index == len(instructions) - 1
        origin = instruction.origin
        out = kernel.out if last else named_buffer(origin, instruction.primitive, instruction.type)
        operands = tuple(_operand(value, arguments, results) for value in instruction.operands)
        references = tuple(
            Reference("argument", position, operand.type)
            for position, operand in enumerate(operands)
        )
        alone = replace(instruction, operands=references)
        yield Map(out, operands, (alone,), origin=origin, node=kernel.node)
        results.append(View(out, out.type))


def _operand(value: Value, arguments: Sequence[Operand], results: Sequence[Operand]) -> Operand:
    if not isinstance(value, Reference):
        return value
    return (arguments if value.kind == "argument" else results)[value.index]
