"""The processors that one can name."""

from __future__ import annotations

from collections.abc import Mapping

from chainc.backends.llvm.processors.aarch64 import AARCH64
from chainc.backends.llvm.processors.cortex_m4 import CORTEX_M4
from chainc.backends.llvm.processors.native import host
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.llvm.processors.riscv64 import RISCV64
from chainc.backends.llvm.processors.x86_64 import X86_64
from chainc.backends.llvm.processors.x86_64_v3 import X86_64_V3
from chainc.backends.llvm.processors.x86_64_v4 import X86_64_V4
from chainc.ir.errors import InputError

PORTABLE, FAT = "portable", "x86-64-fat"
FIXED: Mapping[str, Processor] = {
    PORTABLE: X86_64_V3,
    "x86-64": X86_64,
    "x86-64-v3": X86_64_V3,
    "x86-64-v4": X86_64_V4,
    "aarch64": AARCH64,
    "riscv64": RISCV64,
    "cortex-m4": CORTEX_M4,
}


def processor_named(name: object) -> Processor:
    """What to generate code for.

    Raises:
        InputError: there is no such choice.
    """
    if isinstance(name, str) and name in FIXED:
        return FIXED[name]
    if isinstance(name, str) and name == "native":
        return host()
    others = ", ".join(f'"{each}"' for each in (*FIXED, FAT) if each != PORTABLE)
    raise InputError(
        f"export: there is no processor {name!r}",
        hint=f'use "portable" for {X86_64_V3.meaning}, "native" for this one, or one of {others}; '
        'for a browser compile with target="wasm"',
    )
