"""The files of an exported program: what they are called and what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from chainc.backends.llvm.machine_code.jit import compile_object
from chainc.backends.llvm.processors.native import host
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.llvm.processors.x86_64 import X86_64
from chainc.backends.llvm.processors.x86_64_v3 import X86_64_V3
from chainc.backends.llvm.processors.x86_64_v4 import X86_64_V4
from chainc.backends.standalone.c_text.function_header import print_function_header
from chainc.backends.standalone.c_text.function_source import function_source
from chainc.backends.standalone.c_text.header import print_header
from chainc.backends.standalone.c_text.main_program import print_main
from chainc.backends.standalone.c_text.reading import (
    function_readme,
    source_readme,
    training_readme,
)
from chainc.backends.standalone.c_text.training_source import training_source
from chainc.backends.standalone.function_library import (
    ENTRIES,
    StandaloneFunction,
    WantedFunction,
    planned_function,
    standalone_function,
)
from chainc.backends.standalone.interface import version_of
from chainc.backends.standalone.library import Standalone, Wanted, planned, standalone
from chainc.backends.standalone.objects.archive import ObjectFile, archived
from chainc.backends.standalone.objects.choosing import choosing, level_of
from chainc.backends.standalone.objects.linking import linked
from chainc.ir.errors import InputError

MAIN, README = "main.c", "README.md"
LEVELS: Mapping[int, Processor] = {1: X86_64, 3: X86_64_V3, 4: X86_64_V4}
FAT = replace(X86_64, meaning="every level of x86-64 under Linux, chosen when it is called")
LONGEST_NAME = 64
W = TypeVar("W", Wanted, WantedFunction)


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


def source_artifacts(wanted: Wanted) -> Mapping[str, bytes]:
    """The files of a training as C source, with the vectors of this processor.

    Raises:
        GraphError: the program cannot be native code.
    """
    made = training_source(planned(wanted, host()))
    return {
        f"{wanted.name}.c": made.text.encode(),
        f"{wanted.name}.h": print_header(made.interface, made.version).encode(),
        MAIN: print_main(made.interface, source=True).encode(),
        README: source_readme(made.interface, host()).encode(),
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


def function_source_artifacts(wanted: WantedFunction) -> Mapping[str, bytes]:
    """The same of a function.

    Raises:
        GraphError: the function cannot be native code.
    """
    made = function_source(planned_function(wanted, host()))
    return {
        f"{wanted.name}.c": made.text.encode(),
        f"{wanted.name}.h": print_function_header(made.interface).encode(),
        README: source_readme(made.interface, host()).encode(),
    }


def fat_artifacts(wanted: Wanted) -> Mapping[str, bytes]:
    """The files of a training for every level of x86-64: the library chooses when it is called.

    Raises:
        GraphError: the program cannot be native code.
        LinkingError: there is no linker, or it fails.
    """
    made = [standalone(*each) for each in _levels(wanted)]
    fat = _Fat(wanted.name, made)
    told = replace(
        made[0].interface, name=wanted.name, arena_bytes=fat.arena_bytes, has_levels=True
    )
    return {
        **fat.libraries,
        f"{wanted.name}.h": print_header(told, fat.version).encode(),
        MAIN: print_main(told).encode(),
        README: training_readme(told, fat.object_files, [*fat.libraries], FAT).encode(),
    }


def fat_function_artifacts(wanted: WantedFunction) -> Mapping[str, bytes]:
    """The same of a function."""
    made = [standalone_function(*each) for each in _levels(wanted)]
    fat = _Fat(wanted.name, made)
    told = replace(
        made[0].interface, name=wanted.name, arena_bytes=fat.arena_bytes, version=fat.version
    )
    return {
        **fat.libraries,
        f"{wanted.name}.h": print_function_header(told).encode(),
        README: function_readme(told, fat.object_files, [*fat.libraries], FAT).encode(),
    }


def _levels(wanted: W) -> Iterator[tuple[W, Processor]]:
    """What is to be made for each level, under names of their own."""
    for number, level in LEVELS.items():
        yield replace(wanted, name=level_of(wanted.name, number), hidden=True), level


class _Fat:
    """A shared and a static library of what is made for each level, and what chooses."""

    def __init__(self, name: str, made: Sequence[Standalone | StandaloneFunction]) -> None:
        self.object_files = [each.object_file for each in made]
        self.arena_bytes = max(each.interface.arena_bytes for each in made)
        self.version = version_of("".join(each.version for each in made))
        functions = made[0].signatures
        chooser = compile_object(choosing(name, self.version, functions), X86_64)
        shown = ObjectFile(chooser, [f"{name}_{function}" for function in functions])
        inside = [
            ObjectFile(level, [f"{level_of(name, number)}_{function}" for function in functions])
            for number, level in zip(LEVELS, self.object_files, strict=True)
        ]
        self.libraries: Mapping[str, bytes] = {
            f"lib{name}.so": linked(chooser, *self.object_files),
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
