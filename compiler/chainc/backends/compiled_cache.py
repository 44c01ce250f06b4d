"""Machine code kept between processes, in a folder that nobody but its owner can reach.

What is read back gets executed, so a file counts only if the folder and the file belong to this
user, nobody else can open or change them, no symbolic link leads to them, and the bytes still have
the digest written in front of them. Anything else is treated as "not kept": the caller compiles.
What is kept has room for `MOST_BYTES` in `MOST_FILES`; beyond, what was not used for longest is
removed. To look through the folder takes longer than to add to it, so it is done now and then.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

_DIGEST_SIZE = hashlib.sha256().digest_size
PACKAGE = Path(__file__).parents[1]
MOST_BYTES = 256 * 2**20
MOST_FILES = 2000
ADDITIONS = 64  # after so many, on average, the folder is looked through
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def key(*parts: bytes | str) -> str:
    """A name for the code made from `parts`: everything that decides what the code is."""
    digests = (hashlib.sha256(p.encode() if isinstance(p, str) else p).digest() for p in parts)
    return hashlib.sha256(b"".join(digests)).hexdigest()


@cache
def compiler() -> str:
    """The compiler itself: another version may make other code of the same graph.

    Its files are known by size and time, as they are to Python, which keeps bytecode by the same.
    """
    return key("\n".join(sorted(_versions(str(PACKAGE)))))


def _versions(within: str) -> Iterator[str]:
    """Of each source file there."""
    with os.scandir(within) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _versions(entry.path)
            elif entry.name.endswith(".py"):
                yield _version(entry.path, entry.stat())


def version(file: str) -> str:
    """Of a source file that is none of the compiler's."""
    return _version(file, Path(file).stat())


def _version(file: str, status: os.stat_result) -> str:
    return f"{file} {status.st_size} {status.st_mtime_ns}"


def folder() -> Path:
    """`$XDG_CACHE_HOME/chainrule`, or `~/.cache/chainrule`."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if base.is_absolute():
        return base / "chainrule"
    try:
        return Path.home() / ".cache" / "chainrule"
    except RuntimeError as error:  # a user without an entry in the password file
        raise FileNotFoundError("this user has no home folder") from error


def load(name: str) -> bytes | None:
    """What `store` kept under `name`, or None if there is nothing that can be trusted."""
    try:
        with _private_folder() as handle:
            stored = _read(name, handle)
    except FileNotFoundError:
        _note("no compiled code is kept yet under %s", name)
        return None
    except OSError as error:
        _note("no compiled code: %s", error.strerror or error)
        return None
    content = stored[_DIGEST_SIZE:]
    if hashlib.sha256(content).digest() != stored[:_DIGEST_SIZE]:
        _note("no compiled code: %s is damaged", name)
        return None
    return content


def store(name: str, content: bytes) -> None:
    """Keeps `content` under `name`; where that is impossible, the log says why."""
    try:
        folder().mkdir(mode=stat.S_IRWXU, parents=True, exist_ok=True)
        with _private_folder() as handle:
            _write(name, hashlib.sha256(content).digest() + content, handle)
            if int.from_bytes(os.urandom(4), "little") % ADDITIONS == 0:
                _remove_oldest(handle)
    except OSError as error:
        _note("compiled code is not kept: %s", error.strerror or error)


@contextmanager
def _private_folder() -> Iterator[int]:
    """An open handle, so that what was checked is what is used, whatever happens to the path."""
    if os.name != "posix":
        raise OSError("this system has no owners and modes to check")
    handle = os.open(folder(), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _require_private(handle)
        yield handle
    finally:
        os.close(handle)


def _require_private(handle: int) -> None:
    status = os.fstat(handle)
    if status.st_uid != os.getuid() or status.st_mode & _OTHERS:
        raise PermissionError("the cache folder or file is open to other users")


def _read(name: str, folder_handle: int) -> bytes:
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder_handle)
    with os.fdopen(handle, "rb") as file:
        _require_private(handle)
        with suppress(OSError):  # what nobody can change can be used all the same
            os.utime(handle, ns=(time.time_ns(), os.fstat(handle).st_mtime_ns))
        return file.read()


def _remove_oldest(folder_handle: int) -> None:
    """Until the rest is small enough; another process may remove them at the same time."""
    with os.scandir(folder_handle) as entries:
        found = [(each.name, each.stat(follow_symlinks=False)) for each in entries]
    room = MOST_BYTES
    newest_first = sorted(found, key=lambda each: each[1].st_atime_ns, reverse=True)
    for position, (name, status) in enumerate(newest_first):
        room -= status.st_size
        full = room < 0 or position >= MOST_FILES
        if full and stat.S_ISREG(status.st_mode):
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder_handle)


def _write(name: str, content: bytes, folder_handle: int) -> None:
    temporary = f"{name}.{os.urandom(8).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    handle = os.open(temporary, flags, mode=0o600, dir_fd=folder_handle)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, name, src_dir_fd=folder_handle, dst_dir_fd=folder_handle)
    except BaseException:
        os.unlink(temporary, dir_fd=folder_handle)
        raise


def _note(text: str, *parts: object) -> None:
    """For who reads logs; mostly there is nothing to say, and then logging is not imported."""
    import logging

    logging.getLogger(__name__).info(text, *parts)
