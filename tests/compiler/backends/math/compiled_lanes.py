"""Compiles functions of lanes and calls them on whole arrays."""

from __future__ import annotations

import ctypes
import itertools
import platform
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from chainc.backends.llvm.printing.lanes import Avx512Lanes, LlvmLanes
from chainc.backends.math import functions as vector_math
from chainc.ir.types import Array

Request = vector_math.Request

MULTIPLE = 16  # arrays are padded to this many elements
_names = itertools.count()


@dataclass(frozen=True)
class Processor:
    """A machine to compile for; no triple means this one."""

    triple: str
    cpu: str
    features: str


def host() -> Processor:
    features = llvm.get_host_cpu_features().flatten()
    return Processor(llvm.get_process_triple(), llvm.get_host_cpu_name(), features)


def runnable() -> list[Processor]:
    """This machine, and where it can run that, a machine without fused multiply-add."""
    if platform.machine() in ("x86_64", "AMD64"):
        return [host(), Processor(llvm.get_process_triple(), "x86-64", "")]
    return [host()]


def optimized(text: str, processor: Processor) -> tuple[llvm.ModuleRef, llvm.TargetMachine]:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(processor.triple)
    machine = target.create_target_machine(
        cpu=processor.cpu, features=processor.features, opt=2, reloc="pic", codemodel="small"
    )
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = processor.triple, str(machine.target_data)
    module.verify()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options())
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    passes.run(module, builder)
    return module, machine


class Library:
    """Machine code of some entry functions, in this process."""

    def __init__(self, text: str, entries: Sequence[str], processor: Processor) -> None:
        module, machine = optimized(text, processor)
        self._jit = llvm.create_lljit_compiler(machine)
        library = llvm.JITLibraryBuilder().add_object_img(machine.emit_object(module))
        for entry in entries:
            library = library.export_symbol(entry)
        self._tracker = library.link(self._jit, f"lanes{next(_names)}")

    def address(self, entry: str) -> int:
        return int(self._tracker[entry])


def module_text(requests: Sequence[Request], processor: Processor) -> str:
    """The functions, and for each a loop that applies it to arrays."""
    scales = "+avx512f" in processor.features.split(",")
    lanes = Avx512Lanes if scales else LlvmLanes
    return whole(*vector_math.parts(requests, lanes), *map(_loop, requests))


def whole(functions: Sequence[str], declares: Collection[str], *more: str) -> str:
    """One text of functions: first what they need, then what calls them."""
    return "\n\n".join([*sorted(declares), *functions, *more])


def vector_functions(
    requests: Sequence[Request], processor: Processor
) -> dict[Request, Callable[..., Any]]:
    """Each function, to be called on arrays of one length."""
    library = Library(module_text(requests, processor), list(map(_entry, requests)), processor)
    return {request: _on_arrays(library, request) for request in requests}


def operands(request: Request) -> int:
    return 2 if request[0] in vector_math.BINARY else 1


def _entry(request: Request) -> str:
    return "each." + vector_math.function_name(*request)


def _loop(request: Request) -> str:
    _, dtype, lanes = request
    element, count = vector_math.ELEMENTS[dtype], operands(request)
    kind = element if lanes == 1 else f"<{lanes} x {element}>"
    pointers = "".join(f"ptr %a{k}, " for k in range(count))
    values = ", ".join(f"{kind} %x{k}" for k in range(count))
    loads = "".join(
        f"  %p{k} = getelementptr {element}, ptr %a{k}, i64 %i\n"
        f"  %x{k} = load {kind}, ptr %p{k}, align {dtype.itemsize}\n"
        for k in range(count)
    )
    return (
        f"define void @{_entry(request)}({pointers}ptr %out, i64 %count) {{\n"
        "entry:\n  br label %loop\n"
        "loop:\n  %i = phi i64 [ 0, %entry ], [ %next, %loop ]\n"
        f"{loads}"
        f"  %y = call {kind} @{vector_math.function_name(*request)}({values})\n"
        f"  %q = getelementptr {element}, ptr %out, i64 %i\n"
        f"  store {kind} %y, ptr %q, align {dtype.itemsize}\n"
        f"  %next = add i64 %i, {lanes}\n"
        "  %more = icmp ult i64 %next, %count\n"
        "  br i1 %more, label %loop, label %done\n"
        "done:\n  ret void\n}"
    )


def _on_arrays(library: Library, request: Request) -> Callable[..., Any]:
    count, dtype = operands(request), request[1].numpy
    kinds = [ctypes.c_void_p] * (count + 1) + [ctypes.c_int64]
    function = ctypes.CFUNCTYPE(None, *kinds)

    def call(*arrays: Array) -> Array:
        padding = -arrays[0].size % MULTIPLE
        padded = [np.concatenate([a, np.ones(padding, dtype)]).astype(dtype) for a in arrays]
        out = np.empty_like(padded[0])
        entry = function(library.address(_entry(request)))  # keeps the library alive
        entry(*(a.ctypes.data for a in padded), out.ctypes.data, out.size)
        return out[: arrays[0].size]

    return call
