"""The processors that one can name: what each is, and that LLVM makes code for it."""

from __future__ import annotations

import re

import pytest

import chainrule as cr
from chainc.backends.llvm.function_code import function_code
from chainc.backends.llvm.machine_code.jit import assembly, machine_code
from chainc.backends.llvm.printing.module import Module
from chainc.backends.llvm.processors.by_name import FIXED, processor_named
from chainc.backends.llvm.processors.native import host
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.llvm.processors.wasm32 import WASM32, WASM32_RELAXED
from chainc.backends.llvm.runtime.entry import environment
from chainc.backends.llvm.runtime.threads import pauses
from chainc.ir.errors import InputError
from chainc.schedules.layout.access import Capacity
from chainc.schedules.training.waiting import BARRIER

FUSED = """\
define <4 x float> @fused(<4 x float> %a, <4 x float> %b, <4 x float> %c) {
  %r = call <4 x float> @llvm.fmuladd.v4f32(<4 x float> %a, <4 x float> %b, <4 x float> %c)
  ret <4 x float> %r
}
declare <4 x float> @llvm.fmuladd.v4f32(<4 x float>, <4 x float>, <4 x float>)
"""
ADDED = """\
define i64 @added(ptr %place) {
  %before = load atomic i64, ptr %place acquire, align 8
  %more = add i64 %before, 1
  store atomic i64 %more, ptr %place release, align 8
  ret i64 %before
}
"""
MAGIC = {
    "x86_64": (b"\x7fELF\x02", 62),
    "aarch64": (b"\x7fELF\x02", 183),
    "riscv64": (b"\x7fELF\x02", 243),
    "thumbv7em": (b"\x7fELF\x01", 40),
}
ALL = {**FIXED, "native": host(), "wasm": WASM32, "relaxed wasm": WASM32_RELAXED}
EACH = pytest.mark.parametrize("processor", ALL.values(), ids=list(ALL))


@pytest.mark.parametrize("name", list(FIXED))
def test_object_files_are_for_the_processor(name: str) -> None:
    processor = processor_named(name)
    made = machine_code(FUSED, processor)
    begin, number = MAGIC[processor.architecture]
    assert (made[:5], int.from_bytes(made[18:20], "little")) == (begin, number)


@EACH
def test_it_is_said_whether_a_product_and_a_sum_are_rounded_once(processor: Processor) -> None:
    found = re.search(r"fmadd|fmla|vfma|relaxed_madd|vfmadd", assembly(FUSED, processor))
    assert bool(found) == processor.fuses


@EACH
def test_no_processor_needs_a_library_for_what_surrounds_kernels(processor: Processor) -> None:
    module = Module(processor.machine)
    module.add(environment(processor))
    module.add(pauses(processor))
    module.routine(BARRIER)
    entry = """\
define void @entry(ptr %arena, i64 %thread, i64 %threads) {
  %before = call i32 @environment.enter()
  call void @barrier(ptr %arena, i64 %thread, i64 %threads)
  call void @environment.leave(i32 %before)
  ret void
}
"""
    module.add(entry + ADDED)
    text = assembly(module.text(), processor)
    assert not re.search(r"__atomic|__sync|@PLT", text)


@EACH
def test_pointers_are_as_long_as_the_architecture_says(processor: Processor) -> None:
    expected = 4 if processor.architecture in ("wasm32", "thumbv7em") else 8
    assert processor.pointer_bytes == expected
    assert processor.meaning


def test_one_name_is_the_others() -> None:
    assert processor_named("portable") is processor_named("x86-64-v3")
    assert processor_named("native") is host()


@pytest.mark.parametrize("name", ["Z80", "", None, 64, "wasm32"])
def test_a_processor_that_does_not_exist_is_refused(name: object) -> None:
    with pytest.raises(InputError, match=r'no processor .*\n.*\n  try: use "portable".*"aarch64"'):
        processor_named(name)


@pytest.mark.parametrize("name", list(FIXED))
def test_rounding_down_needs_no_library(name: str) -> None:
    processor = processor_named(name)
    x = cr.input("x", (8,))
    program = cr.compile(cr.floor(x), target="numpy")._compiled.program
    code = function_code(program, Capacity({}), processor)
    assert "floorf" not in assembly(code.text, processor)
