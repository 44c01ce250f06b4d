"""The files of an exported program: what they are called and what they hold."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from chainc.backends.llvm.machine_code.jit import compile_object
from chainc.backends.llvm.processors.native import host
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.llvm.processors.x86_64 import X86_64
from chainc.backends.llvm.processors.x86_64_v3 import X86_64_V3
from chainc.backends.llvm.processors.x86_64_v4 import X86_64_V4
from chainc.backends.standalone.c_text.function_header import print_function_header
from chainc.backends.standalone.c_text.header import print_header
from chainc.backends.standalone.c_text.main_program import print_main
from chainc.backends.standalone.c_text.reading import function_readme, training_readme
from chainc.backends.standalone.function_library import (
    ENTRIES,
    WantedFunction,
    standalone_function,
)
from chainc.backends.standalone.library import VERSION_DIGITS, Wanted, standalone
from chainc.backends.standalone.objects.archive import ObjectFile, archived
from chainc.backends.standalone.objects.choosing import Signature, choosing, level_of
from chainc.backends.standalone.objects.linking import linked
from chainc.ir.errors import InputError

MAIN, README = "main.c", "README.md"
LEVELS: Mapping[int, Processor] = {1: X86_64, 3: X86_64_V3, 4: X86_64_V4}
FAT = replace(X86_64, meaning="every level of x86-64 under Linux, chosen when it is called")
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
    told = training_readme(made.interface, [made.object_file], [*libraries], processor)
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
    told = function_readme(made.interface, [made.object_file], [*libraries], processor)
    return {
        **libraries,
        f"{wanted.name}.h": print_function_header(made.interface).encode(),
        README: told.encode(),
    }


def fat_artifacts(wanted: Wanted) -> Mapping[str, bytes]:
    """The files of a training for every level of x86-64: the library chooses when it is called.

    Raises:
        GraphError: the program cannot be native code.
        LinkingError: there is no linker, or it fails.
    """
    made = [
        standalone(replace(wanted, name=level_of(wanted.name, number), hidden=True), level)
        for number, level in LEVELS.items()
    ]
    version = _together(each.version for each in made)
    nbytes = max(each.interface.arena_bytes for each in made)
    first = made[0].interface
    interface = replace(first, name=wanted.name, arena_bytes=nbytes, has_levels=True)
    object_files = [each.object_file for each in made]
    libraries = _fat(wanted.name, version, object_files, made[0].signatures)
    return {
        **libraries,
        f"{wanted.name}.h": print_header(interface, version).encode(),
        MAIN: print_main(interface).encode(),
        README: training_readme(interface, object_files, [*libraries], FAT).encode(),
    }


def fat_function_artifacts(wanted: WantedFunction) -> Mapping[str, bytes]:
    """The same of a function."""
    made = [
        standalone_function(replace(wanted, name=level_of(wanted.name, number), hidden=True), level)
        for number, level in LEVELS.items()
    ]
    version = _together(each.interface.version for each in made)
    nbytes = max(each.interface.arena_bytes for each in made)
    first = made[0].interface
    interface = replace(first, name=wanted.name, arena_bytes=nbytes, version=version)
    object_files = [each.object_file for each in made]
    libraries = _fat(wanted.name, version, object_files, made[0].signatures)
    return {
        **libraries,
        f"{wanted.name}.h": print_function_header(interface).encode(),
        README: function_readme(interface, object_files, [*libraries], FAT).encode(),
    }


def _together(versions: Iterable[str]) -> str:
    return hashlib.sha256("".join(versions).encode()).hexdigest()[:VERSION_DIGITS]


def _fat(
    name: str, version: str, levels: Sequence[bytes], signatures: Mapping[str, Signature]
) -> Mapping[str, bytes]:
    """A shared and a static library: what is made for each level, and what chooses."""
    chooser = compile_object(choosing(name, version, signatures), X86_64)
    shown = ObjectFile(chooser, [f"{name}_{function}" for function in signatures])
    inside = [
        ObjectFile(level, [f"{level_of(name, number)}_{function}" for function in signatures])
        for number, level in zip(LEVELS, levels, strict=True)
    ]
    return {
        f"lib{name}.so": linked(chooser, *levels),
        f"lib{name}.a": archived([shown, *inside]),
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
    library = archived([ObjectFile(object_file, entries)])
    return {f"{name}.o": object_file, f"lib{name}.a": library}
