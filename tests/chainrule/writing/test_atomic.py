"""Whatever writes a file writes through links, keeps modes, and replaces nothing but files."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.writing.atomic import write_atomically

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links, modes and pipes are POSIX's")


def save_state(path: Path) -> None:
    cr.State({"w": np.ones(3, np.float32)}).save(path)


def save_drawing(path: Path) -> None:
    cr.draw(cr.tanh(cr.input("x"))).save(path)


def save_plot(path: Path) -> None:
    cr.plots.history({"loss": (3.0, 2.0, 1.0)}).save(path)


def save_derivation(path: Path) -> None:
    x = cr.input("x")
    cr.derive(cr.tanh(x), x).save(path)


def save_steps(path: Path) -> None:
    x = cr.input("x")
    cr.step_through(cr.tanh(x), {"x": 0.5}, path=path)


def save_explanation(path: Path) -> None:
    cr.explain(cr.compile(cr.tanh(cr.input("x"))), path=path)


WRITERS = pytest.mark.parametrize(
    ("write", "name"),
    [
        (save_state, "a.safetensors"),
        (save_drawing, "a.svg"),
        (save_drawing, "a.dot"),
        (save_plot, "a.svg"),
        (save_derivation, "a.md"),
        (save_steps, "a.html"),
        (save_explanation, "a.html"),
    ],
)


@WRITERS
def test_a_link_stays_and_the_file_it_points_to_is_written_and_keeps_its_mode(
    write: Callable[[Path], None], name: str, tmp_path: Path
) -> None:
    disk = tmp_path / "another disk"
    disk.mkdir()
    real, link, fresh = disk / f"real-{name}", tmp_path / f"latest-{name}", tmp_path / name
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    write(link)
    write(fresh)
    assert link.is_symlink()
    assert len(real.read_bytes()) > 10
    assert real.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in disk.iterdir()) == [real.name]
    mask = os.umask(0)
    os.umask(mask)
    assert fresh.stat().st_mode & 0o777 == 0o666 & ~mask


@WRITERS
def test_a_pipe_is_refused_and_stays(
    write: Callable[[Path], None], name: str, tmp_path: Path
) -> None:
    pipe = tmp_path / name
    os.mkfifo(pipe)
    with pytest.raises(cr.ChainruleError, match=r"device, a pipe or a socket\n  where: .*\n  try:"):
        write(pipe)
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_link_to_nothing_yet_makes_the_file(tmp_path: Path) -> None:
    link = tmp_path / "latest"
    link.symlink_to("first")
    write_atomically(link, b"content", durable=True)
    assert link.is_symlink()
    assert (tmp_path / "first").read_bytes() == b"content"


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "loop.safetensors"
    link.symlink_to(link.name)
    with pytest.raises(cr.StateError, match=r"symbolic links(.|\n)*try: .*leads to one"):
        save_state(link)
    assert link.is_symlink()


def test_a_private_file_is_never_open_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "secret"
    target.touch(0o600)
    seen: list[int] = []

    def look(_handle: int) -> None:
        seen.extend(path.stat().st_mode & 0o777 for path in tmp_path.iterdir())

    monkeypatch.setattr(os, "fsync", look)
    write_atomically(target, b"content", durable=True)
    assert seen == [0o600, 0o600, 0o600]  # both files while it is written, then the one that stays
