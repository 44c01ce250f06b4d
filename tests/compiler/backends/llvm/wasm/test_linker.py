"""Our linker: modules that `wasmtime` runs, and what it makes of object files that are broken."""

from __future__ import annotations

import random
from functools import cache

import pytest
import wasmtime
from tests.broken import broken

from chainc.backends.llvm.machine_code.jit import machine_code
from chainc.backends.llvm.processors.wasm32 import WASM32
from chainc.backends.llvm.wasm.linker import (
    CACHE_LINE,
    MOST_BYTES,
    PAGE_BYTES,
    STACK_BYTES,
    Module,
    linked_module,
)
from chainc.ir.errors import LinkingError

# a constant at a place, a table on the stack, a call, a constant that is aligned
TEXT = """\
@seven = internal constant [2 x i32] [i32 5, i32 7], align 4
@lines = internal constant [80 x i8] c"\\01\\02{rest}", align 64

define i32 @read(i32 %position) noinline {{
  %at = getelementptr i32, ptr @seven, i32 %position
  %value = load i32, ptr %at
  ret i32 %value
}}

define i32 @both() {{
  %a = call i32 @read(i32 0)
  %b = call i32 @read(i32 1)
  %sum = add i32 %a, %b
  ret i32 %sum
}}

define i32 @kept(i32 %value) {{
  %space = alloca [64 x i32]
  %at = getelementptr i32, ptr %space, i32 9
  store volatile i32 %value, ptr %at
  %back = load volatile i32, ptr %at
  ret i32 %back
}}

define i32 @line() {{
  %at = ptrtoint ptr @lines to i32
  ret i32 %at
}}
""".format(rest="\\00" * 78)
NAMES = {"both": "sum", "kept": "kept", "line": "line"}


@cache
def object_file(text: str = TEXT) -> bytes:
    return machine_code(text, WASM32, [*NAMES, "needy"])


class Running:
    """A module with memory of its own."""

    def __init__(self, module: Module) -> None:
        self.store = wasmtime.Store()
        self.module = wasmtime.Module(self.store.engine, module.content)
        limits = wasmtime.Limits(module.pages, module.pages)
        self.memory = wasmtime.Memory(self.store, wasmtime.MemoryType(limits))
        self.instance = wasmtime.Instance(self.store, self.module, [self.memory])

    def call(self, name: str, *arguments: int) -> int:
        function = self.instance.exports(self.store)[name]
        assert isinstance(function, wasmtime.Func)
        return int(function(self.store, *arguments))


def test_calls_constants_and_the_stack_work() -> None:
    running = Running(linked_module(object_file(), NAMES))
    assert (running.call("sum"), running.call("kept", 41)) == (12, 41)
    assert [each.name for each in running.module.exports] == list(NAMES.values())


def test_constants_lie_behind_the_stack_where_they_are_aligned() -> None:
    running = Running(linked_module(object_file(), NAMES))
    place = running.call("line")
    assert place >= STACK_BYTES
    assert place % CACHE_LINE == 0
    assert running.memory.read(running.store, place, place + 3) == b"\1\2\0"


def test_memory_is_all_that_is_imported_and_is_as_large_as_the_plan() -> None:
    room = 3 * PAGE_BYTES
    module = linked_module(object_file(), NAMES, room)
    assert (module.base % CACHE_LINE, module.end) == (0, module.base + room)
    (memory,) = wasmtime.Module(wasmtime.Engine(), module.content).imports
    assert (memory.module, memory.name) == ("env", "memory")
    assert isinstance(memory.type, wasmtime.MemoryType)
    assert memory.type.limits.min == module.pages == 4


def test_a_stack_that_is_too_deep_ends_the_call() -> None:
    deep = f"""\
define i32 @both() {{
  %space = alloca [{STACK_BYTES} x i8]
  %more = alloca [64 x i8]
  store volatile i8 1, ptr %space
  ret i32 1
}}
"""
    running = Running(linked_module(object_file(deep), {"both": "deep"}))
    with pytest.raises(wasmtime.Trap, match="out of bounds memory access"):
        running.call("deep")


def test_linking_again_gives_the_same_bytes() -> None:
    again = machine_code(TEXT, WASM32, [*NAMES, "needy"])
    assert linked_module(again, NAMES).content == linked_module(object_file(), NAMES).content


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (TEXT, "nothing", "it has no function 'nothing'"),
        (
            "declare i32 @other()\ndefine i32 @needy() {\n"
            "  %r = call i32 @other()\n  ret i32 %r\n}\n",
            "needy",
            "it needs 'other', which is not in it",
        ),
        (
            "@there = external global i32\ndefine i32 @needy() {\n"
            "  %r = load i32, ptr @there\n  ret i32 %r\n}\n",
            "needy",
            "it needs 'there', which is not in it",
        ),
        (
            "define ptr @needy() {\n  ret ptr @needy\n}\n",
            "needy",
            "it needs '__indirect_function_table'",
        ),
    ],
)
def test_what_a_program_of_kernels_does_not_have_is_refused(
    text: str, name: str, message: str
) -> None:
    with pytest.raises(LinkingError, match=rf"cannot be linked: {message}.*\n.*\n  try: "):
        linked_module(object_file(text), {name: name})


def test_more_memory_than_addresses_reach_is_refused() -> None:
    with pytest.raises(LinkingError, match=rf"and {MOST_BYTES:,} are the most"):
        linked_module(object_file(), NAMES, MOST_BYTES)


def test_broken_object_files_are_refused_or_linked_and_nothing_else() -> None:
    draws = random.Random(7)
    refused = 0
    for _ in range(600):
        try:
            linked_module(broken(object_file(), draws), NAMES)
        except LinkingError:
            refused += 1
    assert refused > 300


@pytest.mark.parametrize("content", [b"", b"\0asm", b"\x7fELF" + bytes(60)])
def test_what_is_no_object_file_is_refused(content: bytes) -> None:
    with pytest.raises(LinkingError, match=r"cut short|no WebAssembly"):
        linked_module(content, {})
