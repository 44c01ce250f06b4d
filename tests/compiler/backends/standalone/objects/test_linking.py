"""Linkers: which one is taken, what it is told, and what happens when it fails."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest
from tests.exported import CC

from chainc.backends.llvm.machine_code.jit import compile_object
from chainc.backends.llvm.processors.native import host
from chainc.backends.standalone.objects import linking
from chainc.backends.standalone.objects.linking import linked
from chainc.ir.errors import LinkingError

SEVEN = "define i32 @seven() {\n  ret i32 7\n}\n\ndefine i32 @other() {\n  ret i32 8\n}\n"
MISSING = (
    "declare i32 @missing()\ndefine i32 @seven() {\n  %r = call i32 @missing()\n  ret i32 %r\n}"
)
NEEDS_CC = pytest.mark.skipif(CC is None, reason="there is no C compiler")
NEEDS_ZIG = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None, reason="ziglang is not installed"
)


def a_linker(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts a `cc` of our own on the PATH."""
    (folder / "cc").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "cc").chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@NEEDS_CC
def test_only_the_entries_can_be_seen(tmp_path: Path) -> None:
    import ctypes

    library = tmp_path / "seven.so"
    library.write_bytes(linked(compile_object(SEVEN, host(), ["seven"])))
    loaded = ctypes.CDLL(str(library))
    assert loaded.seven() == 7
    assert not hasattr(loaded, "other")


@NEEDS_CC
def test_a_symbol_that_is_nowhere_is_an_error() -> None:
    with pytest.raises(LinkingError, match=r"the linker .*cc failed: [^§]*missing[^§]*\n  try: it"):
        linked(compile_object(MISSING, host(), ["seven"]))


@NEEDS_ZIG
def test_without_cc_ziglang_links(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert linked(compile_object(SEVEN, host(), ["seven"]))[:4] == b"\x7fELF"


def test_the_linker_gets_names_and_an_environment_of_our_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    a_linker(tmp_path, f'env > {tmp_path}/env\necho "$@" > {tmp_path}/told\ncat', monkeypatch)
    monkeypatch.setenv("LD_PRELOAD", "")
    monkeypatch.setenv("SECRET", "1")
    monkeypatch.setenv("COMPILER_PATH", str(tmp_path))
    with pytest.raises(LinkingError, match=r"cannot link in .*program\.so"):  # it made nothing
        linked(b"")
    names = {line.split("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    shell = {"PWD", "SHLVL", "_", "OLDPWD"}
    own = {"PATH", "LC_ALL", "HOME", "TMPDIR", "ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"}
    assert names - shell == own
    words = (tmp_path / "told").read_text().split()
    assert [word for word in words if not word.startswith("-")] == ["program.so", "program0.o"]


def test_a_linker_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    a_linker(tmp_path, "echo no such luck >&2\nexit 3", monkeypatch)
    with pytest.raises(LinkingError, match=r"cc failed: no such luck\n  where: .*\n  try: it must"):
        linked(b"")


def test_a_linker_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    a_linker(tmp_path, "exec sleep 60", monkeypatch)
    monkeypatch.setattr(linking, "TIMEOUT_SECONDS", 0.2)
    with pytest.raises(LinkingError, match=r"timed out after 0\.2 seconds") as raised:
        linked(b"")
    assert isinstance(raised.value.__cause__, subprocess.TimeoutExpired)
