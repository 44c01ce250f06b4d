"""Any x86-64 processor: vectors of 16 bytes, no fused multiply-add."""

from __future__ import annotations

from chainc.backends.llvm.processors.processor import Processor
from chainc.schedules.layout.machine import SSE

X86_64 = Processor(
    triple="x86_64-unknown-linux-gnu",
    name="x86-64",
    features="",
    machine=SSE,
    meaning="any x86-64 processor under Linux",
    fuses=False,
    emulator="qemu-x86_64",
)
