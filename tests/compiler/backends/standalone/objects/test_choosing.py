"""A function for each level of x86-64, and the one that chooses by what the processor has."""

from __future__ import annotations

import ctypes

import pytest

from chainc.backends.llvm.machine_code.jit import LinkedByLLVM, compile_object
from chainc.backends.llvm.processors.native import host
from chainc.backends.standalone.objects.choosing import choosing, hidden, level_of, signatures
from chainc.schedules.layout.machine import AVX2, AVX512, SSE

LEVELS = {SSE: 1, AVX2: 3, AVX512: 4}
FUNCTION = """\
define i64 @{name}_which(i64 %more) {{
entry:
  %sum = add i64 %more, {number}
  ret i64 %sum
}}

define internal void @inside() {{
  ret void
}}
"""


@pytest.mark.skipif("x86_64" not in host().triple, reason="asks an x86-64 processor")
def test_the_level_is_that_of_the_processor() -> None:
    texts = [FUNCTION.format(name=level_of("t", n), number=n) for n in LEVELS.values()]
    objects = [compile_object(hidden(text, f"t_v{n}"), host(), [f"t_v{n}_which"])
               for n, text in zip(LEVELS.values(), texts, strict=True)]  # fmt: skip
    found = signatures(texts[0], "t_v1")
    assert found == {"which": ("i64", "i64 %more")}
    chooser = compile_object(choosing("t", "0123", found), host())
    library = LinkedByLLVM([chooser, *objects], ["t_which"], [])
    which = library.function("t_which", ctypes.c_int64, [ctypes.c_int64])
    assert [which(10), which(20)] == [10 + LEVELS[host().machine], 20 + LEVELS[host().machine]]


def test_only_what_c_sees_is_hidden() -> None:
    text = hidden(FUNCTION.format(name="t_v1", number=1), "t_v1")
    assert "define hidden i64 @t_v1_which" in text
    assert "define internal void @inside" in text
