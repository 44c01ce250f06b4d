"""Object files of a module in parts, which several threads make at once.

llvmlite lets one thread at a time into LLVM. Where machine code is emitted, which takes longest,
that is not needed: each thread has a context and a target machine of its own.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Protocol

from chainc.backends.llvm.machine_code.jit import machine_code, optimized, target_machine
from chainc.backends.llvm.processors.native import cores
from chainc.backends.llvm.processors.processor import Processor

if TYPE_CHECKING:
    import llvmlite.binding as llvm

MOST_THREADS = 4
SIZE = 1 << 16  # characters of the kernels in a part

_EMIT = "LLVMPY_TargetMachineEmitToMemory"  # by which llvmlite emits
_OBJECT = 1  # and not assembly


class Divisible(Protocol):
    """A module of LLVM text."""

    def text(self) -> str:
        """The whole."""

    def parts(self, size: int) -> Sequence[str]:
        """The same as modules that are linked together."""


def object_files(module: Divisible, processor: Processor) -> Sequence[bytes]:
    """Those of its parts, or of the whole where a single thread makes it."""
    threads = min(MOST_THREADS, cores())
    texts = module.parts(SIZE) if threads > 1 else [module.text()]
    if len(texts) == 1:
        return [machine_code(texts[0], processor)]
    return _made_at_once(texts, _machines(processor, threads), threads)


def _made_at_once(
    texts: Sequence[str], machines: SimpleQueue[llvm.TargetMachine], threads: int
) -> Sequence[bytes]:
    """Each thread takes a text that is left, and then the next; this one does so too.

    A pool of Python's own would take no work when the main thread has ended.
    """
    left: SimpleQueue[tuple[int, str]] = SimpleQueue()
    for numbered in enumerate(texts):
        left.put(numbered)
    made: dict[int, bytes] = {}
    failures: list[Exception] = []

    def work() -> None:
        try:
            while not failures:
                number, text = left.get_nowait()
                made[number] = _made(text, machines)
        except Empty:
            return
        except Exception as error:  # for the thread that asked
            failures.append(error)

    others = [Thread(target=work) for _ in range(threads - 1)]
    for thread in others:
        thread.start()
    try:
        work()
    finally:
        for thread in others:
            thread.join()
    if failures:
        raise failures[0]
    return [made[number] for number in range(len(texts))]


@cache
def _machines(processor: Processor, count: int) -> SimpleQueue[llvm.TargetMachine]:
    """Whoever emits takes one, and brings it back."""
    machines: SimpleQueue[llvm.TargetMachine] = SimpleQueue()
    for _ in range(count):
        machines.put(target_machine(processor))
    return machines


def _made(text: str, machines: SimpleQueue[llvm.TargetMachine]) -> bytes:
    machine = machines.get()
    try:
        return _emitted(optimized(text, machine), machine)
    finally:
        machines.put(machine)


def _emitted(module: llvm.ModuleRef, machine: llvm.TargetMachine) -> bytes:
    emit = _unlocked()
    if emit is None:
        return bytes(machine.emit_object(module))
    from llvmlite.binding import ffi

    with ffi.OutputString() as problem:
        buffer = emit(machine, module, _OBJECT, problem)
        if not buffer:
            raise RuntimeError(str(problem))
    try:
        start = ffi.lib.LLVMPY_GetBufferStart(buffer)
        return ctypes.string_at(start, ffi.lib.LLVMPY_GetBufferSize(buffer))
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


@cache
def _unlocked() -> Callable[..., object] | None:
    """The function by which llvmlite emits, without its lock; None if it has another one."""
    from llvmlite.binding import ffi

    locked = getattr(ffi.lib, _EMIT)
    emit = getattr(ctypes.CDLL(ffi.lib._name), _EMIT, None)
    if emit is not None:
        emit.argtypes, emit.restype = locked.argtypes, locked.restype
    return emit
