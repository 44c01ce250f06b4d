"""The processor of this process.

LLVM knows what it can do, but takes longer to load than a kept program: what it has said is kept.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from chainc.backends import compiled_cache, records
from chainc.backends.llvm.processors.processor import Processor
from chainc.dataclass import dataclass
from chainc.schedules.layout.machine import AVX2, AVX512, NEON, SSE

_SAID = "/proc/cpuinfo"  # by the kernel, of each core
_MOST = 1 << 14  # bytes of it: some cores; of very many it takes milliseconds
_TELLING = (b"vendor_id", b"cpu family", b"model\t", b"stepping", b"flags")


@dataclass(frozen=True)
class KeptHost:
    """What LLVM calls a processor, and the features that the name does not tell."""

    triple: str
    name: str
    features: str


@cache
def host() -> Processor:
    """The processor of this process."""
    found = _host()
    has = set(found.features.split(","))
    if "x86_64" in found.triple:
        machine = AVX512 if "+avx512f" in has else AVX2 if "+avx2" in has else SSE
    else:
        machine = NEON
    meaning, fuses = "processors like the one that made it", machine is not SSE
    return Processor(found.triple, found.name, found.features, machine, meaning, fuses)


def _host() -> KeptHost:
    """As it was kept for a processor of which the kernel says the same."""
    said = _said()
    if said is None:
        return _asked()
    name = f"host-{compiled_cache.key(said, llvm_version(), str(sys.maxsize))}"
    found = records.kept(KeptHost, name)
    if found is None:
        found = _asked()
        records.keep(name, found)
    return found


def _asked() -> KeptHost:
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features().flatten()
    return KeptHost(llvm.get_process_triple(), llvm.get_host_cpu_name(), features)


def _said() -> bytes | None:
    """What the kernel says of the first core, if it is Linux on x86."""
    try:
        with Path(_SAID).open("rb", buffering=0) as file:
            first, end, _ = file.read(_MOST).partition(b"\n\n")
    except OSError:
        return None
    lines = [line for line in first.split(b"\n") if line.startswith(_TELLING)]
    return b"\n".join(lines) if end and len(lines) == len(_TELLING) else None


@cache
def llvm_version() -> str:
    """That of LLVM's binding, without loading it."""
    spec = find_spec("llvmlite")
    if spec is not None and spec.origin is not None:
        with suppress(OSError):
            return Path(spec.origin).with_name("_version.py").read_text(encoding="utf-8")
    import llvmlite

    return str(llvmlite.__version__)


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
