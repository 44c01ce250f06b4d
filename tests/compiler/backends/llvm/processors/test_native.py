"""The processor of this process: LLVM is asked once for each that the kernel tells apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chainc.backends.llvm.processors import native
from chainc.schedules.layout.machine import AVX2, AVX512

SAID = """\
processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: Some
stepping\t: 8
cpu MHz\t\t: {speed}
flags\t\t: fpu sse2 {flags}

processor\t: 1
"""


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Writes what the kernel says, in a process that has kept nothing."""
    file = tmp_path / "cpuinfo"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(native, "_SAID", str(file))
    monkeypatch.setattr(native, "host", native.host.__wrapped__)
    return lambda text: (file.write_text(text, encoding="utf-8"), None)[1]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What LLVM says, and how often it is asked."""
    found: list[str] = []

    def answer() -> native.KeptHost:
        found.append("asked")
        features = "+sse2,+avx2" if len(found) == 1 else "+sse2,+avx2,+avx512f"
        return native.KeptHost("x86_64-unknown-linux-gnu", f"model{len(found)}", features)

    monkeypatch.setattr(native, "_asked", answer)
    return found


def test_llvm_is_asked_once(said: Callable[[str], None], asked: list[str]) -> None:
    said(SAID.format(speed=2000, flags="avx2"))
    first = native.host()
    said(SAID.format(speed=3100, flags="avx2"))
    assert native.host() == first
    assert (first.name, first.machine, asked) == ("model1", AVX2, ["asked"])


def test_a_cache_that_was_moved_to_another_processor_asks_again(
    said: Callable[[str], None], asked: list[str]
) -> None:
    said(SAID.format(speed=2000, flags="avx2"))
    before = native.host()
    said(SAID.format(speed=2000, flags="avx2 avx512f"))
    after = native.host()
    assert (before.machine, after.machine) == (AVX2, AVX512)
    said(SAID.format(speed=2000, flags="avx2"))
    assert native.host() == before
    assert len(asked) == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        SAID.partition("flags")[0] + "\n\n",
        SAID.partition("\n\n")[0],
        "Features\t: fp asimd\n\n",
    ],
    ids=["nothing", "no flags", "cut short", "arm"],
)
def test_where_the_kernel_does_not_say_llvm_is_always_asked(
    text: str, said: Callable[[str], None], asked: list[str]
) -> None:
    said(text)
    assert [native.host().name, native.host().name] == ["model1", "model2"]
    assert len(asked) == 2


def test_what_llvm_says_here_is_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first, again = native.host.__wrapped__(), native.host.__wrapped__()
    assert first == again
    import llvmlite
    import llvmlite.binding as llvm

    assert (first.name, first.triple) == (llvm.get_host_cpu_name(), llvm.get_process_triple())
    assert first.features == llvm.get_host_cpu_features().flatten()
    assert llvmlite.__version__ in native.llvm_version()
