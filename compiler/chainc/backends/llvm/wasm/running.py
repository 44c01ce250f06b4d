"""Modules in this process: `wasmtime` makes machine code of them, and each run has an instance.

What is left of `wasmtime` when Python ends is closed before that, as it complains afterwards.
"""

from __future__ import annotations

import atexit
import ctypes
import weakref
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from chainc.backends.llvm.host.space import Bytes
from chainc.backends.llvm.host.training import Function
from chainc.backends.llvm.machine_code.jit import compile_object
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.llvm.wasm.linker import CACHE_LINE, MOST_BYTES, PAGE_BYTES, linked_module
from chainc.dataclass import dataclass
from chainc.ir.errors import InputError
from chainc.ir.types import Array

if TYPE_CHECKING:
    import wasmtime


@dataclass(frozen=True, eq=False)
class Compiled:
    """A module of LLVM text with functions that can be called; it is compiled when it is used."""

    text: str
    entries: tuple[str, ...]
    processor: Processor

    @cached_property
    def _made(self) -> tuple[wasmtime.Module, int, int]:
        """With the pages and bytes of memory that are its own."""
        import wasmtime

        object_file = compile_object(self.text, self.processor, self.entries)
        module = linked_module(object_file, {name: name for name in self.entries})
        made = wasmtime.Module(_engine(), module.content)
        weakref.finalize(self, made.close)
        return made, module.pages, module.end

    def instance(self) -> Instance:
        """With memory of its own."""
        return Instance(*self._made)


class Instance:
    """The functions of a module, and the memory that they address."""

    pointer = np.dtype(np.uint32)

    def __init__(self, module: wasmtime.Module, pages: int, end: int) -> None:
        import wasmtime

        self._store = wasmtime.Store(_engine())
        weakref.finalize(self, self._store.close)
        kind = wasmtime.MemoryType(wasmtime.Limits(pages, None))
        self._memory = wasmtime.Memory(self._store, kind)
        self._instance = wasmtime.Instance(self._store, module, [self._memory])
        self._pages, self._end = pages, end

    @cached_property
    def _start(self) -> int:
        """Where its memory lies in this process; it is never moved, as there is room behind it."""
        return ctypes.addressof(self._memory.data_ptr(self._store).contents)

    def zeros(self, count: int) -> Bytes:
        """See `Space`."""
        place = -(-self._end // CACHE_LINE) * CACHE_LINE
        self._end = place + count + CACHE_LINE  # behind it, so that a vector may stand out
        self._make_room()
        space = (ctypes.c_uint8 * (count + CACHE_LINE)).from_address(self._start + place)
        return np.frombuffer(memoryview(space), np.uint8)[:count]

    def _make_room(self) -> None:
        if self._end > MOST_BYTES:
            raise InputError(
                f"the arrays take more than {MOST_BYTES:,} bytes, which WebAssembly has not",
                hint='give fewer rows, or compile for "llvm"',
            )
        more = -(-self._end // PAGE_BYTES) - self._pages
        if more > 0:
            self._memory.grow(self._store, more)
            self._pages += more

    def placed(self, array: Array) -> Array:
        """See `Space`."""
        copy: Array = self.zeros(array.nbytes).view(array.dtype).reshape(array.shape)
        copy[...] = array
        return copy

    def address(self, array: Array) -> int:
        """See `Space`."""
        return array.ctypes.data - self._start

    def function(
        self, name: str, result: type[ctypes.c_int64] | None, arguments: Sequence[type]
    ) -> Function:
        """See `Functions`; what its arguments are is known to the module."""
        import wasmtime

        found = self._exports[name]
        assert isinstance(found, wasmtime.Func), "only functions are exported"
        return lambda *given: found(self._store, *given)

    @cached_property
    def _exports(self) -> Mapping[str, object]:
        return self._instance.exports(self._store)


@cache
def _engine() -> wasmtime.Engine:
    import wasmtime

    config = wasmtime.Config()
    config.wasm_relaxed_simd = True
    engine = wasmtime.Engine(config)
    atexit.register(engine.close)
    return engine
