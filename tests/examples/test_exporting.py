"""What examples compile, exported twice by two processes: the same files, byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.examples.exporting import KINDS, main
from tests.examples.running import FOLDER

ROOT = Path(__file__).parents[2]
NEEDS_FILES = {"mnist"}
COMPILES_ONLY = {"draw_passes"}  # nothing that it compiles is run
MAY_REFUSE = {"cortex-m4"}  # a model can be too large for it
NAMES = {path.stem for path in FOLDER.glob("*.py")} - NEEDS_FILES - COMPILES_ONLY


def files(folder: Path) -> dict[str, bytes]:
    """By their path."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def check(name: str, folder: Path, kinds: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Here, and in a process whose sets have another order; neither finds what it has kept."""
    here, there = folder / "here", folder / "there"
    own = {"PYTHONHASHSEED": "1", "XDG_CACHE_HOME": str(there / "cache")}
    path = os.pathsep.join([str(ROOT), *sys.path])
    command = [sys.executable, "-m", "tests.examples.exporting", name, str(there), *kinds]
    with subprocess.Popen(command, env={**os.environ, **own, "PYTHONPATH": path}) as other:
        monkeypatch.setenv("XDG_CACHE_HOME", str(here / "cache"))
        main(name, here, kinds)
    assert other.returncode == 0
    for kind in kinds:
        found, expected = files(there / kind), files(here / kind)
        assert found.keys() == expected.keys()
        assert [name for name, content in expected.items() if found[name] != content] == []
        assert "refused" not in expected or kind in MAY_REFUSE


@pytest.mark.parametrize(("name", "kind"), [("ring", "c"), ("xor", "web")])
def test_what_is_exported_twice_is_the_same(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(name, tmp_path, [kind], monkeypatch)


@pytest.mark.nightly
@pytest.mark.parametrize("name", sorted(NAMES))
def test_whatever_is_exported_twice_is_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(name, tmp_path, KINDS, monkeypatch)
