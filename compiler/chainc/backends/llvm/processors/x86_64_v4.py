"""x86-64 processors with AVX-512: vectors of 64 bytes, twice as many registers."""

from __future__ import annotations

from chainc.backends.llvm.processors.processor import Processor
from chainc.schedules.layout.machine import AVX512

X86_64_V4 = Processor(
    triple="x86_64-unknown-linux-gnu",
    name="x86-64-v4",
    features="",
    machine=AVX512,
    meaning="any x86-64 processor with AVX-512 under Linux",
)
