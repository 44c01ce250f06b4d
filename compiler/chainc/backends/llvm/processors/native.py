"""The processor of this process."""

from __future__ import annotations

import os
import sys
from functools import cache

from chainc.backends.llvm.processors.processor import Processor
from chainc.schedules.layout.machine import AVX2, AVX512, NEON, SSE


@cache
def host() -> Processor:
    """The processor of this process."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    triple = llvm.get_process_triple()
    if "x86_64" in triple:
        machine = AVX512 if features.get("avx512f") else AVX2 if features.get("avx2") else SSE
    else:
        machine = NEON
    meaning, fuses = "processors like the one that made it", machine is not SSE
    name = llvm.get_host_cpu_name()
    return Processor(triple, name, features.flatten(), machine, meaning, fuses)


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
