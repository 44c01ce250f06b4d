"""LLVM text to machine code: one object file, loaded into this process or written to a file."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from chainc.backends import compiled_cache
from chainc.backends.llvm.machine_code.loading import Library
from chainc.backends.llvm.processors.native import host, llvm_version
from chainc.backends.llvm.processors.processor import Processor

if TYPE_CHECKING:
    import llvmlite.binding as llvm

CODE_VERSION = "2"  # part of every cache key: to be raised when the calling convention changes
NOWHERE = 1  # an address at which nothing is; 0 would be a name that is not known
_LENGTH = 8  # bytes of the length in front of a kept object file
_library_names = itertools.count()


def compile_object(text: str, processor: Processor, entries: Sequence[str] = ()) -> bytes:
    """An object file from a module's text; kept in the cache of this user.

    If `entries` are given, only these functions can be seen from outside, and what none of them
    uses is left out.
    """
    key = f"{object_key(text, processor, entries)}-whole"  # the same text is kept in parts, too
    (made,) = kept_objects(key, lambda: [machine_code(text, processor, entries)])
    return made


def object_key(text: str, processor: Processor, entries: Sequence[str] = ()) -> str:
    """By which the cache has the object file of a module's text."""
    return compiled_cache.key(text, *identity(processor), *entries)


def objects_of(key: str) -> Sequence[bytes] | None:
    """The object files that the cache has for a key, if it has them."""
    kept = compiled_cache.load(f"native-{key}")
    return None if kept is None else list(_unpacked(kept))


def kept_objects(key: str, make: Callable[[], Sequence[bytes]]) -> Sequence[bytes]:
    """The object files that the cache has for a key, or else new ones, which it keeps."""
    kept = objects_of(key)
    if kept is not None:
        return kept
    made = make()
    compiled_cache.store(f"native-{key}", b"".join(map(_packed, made)))
    return made


def _packed(made: bytes) -> bytes:
    return len(made).to_bytes(_LENGTH, "little") + made


def _unpacked(kept: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(kept):
        end = start + _LENGTH + int.from_bytes(kept[start : start + _LENGTH], "little")
        yield kept[start + _LENGTH : end]
        start = end


def assembly(text: str, processor: Processor) -> str:
    """The same module as assembly, with LLVM's remarks on loops and spilled registers."""
    machine = _target_machine(processor, verbose=True)
    return str(machine.emit_assembly(optimized(text, machine, processor=processor)))


def identity(processor: Processor) -> Sequence[str]:
    """What machine code depends on beside the program."""
    return CODE_VERSION, llvm_version(), processor.triple, processor.name, processor.features


def machine_code(
    text: str, processor: Processor, entries: Sequence[str] = (), *, seldom: bool = False
) -> bytes:
    """An object file, made anew; of what runs `seldom`, in half the time."""
    machine = _target_machine(processor, quick=seldom)
    module = optimized(text, machine, entries, processor)
    return bytes(machine.emit_object(module))


# llvmlite does not give back all the memory of these three: each is made once


@cache
def _target_machine(
    processor: Processor, *, verbose: bool = False, quick: bool = False
) -> llvm.TargetMachine:
    return target_machine(processor, verbose=verbose, quick=quick)


def target_machine(
    processor: Processor, *, verbose: bool = False, quick: bool = False
) -> llvm.TargetMachine:
    """A new one; `quick` makes code that is slower in half the time."""
    target = _initialized_for(processor).Target.from_triple(processor.triple)
    machine = target.create_target_machine(
        cpu=processor.name,
        features=processor.features,
        opt=0 if quick else 1,  # 2 orders instructions once more, which the processor does too
        reloc=processor.relocation,
        codemodel="small",
    )
    machine.set_asm_verbosity(verbose)
    return machine


@cache
def _pass_builder(machine: llvm.TargetMachine) -> llvm.PassBuilder:
    llvm = _initialized()
    return llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))


@cache
def _target_of(machine: llvm.TargetMachine) -> tuple[str, str]:
    """Its triple and data layout."""
    return machine.triple, str(machine.target_data)


@cache
def _passes(*, alone: bool) -> llvm.ModulePassManager:
    """Kernels come as they are to be; only functions marked so are inlined.

    To combine instructions takes a tenth of all, and the steps are no quicker for it. Where a
    thread is `alone`, no access has to be atomic.
    """
    passes = _initialized().create_new_module_pass_manager()
    if alone:
        passes.add_lower_atomic_pass()
    passes.add_always_inliner_pass()
    passes.add_simplify_cfg_pass()
    passes.add_global_dead_code_eliminate_pass()
    return passes


def optimized(
    text: str,
    machine: llvm.TargetMachine,
    entries: Sequence[str] = (),
    processor: Processor | None = None,
) -> llvm.ModuleRef:
    """The module of a text after all passes, in a context of its own; small code for a board."""
    llvm = _initialized()
    module = llvm.parse_assembly(text, llvm.create_context())
    module.triple, module.data_layout = _target_of(machine)
    board = processor is not None and processor.board is not None
    for function in module.functions if entries or board else ():
        if entries and not function.is_declaration and function.name not in entries:
            function.linkage = "internal"
        if board:
            function.add_function_attribute("minsize")
    module.verify()
    alone = processor is not None and processor.threads == 1
    _passes(alone=alone).run(module, _pass_builder(machine))
    return module


@cache
def _initialized() -> llvm:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()
    return llvm


@cache
def _all_initialized() -> llvm:
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm


def _initialized_for(processor: Processor) -> llvm:
    """For other processors than this one all that LLVM knows are made ready."""
    llvm = _initialized()
    same = llvm.get_process_triple().partition("-")[0] == processor.architecture
    return llvm if same else _all_initialized()


@runtime_checkable
class Functions(Protocol):
    """Code that is there to be called."""

    def function(
        self, name: str, result: type[ctypes.c_int64] | None, arguments: Sequence[type]
    ) -> Callable[..., object]:
        """A function by name."""


def loaded(files: Sequence[bytes], names: Sequence[str], absent: Sequence[str] = ()) -> Functions:
    """The code of object files for this processor; it stays as long as what is returned does.

    Args:
        files: they may call functions of each other.
        names: the functions that are asked for.
        absent: functions that are in none of them, and that no call reaches.
    """
    triple = host().triple
    ours = triple.startswith("x86_64") and "linux" in triple
    return Library(files, names, absent) if ours else LinkedByLLVM(files, names, absent)


class LinkedByLLVM:
    """The same where object files are others than those that `Library` reads."""

    def __init__(self, files: Sequence[bytes], names: Sequence[str], absent: Sequence[str]) -> None:
        llvm = _initialized()
        builder = llvm.JITLibraryBuilder()
        for each in files:
            builder.add_object_img(each)
        for name in names:
            builder.export_symbol(name)
        for name in absent:
            builder.import_symbol(name, NOWHERE)
        # LLVM's older linker may lay code and its constants more than 2 GB apart, and aborts then
        self._compiler = llvm.create_lljit_compiler(use_jit_link=True)
        self._tracker = builder.link(self._compiler, f"chainrule{next(_library_names)}")

    def function(
        self, name: str, result: type[ctypes.c_int64] | None, arguments: Sequence[type]
    ) -> ctypes._CFunctionType:
        """A function by name; calls release the Python lock."""
        return ctypes.CFUNCTYPE(result, *arguments)(self._tracker[name])
