"""64-bit ARM processors, as in phones: NEON is part of every one."""

from __future__ import annotations

from chainc.backends.llvm.processors.processor import Processor
from chainc.schedules.layout.machine import NEON

AARCH64 = Processor(
    triple="aarch64-unknown-linux-gnu",
    name="generic",
    features="+neon",
    machine=NEON,
    meaning="any 64-bit ARM processor under Linux or Android",
    emulator="qemu-aarch64",
)
