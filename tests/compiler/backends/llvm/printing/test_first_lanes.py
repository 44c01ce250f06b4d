"""The first lanes of vectors, side by side or apart: what machine code and C read and write."""

from __future__ import annotations

import ctypes
import shutil

import numpy as np
import pytest
from tests.interpreter import interpret
from tests.native import Kernels, aligned

from chainc.backends.c.file import CALL, CFile, Entry
from chainc.backends.llvm.c_programs.compiler import SharedObject, shared_object
from chainc.backends.llvm.host.function import SIGNATURE
from chainc.ir.types import Array, DType, bool_, float32, float64, int32, uint8
from chainc.loops.builder import NestBuilder
from chainc.loops.language import Nest
from chainc.loops.routine_builder import RoutineBuilder
from chainc.loops.values import Address, Affine, Parameter
from chainc.schedules.layout.machine import AVX512

SIZE = 64
FROM, TO = 5, 9
CASES = [
    (dtype, lanes, stride, to)
    for dtype, lanes in ((float32, 16), (float32, 8), (float64, 8), (int32, 4), (bool_, 16))
    for stride, to in ((1, 1), (2, 1), (1, 2), (2, 2), (3, 1), (1, 3))
]


def copying(dtype: DType, lanes: int, first: int, stride: int, to: int) -> Nest:
    """So many elements, to another place; then what the other lanes have, summed up."""
    builder, x, y = NestBuilder(), Parameter("x", dtype), Parameter("y", dtype)
    value = builder.load(Address(x, Affine(FROM), stride, first), lanes)
    builder.store(value, Address(y, Affine(TO), to, first))
    if not dtype.is_bool:
        builder.store(builder.across("add", value), Address(y, Affine()))
    return builder.nest("kernel", "a test", (x, y))


def given(dtype: DType) -> list[Array]:
    numbers = np.arange(1, SIZE + 1)
    x = numbers % 3 == 0 if dtype.is_bool else numbers
    return [aligned(x.astype(dtype.numpy)), aligned(np.zeros(SIZE, dtype.numpy))]


def test_machine_code_touches_the_first_lanes_only() -> None:
    nests = [copying(d, lanes, first, *steps) for d, lanes, *steps in CASES
             for first in range(1, lanes + 1)]  # fmt: skip
    kernels = Kernels(nests, AVX512)
    for index, nest in enumerate(nests):
        found, wanted = (given(nest.parameters[0].dtype) for _ in range(2))
        kernels.call(index, found, 1, 1)
        interpret(nest, wanted, 1, 0, 1)
        np.testing.assert_array_equal(found[1], wanted[1], err_msg=str(nest))


def test_so_does_c() -> None:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    nests = [copying(dtype, lanes, lanes - 1, *steps) for dtype, lanes, *steps in CASES]
    entries = []
    for index, nest in enumerate(nests):
        to = RoutineBuilder()
        to.buffer("arena", uint8)
        table, rows = to.buffer("table", uint8), to.number("rows")
        thread, threads = to.number("thread"), to.number("threads")
        named = enumerate(nest.parameters)
        buffers = [to.entry(table, i, each.name, each.dtype) for i, each in named]
        to.run(nest, *buffers, rows, thread, threads)
        entries.append(Entry(f"run{index}", CALL, (to.routine(f"main.{index}", "a test"),)))
    library = SharedObject(lambda: shared_object(CFile(entries).text()))
    for index, nest in enumerate(nests):
        found, wanted = (given(nest.parameters[0].dtype) for _ in range(2))
        addresses = (ctypes.c_void_p * 2)(*(array.ctypes.data for array in found))
        library.function(f"run{index}", None, SIGNATURE)(None, addresses, 1, 0, 1)
        interpret(nest, wanted, 1, 0, 1)
        np.testing.assert_array_equal(found[1], wanted[1], err_msg=str(nest))
