"""A shared library from an object file, by the linker that this machine has.

The linker is `cc` where there is one, else the C compiler inside the package `ziglang`. It gets
file names of our own in a folder of our own, and nothing of the environment but where programs
are found.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from chainc.ir.errors import LinkingError

TIMEOUT_SECONDS = 120
LIBRARY = "program.so"
# no C library, no symbol that is left to be found, no names but those of the API
OPTIONS = ("-shared", "-nostdlib", "-s", "-Wl,-z,defs", "-o", LIBRARY)
# what `cc` knows: constants beside code, not on pages apart, and no page to write-protect once
# addresses have been found, since there are none to find
FEWER_PAGES = ("-Wl,-z,noseparate-code", "-Wl,-z,norelro")


def linked(*object_files: bytes) -> bytes:
    """The shared library of object files that need no other.

    Raises:
        LinkingError: there is no linker, or it fails.
    """
    names = [f"program{position}.o" for position in range(len(object_files))]
    command = [*_linker(), *OPTIONS, *names]
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for file, content in zip(names, object_files, strict=True):
                (folder / file).write_bytes(content)
            _run(command, folder)
            return (folder / LIBRARY).read_bytes()
    except OSError as error:
        raise LinkingError(
            f"export: cannot link in the folder for temporary files: {error}",
            hint="free some space there, or set TMPDIR to a folder that is yours to write",
        ) from error


def _linker() -> Sequence[str]:
    compiler = shutil.which("cc")
    if compiler is not None:
        return [compiler, *FEWER_PAGES]
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-I", "-m", "ziglang", "cc"]
    raise LinkingError(
        "export: there is no linker: no cc on the PATH, no package ziglang",
        hint='install a C compiler, or: pip install "chainrule[aot]"',
    )


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(command[0], str(error)) from error
    if done.returncode != 0:
        raise _failed(command[0], done.stderr.decode(errors="replace").strip()[-500:])


def _environment(folder: Path) -> Mapping[str, str]:
    """The linker finds its own parts by the PATH, and may only write below the folder."""
    kept = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    writable = ("HOME", "TMPDIR", "ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR")
    return kept | dict.fromkeys(writable, str(folder))


def _failed(linker: str, reason: str) -> LinkingError:
    return LinkingError(
        f"export: the linker {linker} failed: {reason}",
        hint="it must make libraries for the processor that is exported for, and this machine's "
        "PATH must lead to a working one",
    )
