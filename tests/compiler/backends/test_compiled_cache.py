"""Machine code kept between processes: only what this user alone could have written is used."""

import logging
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from chainc.backends import compiled_cache

GRAPH = "digraph { a -> b }"

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX owners and modes")


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "chainrule"


def render_in_a_new_process() -> str:
    program = (
        f"from chainrule.drawing.rendering import render_svg; print(render_svg({GRAPH!r}), end='')"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    return finished.stdout


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What the first process to draw printed, and the folder that it left behind."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        return render_in_a_new_process(), folder / "chainrule"


@pytest.fixture
def kept(drawn: tuple[str, Path], cache_folder: Path) -> Path:
    """The file of the first process, in the cache of this test."""
    shutil.copytree(drawn[1], cache_folder)
    (file,) = cache_folder.iterdir()
    return file


@posix
def test_compiled_graphviz_is_kept_for_its_owner_only(drawn: tuple[str, Path], kept: Path) -> None:
    first, folder = drawn
    (written,) = folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    before = kept.stat().st_mtime_ns
    assert render_in_a_new_process() == first
    assert kept.stat().st_mtime_ns == before  # read, not compiled again


@posix
def test_a_damaged_file_is_not_run_but_replaced(drawn: tuple[str, Path], kept: Path) -> None:
    good = kept.read_bytes()
    kept.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert render_in_a_new_process() == drawn[0]
    assert compiled_cache.load(kept.name) is not None


@posix
def test_kept_bytes_that_are_not_machine_code_are_replaced(
    drawn: tuple[str, Path], kept: Path
) -> None:
    compiled_cache.store(kept.name, b"whole, but made for another processor")
    assert render_in_a_new_process() == drawn[0]
    assert len(kept.read_bytes()) > 1_000_000


@posix
def test_rendering_works_where_nothing_can_be_kept(
    drawn: tuple[str, Path], cache_folder: Path
) -> None:
    cache_folder.write_text("a file where the folder should be", encoding="utf-8")
    assert render_in_a_new_process() == drawn[0]


@posix
def test_keeps_and_returns_content(cache_folder: Path) -> None:
    assert compiled_cache.folder() == cache_folder
    assert compiled_cache.load("name") is None
    compiled_cache.store("name", b"code")
    compiled_cache.store("name", b"newer code")
    assert compiled_cache.load("name") == b"newer code"
    assert [path.name for path in cache_folder.iterdir()] == ["name"]


@posix
@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_folder_open_to_others_is_not_used(
    mode: int, cache_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    compiled_cache.store("name", b"code")
    cache_folder.chmod(mode)
    caplog.set_level(logging.INFO)
    assert compiled_cache.load("name") is None
    compiled_cache.store("other", b"code")
    assert [path.name for path in cache_folder.iterdir()] == ["name"]
    assert "open to other users" in caplog.text


@posix
def test_a_file_open_to_others_is_not_used(cache_folder: Path) -> None:
    compiled_cache.store("name", b"code")
    (cache_folder / "name").chmod(0o644)
    assert compiled_cache.load("name") is None


@posix
def test_what_belongs_to_somebody_else_is_not_used(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled_cache.store("name", b"code")
    somebody = cache_folder.stat().st_uid + 1
    monkeypatch.setattr(os, "getuid", lambda: somebody)
    assert compiled_cache.load("name") is None


@posix
def test_symbolic_links_are_not_followed(cache_folder: Path, tmp_path: Path) -> None:
    compiled_cache.store("name", b"code")
    (cache_folder / "link").symlink_to("name")
    assert compiled_cache.load("link") is None
    cache_folder.rename(tmp_path / "elsewhere")
    cache_folder.symlink_to(tmp_path / "elsewhere")
    assert compiled_cache.load("name") is None


def test_a_user_without_a_home_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setattr(Path, "home", no_home)
    compiled_cache.store("name", b"code")
    assert compiled_cache.load("name") is None


def test_the_key_depends_on_every_part_and_on_their_bounds() -> None:
    keys = {
        compiled_cache.key(*parts) for parts in [("ab", "c"), ("a", "bc"), ("ab",), ("c", "ab")]
    }
    assert len(keys) == 4
    assert compiled_cache.key(b"ab", "c") == compiled_cache.key("ab", b"c")


@posix
def test_what_is_not_kept_yet_is_no_error_in_the_log(
    cache_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert compiled_cache.load("abc") is None
    cache_folder.mkdir(mode=0o700)
    assert compiled_cache.load("abc") is None
    assert [record.getMessage() for record in caplog.records] == [
        "no compiled code is kept yet under abc"
    ] * 2
    cache_folder.chmod(0o755)
    compiled_cache.store("abc", b"code")
    assert "open to other users" in caplog.records[-1].getMessage()
    cache_folder.rmdir()
    cache_folder.write_text("a file")
    compiled_cache.store("abc", b"code")
    assert "Errno" not in caplog.text


@posix
def test_what_was_not_used_for_longest_makes_room(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled_cache, "MOST_BYTES", 450)
    monkeypatch.setattr(compiled_cache, "ADDITIONS", 1)
    content = bytes(100)  # 132 with its digest
    for age, name in enumerate(["a", "b", "c"], start=1):
        compiled_cache.store(name, content)
        os.utime(cache_folder / name, (age, age))
    assert compiled_cache.load("a") == content  # which now was used last
    compiled_cache.store("d", content)
    assert {file.name for file in cache_folder.iterdir()} == {"a", "c", "d"}
    compiled_cache.store("large", bytes(500))
    assert compiled_cache.load("large") is None
    assert sum(file.stat().st_size for file in cache_folder.iterdir()) <= 450


@posix
def test_many_small_files_make_room_too(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled_cache, "MOST_FILES", 3)
    monkeypatch.setattr(compiled_cache, "ADDITIONS", 1)
    for age, name in enumerate(["a", "b", "c", "d", "e"], start=1):
        compiled_cache.store(name, b"content")
        os.utime(cache_folder / name, (age, age))
    assert {file.name for file in cache_folder.iterdir()} == {"c", "d", "e"}


@posix
@pytest.mark.usefixtures("cache_folder")
def test_a_file_whose_time_cannot_be_noted_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled_cache.store("name", b"content")

    def refuse(_: int, **__: object) -> None:
        raise OSError("read-only file system")

    monkeypatch.setattr(os, "utime", refuse)
    assert compiled_cache.load("name") == b"content"
