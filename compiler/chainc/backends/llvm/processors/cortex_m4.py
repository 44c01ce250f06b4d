"""A small ARM processor without an operating system: numbers of 32 bits, and 256 KB of memory."""

from __future__ import annotations

from chainc.backends.llvm.processors.processor import Board, Processor
from chainc.schedules.layout.machine import FEW_SCALARS

CORTEX_M4 = Processor(
    triple="thumbv7em-none-unknown-eabihf",
    name="cortex-m4",
    features="",
    machine=FEW_SCALARS,
    meaning="an ARM Cortex-M4 with a floating-point unit, and no operating system",
    fuses=False,
    threads=1,
    relocation="static",
    board=Board(flash=1 << 20, memory=256 << 10),
)
