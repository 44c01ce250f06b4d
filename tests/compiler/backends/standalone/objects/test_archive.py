"""Static libraries: what a linker reads in them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from chainc.backends.llvm.machine_code.jit import machine_code
from chainc.backends.llvm.processors.riscv64 import RISCV64
from chainc.backends.standalone.objects.archive import MAGIC, ObjectFile, archived

SEVEN = "define i32 @seven() {\n  ret i32 7\n}\n"
NEEDS_AR = pytest.mark.skipif(shutil.which("ar") is None, reason="there is no ar")


def test_the_index_leads_to_the_object_file() -> None:
    content = b"\x7fELF, all of an odd length"
    library = archived([ObjectFile(content, ["one", "two"])])
    assert library.startswith(MAGIC)
    start = len(MAGIC) + 60
    assert library[start : start + 4] == b"\0\0\0\2"
    places = [library[start + 4 * i : start + 4 * i + 4] for i in (1, 2)]
    place = int.from_bytes(places[0], "big")
    assert places[0] == places[1]
    assert library[place : place + 10] == b"program0.o"
    assert library[place + 60 :].startswith(content)
    assert len(library) % 2 == 0


@NEEDS_AR
def test_other_tools_read_it(tmp_path: Path) -> None:
    made = machine_code(SEVEN, RISCV64)
    (tmp_path / "libseven.a").write_bytes(archived([ObjectFile(made, ["seven"])]))
    (tmp_path / "other.a").write_bytes(archived([ObjectFile(made + b"\n", ["seven"])]))
    for name in ("libseven.a", "other.a"):
        given = ["ar", "p", name, "program0.o"]
        assert (
            subprocess.run(given, cwd=tmp_path, capture_output=True, check=True).stdout[: len(made)]
            == made
        )
