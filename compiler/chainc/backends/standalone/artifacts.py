"""The files of an exported program: what they are called and what they hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from chainc.backends.llvm.processors.native import host
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.standalone.c_text.function_header import print_function_header
from chainc.backends.standalone.c_text.header import print_header
from chainc.backends.standalone.c_text.main_program import print_main
from chainc.backends.standalone.c_text.reading import function_readme, training_readme
from chainc.backends.standalone.function_library import (
    ENTRIES,
    WantedFunction,
    standalone_function,
)
from chainc.backends.standalone.library import Wanted, standalone
from chainc.backends.standalone.objects.archive import archived
from chainc.backends.standalone.objects.linking import linked
from chainc.ir.errors import InputError

MAIN, README = "main.c", "README.md"
LONGEST_NAME = 64


def check_name(name: object) -> str:
    """The name begins every name in C and that of every file.

    Raises:
        InputError: it is no identifier of C.
    """
    usable = isinstance(name, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)
    if isinstance(name, str) and usable and len(name) <= LONGEST_NAME:
        return name
    raise InputError(
        f"export: {name!r} is no name for a library",
        hint='use a word such as "digits": a letter, then letters, digits and _, '
        f"at most {LONGEST_NAME}",
    )


def artifacts(wanted: Wanted, processor: Processor) -> Mapping[str, bytes]:
    """The content of each file, by name.

    Raises:
        GraphError: the program cannot be native code.
        LinkingError: there is no linker, or it fails.
    """
    made = standalone(wanted, processor)
    libraries = _libraries(wanted.name, made.object_file, made.interface.functions, processor)
    main = {} if processor.board else {MAIN: print_main(made.interface).encode()}
    told = training_readme(made.interface, made.object_file, [*libraries], processor)
    return {
        **libraries,
        f"{wanted.name}.h": print_header(made.interface, made.version).encode(),
        **main,
        README: told.encode(),
    }


def function_artifacts(wanted: WantedFunction, processor: Processor) -> Mapping[str, bytes]:
    """The content of each file of a function, by name.

    Raises:
        GraphError: the function cannot be native code.
        LinkingError: there is no linker, or it fails.
    """
    made = standalone_function(wanted, processor)
    libraries = _libraries(wanted.name, made.object_file, ENTRIES, processor)
    told = function_readme(made.interface, made.object_file, [*libraries], processor)
    return {
        **libraries,
        f"{wanted.name}.h": print_function_header(made.interface).encode(),
        README: told.encode(),
    }


def _libraries(
    name: str, object_file: bytes, functions: Sequence[str], processor: Processor
) -> Mapping[str, bytes]:
    """The object file, and a shared library; a static one for processors of another kind.

    A shared one is the linker's, and that of this machine makes them for its own kind.
    """
    if processor.architecture == host().architecture:
        return {f"{name}.o": object_file, f"lib{name}.so": linked(object_file)}
    entries = [f"{name}_{function}" for function in functions]
    return {f"{name}.o": object_file, f"lib{name}.a": archived(object_file, entries)}
