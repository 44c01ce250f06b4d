"""Targets of tests alone: other processors, run by emulators of them.

Each call is a process of its own, which finds the memory of its run in a file.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from chainc.backends.llvm.host.apart import FunctionApart, Module, compiled_training
from chainc.backends.llvm.host.function_source import FunctionSource
from chainc.backends.llvm.host.space import Bytes
from chainc.backends.llvm.machine_code.jit import compile_object
from chainc.backends.llvm.processors.by_name import processor_named
from chainc.backends.llvm.processors.native import host
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.target import ExecutableTraining
from chainc.ir import Graph
from chainc.ir.types import Array
from chainc.lowering.program import Program, TrainingLoop
from chainc.schedules.layout.machine import AVX512

COMPILERS = {
    "x86-64": "cc",
    "x86-64-v3": "cc",
    "x86-64-v4": "cc",
    "aarch64": "aarch64-linux-gnu-gcc",
    "riscv64": "riscv64-linux-gnu-gcc",
    "cortex-m4": "arm-linux-gnueabihf-gcc",
}
# a board's code runs on a larger processor of the same instructions; no emulator has AVX-512
EMULATORS = {
    "x86-64": ["qemu-x86_64", "-cpu", "qemu64"],
    "x86-64-v3": ["qemu-x86_64", "-cpu", "max"],
    "x86-64-v4": [],
    "aarch64": ["qemu-aarch64"],
    "riscv64": ["qemu-riscv64"],
    "cortex-m4": ["qemu-arm"],
}
OBJCOPY = "arm-linux-gnueabihf-objcopy"

LINE = 64
# where a program has its memory, behind the heap wherever Linux begins it, and how much
PLACE, SPACE = 1 << 31, 1 << 26
MAIN = """\
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

%s

int main(int count, char **words) {
    int file = open(words[1], O_RDWR);
    void *place = (void *)%d;
    if (count != 8) return 2;
    if (mmap(place, %d, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) != place) return 3;
    int64_t n[6];
    for (int i = 0; i < 6; i++) n[i] = strtoll(words[i + 2], 0, 10);
    void *arena = (void *)(intptr_t)n[1], *table = (void *)(intptr_t)n[2];
    switch (n[0]) {
%s
    }
    return 0;
}
"""
OF_JOB = ("train", "validate")  # others are given a number of rows


def need(*programs: str) -> None:
    """Skips a test for which these are not all there."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program}")


def need_emulated(name: str) -> None:
    """The same for what runs a processor, and for what computes the same here."""
    need(COMPILERS[name], *EMULATORS[name][:1], *[OBJCOPY] * (name == "cortex-m4"))
    if processor_named(name).fuses and not host().fuses:
        pytest.skip("this processor rounds products and sums apart")
    if name == "x86-64-v4" and host().machine != AVX512:
        pytest.skip("there is neither AVX-512 nor an emulator of it")


def run(command: Sequence[str | Path], folder: Path) -> bytes:
    """What it prints; it does not complain."""
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode()) == (0, "")
    return done.stdout


def linked(name: str, folder: Path, *files: str) -> list[str | Path]:
    """The command that runs a program of C with an object file for the processor."""
    if name == "cortex-m4":  # of which it is said that it is for no system
        for file in files:
            if file.endswith(".o"):
                run([OBJCOPY, "-R", ".ARM.attributes", file], folder)
    run([COMPILERS[name], "-static", "-std=gnu11", *files, "-o", "program"], folder)
    return [*EMULATORS[name], folder / "program"]


class Emulated:
    """A processor by the name that `export` knows."""

    language = "machine code"
    can_watch = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.processor = processor_named(name)

    def compile_function(self, graph: Graph, program: Program) -> FunctionApart:
        source = FunctionSource(lambda: (graph, program), self.processor)
        return FunctionApart(source, self.processor, self._load)

    def compile_training(self, loop: TrainingLoop, threads: int | None) -> ExecutableTraining:
        return compiled_training(loop, self.processor, self._load)

    def _load(self, text: str, entries: tuple[str, ...], processor: Processor) -> Module:
        return _Module(self.name, text, entries, processor)


class _Module:
    """A program for the processor, which is linked when it first runs."""

    def __init__(
        self, name: str, text: str, entries: tuple[str, ...], processor: Processor
    ) -> None:
        self._name, self._text, self._entries = name, text, entries
        self.processor = processor
        self.folder = Path(tempfile.mkdtemp(prefix="chainrule-"))
        weakref.finalize(self, shutil.rmtree, self.folder)
        self._instances = count()

    def instance(self) -> _Instance:
        return _Instance(self, self.folder / f"memory{next(self._instances)}")

    def call(self, memory: Path, entry: str, given: Sequence[int]) -> None:
        run([*self._command, memory, *map(str, (self._entries.index(entry), *given))], self.folder)

    @cached_property
    def _command(self) -> list[str | Path]:
        made = compile_object(self._text, self.processor, self._entries)
        (self.folder / "made.o").write_bytes(made)
        (self.folder / "main.c").write_text(self._main())
        return linked(self._name, self.folder, "main.c", "made.o")

    def _main(self) -> str:
        thirds = ["void *" if entry in OF_JOB else "int64_t" for entry in self._entries]
        named = list(zip(self._entries, thirds, strict=True))
        declared = [
            f"void {entry}(void *, void *, {third}, int64_t, int64_t);" for entry, third in named
        ]
        cases = [
            f"    case {i}: {entry}(arena, table, ({third})(intptr_t)n[3], n[4], n[5]); break;"
            for i, (entry, third) in enumerate(named)
        ]
        return MAIN % ("\n".join(declared), PLACE, SPACE, "\n".join(cases))


class _Instance:
    """Memory in a file, which each call finds at the same place."""

    def __init__(self, module: _Module, file: Path) -> None:
        self._module, self._file = module, file
        self._memory = np.memmap(file, np.uint8, "w+", shape=(SPACE,))
        self._start = self._memory.ctypes.data
        self._end = 0
        self.pointer: np.dtype[np.unsignedinteger] = np.dtype(f"u{module.processor.pointer_bytes}")

    def zeros(self, count: int) -> Bytes:
        start = self._end
        self._end += -(-count // LINE) * LINE + LINE  # so that a vector may stand out
        assert self._end <= SPACE, "the arrays of a test are small"
        space: Bytes = np.asarray(self._memory[start : start + count])
        return space

    def placed(self, array: Array) -> Array:
        copy: Array = self.zeros(array.nbytes).view(array.dtype).reshape(array.shape)
        copy[...] = array
        return copy

    def address(self, array: Array) -> int:
        return array.ctypes.data - self._start + PLACE

    def function(
        self, name: str, result: type[ctypes.c_int64] | None, arguments: Sequence[type]
    ) -> Callable[..., object]:
        return lambda *given: self._module.call(self._file, name, given)
