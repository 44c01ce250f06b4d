"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomically(target: Path, content: bytes, *, durable: bool) -> None:
    """Write a new file in the target's folder, then put it in the target's place.

    What was there before stays until then. With `durable`, the content and the folder's entry
    are on the disk when the call returns, so a power failure cannot lose both.

    Raises:
        OSError: it cannot be written; no part of it stays behind.
    """
    temporary = target.with_name(f".{os.urandom(8).hex()}{target.suffix}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(temporary, flags, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        _make_durable(target.parent)


def _make_durable(folder: Path) -> None:
    """Wait until the folder's new entry is on the disk; only POSIX can open a folder."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
