"""The files of an exported program: what they are called and what they hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from chainc.backends.llvm.processor import Processor, host, portable
from chainc.backends.standalone.function_header import print_function_header
from chainc.backends.standalone.function_library import WantedFunction, standalone_function
from chainc.backends.standalone.header import print_header
from chainc.backends.standalone.library import Wanted, standalone
from chainc.backends.standalone.linking import linked
from chainc.backends.standalone.main_program import print_main
from chainc.ir.errors import InputError

MAIN = "main.c"
LONGEST_NAME = 64
PROCESSORS: Mapping[str, Callable[[], Processor]] = {"portable": portable, "native": host}


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


def processor_named(name: object) -> Processor:
    """What to generate code for.

    Raises:
        InputError: there is no such choice.
    """
    if not isinstance(name, str) or name not in PROCESSORS:
        raise InputError(
            f"export: there is no processor {name!r}",
            hint='use "portable" for any x86-64 processor with AVX2, or "native" for this one',
        )
    return PROCESSORS[name]()


def artifacts(wanted: Wanted, processor: Processor) -> Mapping[str, bytes]:
    """The content of each file, by name.

    Raises:
        GraphError: the program cannot be native code.
        LinkingError: there is no linker, or it fails.
    """
    made = standalone(wanted, processor)
    return {
        f"{wanted.name}.o": made.object_file,
        f"lib{wanted.name}.so": linked(made.object_file),
        f"{wanted.name}.h": print_header(made.interface, made.version).encode(),
        MAIN: print_main(made.interface).encode(),
    }


def function_artifacts(wanted: WantedFunction, processor: Processor) -> Mapping[str, bytes]:
    """The content of each file of a function, by name.

    Raises:
        GraphError: the function cannot be native code.
        LinkingError: there is no linker, or it fails.
    """
    made = standalone_function(wanted, processor)
    return {
        f"{wanted.name}.o": made.object_file,
        f"lib{wanted.name}.so": linked(made.object_file),
        f"{wanted.name}.h": print_function_header(made.interface).encode(),
    }
