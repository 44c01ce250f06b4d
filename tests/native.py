"""Runs a single nest or kernel on arrays, for the tests of schedules."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

import numpy as np

from chainc.backends.llvm.machine_code.jit import compile_object, loaded
from chainc.backends.llvm.printing.module import Module
from chainc.backends.llvm.processors.native import host
from chainc.ir.types import Array
from chainc.loops.language import Nest
from chainc.lowering.kernels import Kernel
from chainc.lowering.views import Buffer
from chainc.schedules.frame import Frame
from chainc.schedules.layout.access import Capacity, storage_size
from chainc.schedules.layout.machine import Machine

PADDING = 64  # elements past the end of what the program itself allocates


def nest_of(
    kernel: Kernel, schedule: Callable[..., None], machine: Machine, rows: int = 1
) -> tuple[Nest, tuple[Buffer, ...]]:
    """A kernel's nest, and the buffers of its parameters; the capacity is `rows` of "batch"."""
    frame = Frame(kernel, Capacity({"batch": rows}), machine)
    schedule(kernel.root.subject, frame)
    nest = frame.builder.nest("kernel", "a test", tuple(frame.parameters.values()))
    return nest, tuple(frame.parameters)


class Kernels:
    """Nests compiled together, which takes hardly longer than one of them."""

    def __init__(self, nests: Sequence[Nest], machine: Machine) -> None:
        module = Module(machine)
        self._kernels = [module.kernel(nest) for nest in nests]
        entries = [f"run{position}" for position in range(len(nests))]
        for entry, kernel, nest in zip(entries, self._kernels, nests, strict=True):
            module.add(_entry(entry, kernel.name, len(nest.parameters), fails=kernel.fails))
        self.text = module.text()
        self._library = loaded([compile_object(self.text, host())], entries)

    def call(self, index: int, arrays: Sequence[Array], rows: int = 1, threads: int = 1) -> int:
        """Calls a nest once a thread; the code of a failure, or 0."""
        kernel = self._kernels[index]
        arguments = [ctypes.c_void_p] + [ctypes.c_int64] * 3
        run = self._library.function(f"run{index}", None, arguments)
        failure = np.zeros(1, np.int64)
        table = np.array([array.ctypes.data for array in (*arrays, failure)], np.uint64)
        for thread in range(threads if kernel.shared else 1):
            run(table.ctypes.data, rows, thread, threads if kernel.shared else 1)
        return int(failure[0])


def _entry(entry: str, kernel: str, count: int, *, fails: bool) -> str:
    """A function that takes the pointers from a table."""
    loads = [
        f"  %a{i} = getelementptr ptr, ptr %table, i64 {i}\n  %t{i} = load ptr, ptr %a{i}"
        for i in range(count + 1)
    ]
    given = [f"ptr %t{position}" for position in range(count)]
    given += ["i64 %rows", "i64 %thread", "i64 %threads"]
    if fails:
        given += [f"ptr %t{count}", "i64 7"]
    return (
        f"define void @{entry}(ptr %table, i64 %rows, i64 %thread, i64 %threads) {{\n"
        + "\n".join(loads)
        + f'\n  call void @"{kernel}"({", ".join(given)})\n  ret void\n}}\n'
    )


def call(
    nest: Nest, arrays: Sequence[Array], machine: Machine, rows: int = 1, threads: int = 1
) -> int:
    """Calls the nest once a thread; the code of a failure, or 0."""
    return Kernels([nest], machine).call(0, arrays, rows, threads)


def storage(buffer: Buffer, rows: int = 1) -> Array:
    """Storage as the program would allocate it, with room behind, filled with NaN or 77."""
    size = storage_size(buffer, Capacity({"batch": rows})) + PADDING
    filling = np.nan if buffer.type.dtype.is_float else 1 if buffer.type.dtype.kind == "b" else 77
    return aligned(np.full(size, filling, buffer.type.dtype.numpy))


def aligned(array: Array) -> Array:
    """A copy that starts at a multiple of 64 bytes, as the program's own storage does."""
    space = np.empty(array.nbytes + 64, np.uint8)
    start = -space.ctypes.data % 64
    result = space[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    result[...] = array
    return result


def packed(buffer: Buffer, values: Array, rows: int = 1) -> Array:
    """Values put into a buffer's storage, panels and all."""
    stored = storage(buffer, rows)
    stored[positions(buffer, values.shape, rows)] = values
    return stored


def unpacked(buffer: Buffer, stored: Array, shape: tuple[int, ...], rows: int = 1) -> Array:
    """The elements of a buffer's storage as an array of the given shape."""
    return stored[positions(buffer, shape, rows)]


def positions(
    buffer: Buffer, shape: tuple[int, ...], rows: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Where each element lies, by the formula in the docstring of `Panels`."""
    full = Capacity({"batch": rows}).shape(buffer.type.shape)
    index = np.indices(shape)
    if buffer.panels is None:
        strides = np.cumprod([1, *full[:0:-1]])[::-1][: len(full)]
        return np.asarray(
            sum(i * s for i, s in zip(index, strides, strict=True)) + np.zeros(shape, np.int64)
        )
    axis, lanes, gap = buffer.panels.axis, buffer.panels.lanes, buffer.panels.gap
    others = [n for position, n in enumerate(full) if position != axis]
    flat = np.zeros(shape, np.int64)
    for position in buffer.panels.order or range(len(shape)):
        if position != axis:
            flat = flat * full[position] + index[position]
    panel_rows = int(np.prod(others)) + gap
    return np.asarray(((index[axis] // lanes) * panel_rows + flat) * lanes + index[axis] % lanes)
