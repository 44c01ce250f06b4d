"""What a board can hold: numbers that its processor has, memory, and flash for the code."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.standalone.objects.sizes import code_bytes
from chainc.backends.storage import Storage
from chainc.ir.errors import GraphError
from chainc.ir.types import float64
from chainc.lowering.program import Program

MOST_TOLD = 3  # of what takes most


def check_numbers(
    programs: Iterable[Program], processor: Processor, of_epochs: Collection[str] = ()
) -> None:
    """No program computes with numbers of 64 bits on a board.

    The sums of an epoch have such numbers everywhere, and so have the slots `of_epochs`, by name,
    of a rule that ends a training: there are few, and a compiler's own library adds them.

    Raises:
        GraphError: one does.
    """
    if processor.board is None:
        return
    for program in programs:
        outs = (out for kernel in program.body for out in kernel.outs)
        for buffer in (*program.inputs, *program.states, *outs):
            if buffer.type.dtype == float64 and buffer.key not in of_epochs:
                raise GraphError(
                    f"export: {buffer.key or buffer.name or 'a value'!r} is {buffer.type}, and "
                    f"{processor.meaning} computes with 32 bits",
                    hint='declare inputs and parameters as "float32"',
                )


def check_memory(storage: Storage, processor: Processor) -> None:
    """The memory of a board holds the arena.

    Raises:
        GraphError: it does not.
    """
    board = processor.board
    if board is None or storage.arena_bytes <= board.memory:
        return
    over = storage.arena_bytes - board.memory
    inside = [each for each in storage.allocations if each.offset is not None]
    inside.sort(key=lambda each: -each.bytes)
    largest = ", ".join(f"{each.name} ({each.bytes:,})" for each in inside[:MOST_TOLD])
    raise GraphError(
        f"export: the program takes {storage.arena_bytes:,} bytes of memory, {over:,} more than "
        f"the {board.memory:,} of {processor.meaning}; most take {largest}",
        hint="declare fewer units, or let a step compute fewer rows at once",
    )


def check_code(object_file: bytes, processor: Processor) -> None:
    """The flash of a board holds code and constants.

    Raises:
        GraphError: it does not.
    """
    board = processor.board
    if board is None:
        return
    nbytes = code_bytes(object_file)
    if nbytes <= board.flash:
        return
    raise GraphError(
        f"export: code and constants take {nbytes:,} bytes, {nbytes - board.flash:,} more than "
        f"the flash of {board.flash:,} of {processor.meaning}",
        hint="declare fewer units, or fewer layers of different sizes",
    )


def static_memory(name: str, nbytes: int, processor: Processor) -> str:
    """An arena in the object file, where nothing else gives memory."""
    if processor.board is None:
        return ""
    return f"@{name}_memory = global [{nbytes} x i8] zeroinitializer, align 64\n"
