"""What code generation must know of a processor, and what is to be said of one."""

from __future__ import annotations

from chainc.dataclass import dataclass
from chainc.schedules.layout.machine import Machine
from chainc.schedules.program.control_block import MAX_THREADS


@dataclass(frozen=True)
class Board:
    """What a processor without an operating system has: bytes of flash and of memory."""

    flash: int
    memory: int


@dataclass(frozen=True)
class Processor:
    """What code is generated for.

    Attributes:
        triple: LLVM's word for instruction set and system.
        name: LLVM's word for the model.
        features: that LLVM does not know by the model.
        machine: the vectors and registers for which schedules are made.
        meaning: in words, for who chooses one.
        fuses: is a product with a sum rounded once?
        threads: as many as may share a step.
        relocation: "pic" where code may lie anywhere, "static" where its place is known.
        emulator: the program that runs it on other machines.
        board: where there is no operating system.
    """

    triple: str
    name: str
    features: str
    machine: Machine
    meaning: str = ""
    fuses: bool = True
    threads: int = MAX_THREADS
    relocation: str = "pic"
    emulator: str | None = None
    board: Board | None = None

    @property
    def architecture(self) -> str:
        """LLVM's word, such as aarch64."""
        return self.triple.partition("-")[0]

    @property
    def pointer_bytes(self) -> int:
        """Of an address."""
        return 8 if "64" in self.architecture else 4
