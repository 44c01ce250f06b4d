"""Object files of a module in parts, which several threads make at once.

llvmlite lets one thread at a time into LLVM. Where machine code is emitted, which takes longest,
that is not needed: each thread has a context and a target machine of its own.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Protocol

from chainc.backends.llvm.machine_code.jit import machine_code, optimized, target_machine
from chainc.backends.llvm.processors.native import cores
from chainc.backends.llvm.processors.processor import Processor

if TYPE_CHECKING:
    import llvmlite.binding as llvm

MOST_THREADS = 4
SIZE = 1 << 16  # characters of the kernels in a part
TURN = 0.0005  # seconds after which a thread that waits has its turn

_EMIT = "LLVMPY_TargetMachineEmitToMemory"  # by which llvmlite emits
_OBJECT = 1  # and not assembly


class Divisible(Protocol):
    """A module of LLVM text, which may still have to be printed."""

    def text(self) -> str:
        """The whole."""

    def hand_over(self, size: int, take: Callable[[str], None]) -> None:
        """The same as modules that are linked together, each as soon as it is there."""


def object_files(module: Divisible, processor: Processor) -> Sequence[bytes]:
    """Those of its parts, or of the whole where a single thread makes it."""
    threads = min(MOST_THREADS, cores())
    if threads == 1:
        return [machine_code(module.text(), processor)]
    emission = _Emission(processor, threads)
    with _OFTEN, emission.ended():
        module.hand_over(SIZE, emission.take)
    return emission.files()


class _SwitchingOften:
    """Inside, a thread has its turn when it has waited for half a millisecond.

    Python's own five are as long as it takes to emit a part, for which ten turns are needed.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._usual = 0.0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._usual = sys.getswitchinterval()
                sys.setswitchinterval(min(self._usual, TURN))
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                sys.setswitchinterval(self._usual)


_OFTEN = _SwitchingOften()


class _Emission:
    """Other threads take texts while this one still prints some, and then it does so too.

    A pool of Python's own would take no work when the main thread has ended.
    """

    def __init__(self, processor: Processor, threads: int) -> None:
        self._processor = processor
        self._most = threads - 1
        self._others: list[Thread] = []
        self._left: SimpleQueue[tuple[int, str] | None] = SimpleQueue()
        self._count = 0
        self._made: dict[int, bytes] = {}
        self._failures: list[BaseException] = []

    def take(self, text: str) -> None:
        """Some thread will."""
        self._left.put((self._count, text))
        self._count += 1
        if len(self._others) < self._most:
            self._others.append(Thread(target=self._work))
            self._others[-1].start()

    @contextmanager
    def ended(self) -> Iterator[None]:
        """Afterwards no thread works on."""
        try:
            yield
        except BaseException as error:
            self._failures.append(error)
            raise
        finally:
            self._end()

    def _end(self) -> None:
        for _ in range(len(self._others) + 1):
            self._left.put(None)
        self._work()
        for thread in self._others:
            thread.join()

    def files(self) -> Sequence[bytes]:
        """Of all texts, in their order."""
        if self._failures:
            raise self._failures[0]
        return [self._made[number] for number in range(self._count)]

    def _work(self) -> None:
        """Until there is no more; nothing is made where something has failed."""
        while (taken := self._left.get()) is not None:
            if self._failures:
                continue
            number, text = taken
            try:
                self._made[number] = _object_file(text, self._processor)
            except Exception as error:  # for the thread that asked
                self._failures.append(error)


@cache
def _machines(_: Processor) -> SimpleQueue[llvm.TargetMachine]:
    """Whoever emits takes one if there is any, and leaves one."""
    return SimpleQueue()


def _object_file(text: str, processor: Processor) -> bytes:
    machines = _machines(processor)
    try:
        machine = machines.get_nowait()
    except Empty:
        machine = target_machine(processor)
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
