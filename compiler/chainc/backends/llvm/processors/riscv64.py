"""64-bit RISC-V processors that run Linux (RV64GC): floating-point numbers, no vectors."""

from __future__ import annotations

from chainc.backends.llvm.processors.processor import Processor
from chainc.schedules.layout.machine import SCALARS

RISCV64 = Processor(
    triple="riscv64-unknown-linux-gnu",
    name="generic-rv64",
    features="+m,+a,+f,+d,+c",
    machine=SCALARS,
    meaning="any 64-bit RISC-V processor (RV64GC) under Linux",
    emulator="qemu-riscv64",
)
