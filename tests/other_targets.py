"""Targets of tests alone: machine code made as for another processor, and relaxed WebAssembly."""

from __future__ import annotations

from dataclasses import replace

from chainc.backends.llvm.host.apart import FunctionApart, compiled_training
from chainc.backends.llvm.host.function import NativeFunction
from chainc.backends.llvm.host.function_source import FunctionSource
from chainc.backends.llvm.host.storage import storage_of_training
from chainc.backends.llvm.host.training import ENTRIES, NativeTraining
from chainc.backends.llvm.machine_code.code import NativeCode
from chainc.backends.llvm.machine_code.jit import compile_object, loaded
from chainc.backends.llvm.processors.native import host
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.llvm.processors.wasm32 import WASM32_RELAXED
from chainc.backends.llvm.processors.x86_64 import X86_64
from chainc.backends.llvm.training_code import training_code
from chainc.backends.llvm.wasm.running import Compiled
from chainc.backends.target import ExecutableTraining
from chainc.ir import Graph
from chainc.lowering.program import Program, TrainingLoop


class HereAs:
    """What the processor of another machine would compute, computed by this one."""

    language = "machine code"
    can_watch = True

    def __init__(self, name: str, other: Processor) -> None:
        """With its vectors and registers; products and sums are rounded once where it does so."""
        self.name = name
        chosen = host() if other.fuses else X86_64
        machine = replace(other.machine, rounds=chosen.machine.rounds)
        self.processor = Processor(host().triple, chosen.name, chosen.features, machine)

    def compile_function(self, graph: Graph, program: Program) -> NativeFunction:
        return NativeFunction(FunctionSource(lambda: (graph, program), self.processor),
                              self.processor)  # fmt: skip

    def compile_training(self, loop: TrainingLoop, threads: int | None) -> ExecutableTraining:
        code = training_code(loop, self.processor, 1)
        library = loaded([compile_object(code.text, self.processor)], ENTRIES)
        shown = NativeCode(lambda: code, lambda: storage_of_training(code), self.processor)
        return ExecutableTraining(NativeTraining(code, library, threads or 1), shown)


class Relaxed:
    """WebAssembly that rounds a product with its sum once, as browsers get it that can."""

    name = "wasm, relaxed"
    language = "WebAssembly"
    can_watch = True

    def compile_function(self, graph: Graph, program: Program) -> FunctionApart:
        source = FunctionSource(lambda: (graph, program), WASM32_RELAXED)
        return FunctionApart(source, WASM32_RELAXED, Compiled)

    def compile_training(self, loop: TrainingLoop, threads: int | None) -> ExecutableTraining:
        return compiled_training(loop, WASM32_RELAXED, Compiled)
