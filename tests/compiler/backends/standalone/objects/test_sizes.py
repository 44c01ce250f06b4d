"""How much of an object file is code and constants."""

from __future__ import annotations

import pytest

from chainc.backends.llvm.machine_code.jit import machine_code
from chainc.backends.llvm.processors.aarch64 import AARCH64
from chainc.backends.llvm.processors.cortex_m4 import CORTEX_M4
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.standalone.objects.sizes import code_bytes

TEXT = """\
@numbers = constant [1000 x i8] c"\\01{rest}", align 4
@space = global [5000 x i8] zeroinitializer, align 64
define i32 @seven() {{
  ret i32 7
}}
""".format(rest="\\02" * 999)


@pytest.mark.parametrize("processor", [AARCH64, CORTEX_M4], ids=lambda each: str(each.name))
def test_constants_and_code_count_and_memory_does_not(processor: Processor) -> None:
    found = code_bytes(machine_code(TEXT, processor))
    assert 1000 < found < 1200
