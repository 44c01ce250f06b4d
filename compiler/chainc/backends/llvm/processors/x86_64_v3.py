"""x86-64 processors with AVX2 and fused multiply-add: nearly all since 2013."""

from __future__ import annotations

from chainc.backends.llvm.processors.processor import Processor
from chainc.schedules.layout.machine import AVX2

X86_64_V3 = Processor(
    triple="x86_64-unknown-linux-gnu",
    name="x86-64-v3",
    features="",
    machine=AVX2,
    meaning="any x86-64 processor with AVX2 and FMA under Linux",
    emulator="qemu-x86_64",
)
