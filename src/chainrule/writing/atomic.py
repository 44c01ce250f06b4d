"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def write_atomically(target: Path, *content: bytes | memoryview, durable: bool) -> None:
    """Write a new file of this content beside the target, then put it in the target's place.

    What was there before stays until then. A symbolic link stays a link, and the file it points
    to is written; a file keeps its mode. With `durable`, the content and the folder's entry are
    on the disk when the call returns, so a power failure cannot lose both.

    Raises:
        OSError: it cannot be written, or what is there is no regular file, such as a device; no
            part of it stays behind.
    """
    place = Path(os.path.realpath(target))
    mode = _mode_of(place)
    temporary = place.with_name(f".{os.urandom(8).hex()}{place.suffix}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(temporary, flags, 0o666 if mode is None else 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            if mode is not None:
                temporary.chmod(mode)
            file.writelines(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(place)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        _make_durable(place.parent)


def _mode_of(place: Path) -> int | None:
    """The permissions of the file that is there; None where nothing is.

    Raises:
        OSError: something is there that is no regular file, so nothing may take its place.
    """
    try:
        status = place.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(place))
    if stat.S_ISLNK(status.st_mode):  # what is still a link after all were followed
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(place))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.ENODEV, "it is a device, a pipe or a socket", str(place))
    return stat.S_IMODE(status.st_mode)


def _make_durable(folder: Path) -> None:
    """Wait until the folder's new entry is on the disk; only POSIX can open a folder."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
