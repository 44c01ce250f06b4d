"""Our loader: code that runs, memory that is not written any more, and what is refused."""

from __future__ import annotations

import ctypes
import random
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from tests.broken import broken

from chainc.backends.llvm.machine_code.jit import LinkedByLLVM, loaded, machine_code
from chainc.backends.llvm.machine_code.loading import Library
from chainc.backends.llvm.processors.native import host
from chainc.backends.llvm.processors.x86_64 import X86_64
from chainc.ir.errors import LinkingError

pytestmark = pytest.mark.skipif(
    not host().triple.startswith("x86_64") or sys.platform != "linux", reason="x86-64 under Linux"
)

# a constant by its place, a jump by a table, a call of another file, and one that nothing reaches
FIRST = """\
@numbers = internal constant [3 x i64] [i64 1, i64 20, i64 300], align 64
declare i64 @doubled(i64)
declare i64 @absent(i64)

define i64 @at(i64 %i) nounwind {
  %place = getelementptr i64, ptr @numbers, i64 %i
  %value = load i64, ptr %place
  %twice = call i64 @doubled(i64 %value)
  ret i64 %twice
}

define i64 @chosen(i64 %i) nounwind {
  switch i64 %i, label %other [i64 0, label %a i64 1, label %b i64 2, label %c i64 3, label %d]
a: ret i64 17
b: ret i64 4
c: ret i64 90
d: ret i64 2
other:
  %result = call i64 @absent(i64 %i)
  ret i64 %result
}

define i64 @where() nounwind {
  %place = ptrtoint ptr @numbers to i64
  ret i64 %place
}
"""
SECOND = """\
define i64 @doubled(i64 %value) nounwind {
  %result = mul i64 %value, 2
  ret i64 %result
}
"""
NAMES = ("at", "chosen", "where")


@cache
def made(text: str) -> bytes:
    return machine_code(text, X86_64)


def library() -> Library:
    return Library([made(FIRST), made(SECOND)], NAMES, ["absent"])


def called(name: str, *arguments: int) -> int:
    code = library()
    found = code.function(name, ctypes.c_int64, [ctypes.c_int64] * len(arguments))(*arguments)
    assert isinstance(found, int)
    return found


def test_constants_tables_and_other_files_are_found() -> None:
    assert [called("at", i) for i in range(3)] == [2, 40, 600]
    assert [called("chosen", i) for i in range(4)] == [17, 4, 90, 2]
    assert called("where") % 64 == 0


def test_llvm_loads_the_same() -> None:
    code = LinkedByLLVM([made(FIRST), made(SECOND)], NAMES, ["absent"])
    at = code.function("at", ctypes.c_int64, [ctypes.c_int64])
    assert [at(i) for i in range(3)] == [2, 40, 600]


def test_this_processor_needs_no_llvm_to_load() -> None:
    assert isinstance(loaded([made(SECOND)], ["doubled"]), Library)


def permissions(address: int) -> str:
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        span, allowed, *_ = line.split()
        start, end = (int(each, 16) for each in span.split("-"))
        if start <= address < end:
            return allowed
    return "none"


def test_memory_can_be_run_and_not_written_and_is_given_back() -> None:
    code = library()
    address = code.function("where", ctypes.c_int64, [])()
    assert isinstance(address, int)
    assert permissions(address) == "r-xp"
    del code
    assert permissions(address) == "none"


def test_a_call_of_what_is_absent_ends_the_process() -> None:
    program = f"from {__name__} import called; called('chosen', 9)"
    root = str(Path(__file__).parents[5])
    done = subprocess.run([sys.executable, "-c", program], cwd=root, check=False, timeout=60)
    assert done.returncode == -signal.SIGILL


WRITTEN = """\
@sum = internal global i64 5
define void @f() nounwind {
  store i64 3, ptr @sum
  ret void
}
"""
ZEROS = WRITTEN.replace("global i64 5", "global i64 0")
ELSEWHERE = "@far = external global i64\ndefine ptr @f() nounwind {\n  ret ptr @far\n}\n"
NEEDY = "declare void @g()\ndefine void @f() nounwind {\n  call void @g()\n  ret void\n}\n"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([WRITTEN], "it has memory that it writes to"),
        ([ZEROS], "it has memory that it writes to"),
        ([ELSEWHERE], "it has a relocation of kind"),
        ([NEEDY], "it needs 'g', which is not in it"),
        ([SECOND], "it has no function 'f'"),
        ([SECOND, SECOND], "'doubled' is there twice"),
    ],
)
def test_what_is_no_part_of_a_program_is_refused(files: list[str], message: str) -> None:
    with pytest.raises(LinkingError, match=rf"cannot be loaded: {message}.*\n.*\n  try: use"):
        Library([made(text) for text in files], ["f"])


@pytest.mark.parametrize(
    "content", [b"", b"\x7fELF", b"\x7fELF" + bytes(60), b"\0asm\1\0\0\0" + bytes(60)]
)
def test_what_is_no_object_file_is_refused(content: bytes) -> None:
    with pytest.raises(LinkingError, match=r"cut short|no object file for this processor"):
        Library([content], [])


def test_a_system_that_allows_no_new_code_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Strict:
        @staticmethod
        def mprotect(*_: object) -> int:
            ctypes.set_errno(13)
            return -1

    monkeypatch.setattr("chainc.backends.llvm.machine_code.loading._libc", Strict)
    with pytest.raises(LinkingError, match=r"executable: Permission denied[^§]*\n  try: let this"):
        library()


def test_broken_object_files_are_refused_or_loaded_and_nothing_else() -> None:
    draws = random.Random(7)
    refused = 0
    for _ in range(2000):
        try:
            Library([broken(made(FIRST), draws), made(SECOND)], NAMES, ["absent"])
        except LinkingError:
            refused += 1
    assert 800 < refused < 1990
