"""Processors that code is generated for: this one, or any of a kind."""

from __future__ import annotations

import os
import sys
from functools import cache

from chainc.dataclass import dataclass
from chainc.schedules.layout.machine import AVX2, AVX512, NEON, SSE, Machine


@dataclass(frozen=True)
class Processor:
    """What code is generated for."""

    triple: str
    name: str
    features: str
    machine: Machine


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
    return Processor(triple, llvm.get_host_cpu_name(), features.flatten(), machine)


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def portable() -> Processor:
    """Any x86-64 processor with AVX2 and FMA, for objects that leave this machine."""
    return Processor("x86_64-unknown-linux-gnu", "x86-64-v3", "", AVX2)
