"""C text to a shared object, by the C compiler of this system."""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from threading import Lock

from chainc.backends import compiled_cache
from chainc.backends.c.file import FLAGS
from chainc.backends.llvm.machine_code.jit import kept_objects
from chainc.backends.llvm.processors.native import host
from chainc.ir.errors import GraphError

VARIABLE = "CC"  # of the environment: the compiler, with options of its own
USUAL = "cc"
MOST_SHOWN = 2000  # characters of what a compiler complains of


def shared_object(text: str) -> bytes:
    """The library that a file of C becomes; kept in the cache of this user.

    Raises:
        GraphError: there is no C compiler, or it refuses the file.
    """
    return named_object(compiled_cache.key(text, *identity()), lambda: text)


def named_object(key: str, text: Callable[[], str]) -> bytes:
    """The same of a text that a key with the `identity` stands for."""
    (made,) = kept_objects(cached(key), lambda: [_made(text(), compiler())])
    return made


def cached(key: str) -> str:
    """What the cache calls it."""
    return f"{key}-c"


def identity() -> Sequence[str]:
    """What a library depends on beside the text.

    Raises:
        GraphError: there is no C compiler.
    """
    command, processor = compiler(), host()
    return *command, version(command), processor.name, processor.features, *FLAGS


def compiler() -> tuple[str, ...]:
    """The command, as the environment or the system has it.

    Raises:
        GraphError: there is none.
    """
    wanted, found = _wanted()
    if found is None:
        raise GraphError(
            f"the target 'c' needs a C compiler to run, and this system has no {wanted[0]!r}",
            hint=f"install gcc or clang, name one in the environment variable {VARIABLE}, or "
            "build .source elsewhere",
        )
    return (found, *wanted[1:])


def is_there() -> bool:
    """Is there one?"""
    return _wanted()[1] is not None


def _wanted() -> tuple[Sequence[str], str | None]:
    """The command, and where it is."""
    wanted = shlex.split(os.environ.get(VARIABLE, "")) or [USUAL]
    return wanted, shutil.which(wanted[0])


@cache
def version(command: tuple[str, ...]) -> str:
    """What the compiler says that it is."""
    said = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    return said.stdout


def _made(text: str, command: Sequence[str]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="chainrule-") as folder:
        source, library = Path(folder, "program.c"), Path(folder, "program.so")
        source.write_text(text, encoding="utf-8")
        asked = [*command, *FLAGS, "-shared", "-fPIC", "-o", str(library), str(source), "-lm"]
        said = subprocess.run(asked, capture_output=True, text=True, check=False)
        if said.returncode:
            raise GraphError(
                f"{command[0]} does not compile the program:\n{said.stderr[:MOST_SHOWN]}",
                hint=f"take gcc from 12 on or clang, by the environment variable {VARIABLE}",
            )
        return library.read_bytes()


class SharedObject:
    """A library that is made and loaded when one of its functions is first called."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make
        self._turn = Lock()
        self._found: ctypes.CDLL | None = None

    def _loaded(self) -> ctypes.CDLL:
        """Its file is needed no more once it is loaded."""
        with self._turn:
            if self._found is None:
                with tempfile.TemporaryDirectory(prefix="chainrule-") as folder:
                    path = Path(folder, "program.so")
                    path.write_bytes(self._make())
                    self._found = ctypes.CDLL(str(path))
            return self._found

    def function(
        self, name: str, result: type[ctypes.c_int64] | None, arguments: Sequence[type]
    ) -> Callable[..., object]:
        """A function by name; calls release the Python lock."""

        def call(*given: object) -> object:
            found = self._loaded()[name]
            found.restype, found.argtypes = result, list(arguments)
            return found(*given)

        return call
