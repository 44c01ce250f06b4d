"""A compiled graph as native code: bound to state and sizes, then called with arrays."""

from __future__ import annotations

import ctypes
import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from operator import call
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from chainc.backends import compiled_cache, records
from chainc.backends.llvm.arena import (
    address_of,
    aligned,
    aligned_bytes,
    aligned_empty,
    arrays_found,
)
from chainc.backends.llvm.host.function_source import CallCode, FunctionSource, KeptCode
from chainc.backends.llvm.host.sharing import Sharing
from chainc.backends.llvm.machine_code.code import NativeCode
from chainc.backends.llvm.machine_code.emission import object_files
from chainc.backends.llvm.machine_code.jit import (
    Functions,
    identity,
    kept_objects,
    loaded,
    machine_code,
    object_key,
    objects_of,
)
from chainc.backends.llvm.places import CallPlaces, KeptCall, KeptFunction, findable
from chainc.backends.llvm.processors.native import cores
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.signature import Signature
from chainc.backends.target import Known, Run
from chainc.ir.python.collection import without_collection
from chainc.ir.types import Array, Dim, bind_shape, has_named_size, static
from chainc.schedules.layout.machine import LARGE
from chainc.schedules.program.control_block import FAILURE, MAX_THREADS

if TYPE_CHECKING:
    from chainc.backends.llvm.function_code import FunctionCode
    from chainc.backends.storage import Storage

BLOCK = 256  # rows that are done at once where each row stands for itself
CODES_KEPT = 16  # for other sizes; what is bound keeps its own
ENTRIES = ("bind", "run", "store")
SIGNATURE = [ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int64] * 3

L = TypeVar("L")
F = TypeVar("F", bound=Functions)


class CompiledFunction(ABC, Generic[L]):
    """Makes code for the sizes it is bound to; `L` is what that becomes to be called."""

    shown: type[NativeCode] = NativeCode  # what there is to see of it

    def __init__(
        self, source: FunctionSource, processor: Processor, facts: KeptFunction | None = None
    ) -> None:
        self._source = source
        self.processor = processor
        self._codes: dict[tuple[int, ...], tuple[CallCode, L]] = {}
        self._turn = threading.Lock()
        self._facts = facts or self._keep(source.facts())

    @property
    def signature(self) -> Signature:
        """What its callers must know."""
        return self._facts.signature

    @abstractmethod
    def bind(self, state: Mapping[str, Array], *sizes: int) -> Run:
        """The function over state arrays, which updates change in place."""

    def generated(self, *sizes: int) -> NativeCode:
        """What there is to see of the code for given sizes."""
        code, _ = self.code(*sizes)
        return self.shown(lambda: code.whole, lambda: _storage(code), self.processor)

    def code(self, *sizes: int) -> tuple[CallCode, L]:
        """The code for given sizes: one for all numbers of rows up to the next power of two."""
        if self._facts.one_code:
            found = self._linked((self._capacity(sizes[0]),), by_rows=True)
            if found is not None:
                return found
            self._keep(replace(self._facts, one_code=False))
        found = self._linked(sizes, by_rows=False)
        assert found is not None, "code for given sizes can be made"
        return found

    def _capacity(self, rows: int) -> int:
        power = 1 << max(rows - 1, 0).bit_length()
        return min(power, BLOCK) if self._facts.independent else power

    def _linked(self, sizes: tuple[int, ...], *, by_rows: bool) -> tuple[CallCode, L] | None:
        """None where the code for these rows has to be made for each number of rows."""
        with self._turn:
            found = self._codes.pop(sizes, None)
            found = found or self._kept(sizes, by_rows) or self._made(sizes, by_rows)
            if found is None:
                return None
            self._codes[sizes] = found  # the last, as it was used last
            if len(self._codes) > CODES_KEPT:
                del self._codes[next(iter(self._codes))]
            return found

    @without_collection()
    def _made(self, sizes: tuple[int, ...], by_rows: bool) -> tuple[CallCode, L] | None:
        code = self._source.code(sizes, by_rows=by_rows)
        return None if code is None else (code, self._loaded(code, sizes, by_rows))

    @abstractmethod
    def _loaded(self, code: FunctionCode, sizes: tuple[int, ...], by_rows: bool) -> L:
        """What is called."""

    def _kept(self, _sizes: tuple[int, ...], _by_rows: bool) -> tuple[CallCode, L] | None:
        """What an earlier process has made."""
        return None

    def _keep(self, facts: KeptFunction) -> KeptFunction:
        self._facts = facts
        return facts


class KeepingFunction(CompiledFunction[F]):
    """One in this process; it takes what an earlier one has kept of it, if it is known."""

    def __init__(
        self, source: FunctionSource, processor: Processor, known: Known | None = None
    ) -> None:
        self.processor = processor
        self._known = known
        super().__init__(source, processor, self._kept_facts())

    def bind(self, state: Mapping[str, Array], *sizes: int) -> Run:
        """See `CompiledFunction`."""
        code, library = self.code(*sizes)
        return Binding(code, library, state, sizes).run

    @property
    def identity(self) -> Sequence[str]:
        """What its code depends on beside the program."""
        return identity(self.processor)

    @abstractmethod
    def _of_objects(self, made: Sequence[bytes]) -> F:
        """What is called, from object files."""

    def _keep_call(
        self, sizes: tuple[int, ...], by_rows: bool, code: FunctionCode, name: str
    ) -> None:
        """The cache has the object files by that name, or will have."""
        if self._known is not None and findable(code.places.outside, self._known.constants):
            records.keep(self._name("call", sizes, by_rows), KeptCall(code.places, name))

    def _kept(self, sizes: tuple[int, ...], by_rows: bool) -> tuple[CallCode, F] | None:
        if self._known is None:
            return None
        kept = records.kept(KeptCall, self._name("call", sizes, by_rows))
        made = None if kept is None else objects_of(kept.code)
        if kept is None or made is None:
            return None
        outside = arrays_found(kept.places.outside, self._known.constants)
        if outside is None:
            return None
        make = partial(self._source.code, sizes, by_rows=by_rows)
        return KeptCode(kept.places, outside, make), self._of_objects(made)

    def _kept_facts(self) -> KeptFunction | None:
        return None if self._known is None else records.kept(KeptFunction, self._name("function"))

    def _keep(self, facts: KeptFunction) -> KeptFunction:
        if self._known is not None:
            records.keep(self._name("function"), facts)
        return super()._keep(facts)

    def _name(self, kind: str, *what: object) -> str:
        assert self._known is not None, "it has a name"
        key = compiled_cache.key(self._known.key, *self.identity, repr(what))
        return f"{kind}-{key}"


class NativeFunction(KeepingFunction[Functions]):
    """A function in machine code; long calls are shared by as many threads as there are cores."""

    def bind(self, state: Mapping[str, Array], *sizes: int) -> Run:
        """See `CompiledFunction`."""
        code, library = self.code(*sizes)
        return Binding(code, library, state, sizes, threads=min(cores(), MAX_THREADS)).run

    def timed_code(self, *sizes: int) -> FunctionCode:
        """The code for given sizes with a clock around every kernel."""
        self.code(*sizes)  # which finds out whether one code serves for all numbers of rows
        by_rows = self._facts.one_code
        chosen = (self._capacity(sizes[0]),) if by_rows else sizes
        code = self._source.code(chosen, by_rows=by_rows, timed=True)
        assert code is not None, "as without a clock"
        return code

    def _loaded(self, code: FunctionCode, sizes: tuple[int, ...], by_rows: bool) -> Functions:
        name = object_key(code.text, self.processor, ["seldom"] if code.program.seldom else ())
        made = kept_objects(name, lambda: self._object_files(code))
        self._keep_call(sizes, by_rows, code, name)
        return self._of_objects(made)

    def _object_files(self, code: FunctionCode) -> Sequence[bytes]:
        if code.program.seldom:
            return [machine_code(code.text, self.processor, seldom=True)]
        return object_files(code.module, self.processor)

    def _of_objects(self, made: Sequence[bytes]) -> Functions:
        return loaded(made, ENTRIES)


def _storage(code: CallCode) -> Storage:
    from chainc.backends.llvm.host.storage import storage_of_function

    return storage_of_function(code.whole.program, code.whole.memory)


class Binding:
    """An arena of its own; not to be called from two threads at once."""

    def __init__(
        self,
        code: CallCode,
        library: Functions,
        state: Mapping[str, Array],
        sizes: Sequence[int],
        readings: Array | None = None,
        *,
        threads: int = 1,
    ) -> None:
        self._code = code
        self._places = places = code.places
        self._library = library
        self._enter, self._run, self._store = (
            library.function(name, None, SIGNATURE) for name in ENTRIES
        )
        self._memory = aligned_bytes(places.arena_bytes)
        self._arena = self._memory.ctypes.data
        self._failure = self._memory[FAILURE : FAILURE + 8].view(np.int64)
        self._state = [
            aligned(state[key]) if key in places.lent else state[key] for key in places.states
        ]
        self._rows = sizes[0] if sizes else 1
        count = len(places.inputs) + len(places.outputs)
        self._readings = [] if readings is None else [readings]  # of the clock of a timed one
        kept = (*self._state, *self._readings, *code.outside)
        self._table = (ctypes.c_void_p * (count + len(kept)))()
        for position, array in enumerate(kept):
            self._table[count + position] = array.ctypes.data
        self._call(self._enter, self._rows)
        names = sizes_by_name(places, sizes)
        self._shapes = [shape_of(type.shape, names) for type in places.outputs]
        self._dtypes = [type.dtype.numpy for type in places.outputs]
        self._sharing = Sharing(threads, self._nbytes())
        self._makes = [_maker(*each) for each in zip(self._shapes, self._dtypes, strict=True)]
        self._by_row = [
            (position, type.dtype.itemsize * math.prod(shape_of(type.shape[1:], names)))
            for position, type in enumerate((*places.inputs, *places.outputs))
            if has_named_size(type.shape)
        ]

    def _nbytes(self) -> int:
        """What a call goes through: the state, and the outputs where they are no blocks of rows."""
        kinds = zip(self._shapes, self._dtypes, strict=True)
        written = sum(math.prod(shape) * dtype.itemsize for shape, dtype in kinds)
        read = sum(array.nbytes for array in self._state)
        return read if self._places.block else read + written

    def run(self, *inputs: Array) -> tuple[Array, ...]:
        """The outputs for inputs of the declared types, in row-major order."""
        outputs = tuple(map(call, self._makes, self._shapes, self._dtypes))
        for position, array in enumerate((*inputs, *outputs)):
            self._table[position] = address_of(array)
        if self._places.updates:
            self._call(self._enter, self._rows)
        block = self._places.block or self._rows
        for start in range(0, self._rows, block):
            rows = min(block, self._rows - start)
            self._sharing.run(partial(self._run, self._arena, self._table, rows))
            self._check()
            self._advance(block)
        if self._places.updates:
            self._call(self._store, self._rows)
        return outputs

    def _advance(self, rows: int) -> None:
        for position, nbytes in self._by_row:
            self._table[position] = (self._table[position] or 0) + rows * nbytes

    def _call(self, function: Callable[..., object], rows: int) -> None:
        function(self._arena, self._table, rows, 0, 1)
        self._check()

    def _check(self) -> None:
        if self._failure[0]:
            code = int(self._failure[0])
            self._failure[0] = 0
            raise self._code.failures.error(code)


def _maker(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Callable[..., Array]:
    """Of an output, which may be a weight that others read where it lies."""
    return aligned_empty if math.prod(shape) * dtype.itemsize >= LARGE else np.empty


def sizes_by_name(places: CallPlaces, sizes: Sequence[int]) -> Mapping[str, int]:
    """Those that a function is bound to."""
    return dict(zip(places.size_names or ("",), sizes or (1,), strict=False))


def shape_of(shape: Sequence[Dim], sizes: Mapping[str, int]) -> tuple[int, ...]:
    """With numbers for the names."""
    return static(bind_shape(tuple(shape), sizes))
