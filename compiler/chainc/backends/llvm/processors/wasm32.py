"""WebAssembly with vectors of 16 bytes (SIMD128), which all browsers of today have.

No instruction rounds a product and a sum once. Those of *relaxed* SIMD do so on most machines,
but a browser that does not know them refuses the whole module: so they are a module of their own.
"""

from __future__ import annotations

from dataclasses import replace

from chainc.backends.llvm.processors.processor import Processor
from chainc.schedules.layout.machine import SIMD128

FEATURES = "+simd128,+bulk-memory,+nontrapping-fptoint,+sign-ext,+mutable-globals"

WASM32 = Processor(
    triple="wasm32-unknown-unknown",
    name="generic",
    features=FEATURES,
    machine=SIMD128,
    meaning="WebAssembly with SIMD128, in any browser",
    fuses=False,
    threads=1,
    relocation="static",
)

WASM32_RELAXED = replace(
    WASM32,
    features=f"{FEATURES},+relaxed-simd",
    meaning="WebAssembly with relaxed SIMD, in browsers that know it",
    fuses=True,
)
