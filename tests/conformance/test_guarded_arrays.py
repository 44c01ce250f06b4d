"""Machine code touches nothing beside the arrays that it is given, nor beside its own memory."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from tests.conformance.harness import BACKENDS
from tests.graphs import Case, cases
from tests.guarded import Guarded, in_a_child

from chainc.backends.llvm.host.function import ENTRIES, SIGNATURE, NativeFunction
from chainc.driver import TARGETS, compile_function
from chainc.interpreters import reference
from chainc.ir.binding import sizes_of
from chainc.ir.types import Array, DType, bind_shape, float32, float64, static
from chainc.passes import Pass, pipeline

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs fork and mprotect")
LLVM = next(backend for backend in BACKENDS if backend.name == "llvm")


def run_guarded(case: Case, passes: Sequence[Pass], *, last: bool) -> list[Array]:
    """The outputs, with guards before or behind inputs, states, outputs and the arena."""
    compiled = compile_function(case.graph, passes, TARGETS["llvm"])
    assert isinstance(compiled.executable, NativeFunction)
    sizes = sizes_of(case.graph, {key: array.shape for key, array in case.inputs.items()})
    given_sizes = [sizes[name] for name in compiled.program.size_names]
    linked, library = compiled.executable.code(*given_sizes)
    code = linked.whole
    guarded = Guarded(last=last)
    outputs = [
        guarded.array(static(bind_shape(buffer.type.shape, sizes)), buffer.type.dtype.numpy)
        for buffer in code.outputs
    ]
    arrays = [
        *(guarded.copy(case.inputs[buffer.key]) for buffer in code.inputs),
        *outputs,
        *(guarded.copy(case.states[buffer.key]) for buffer in code.states),
    ]
    arena = guarded.array((code.memory.arena_bytes,), np.dtype(np.uint8))
    assert arena.ctypes.data % 64 == 0
    table = np.array([array.ctypes.data for array in arrays], np.uint64)
    rows = given_sizes[0] if given_sizes else 1
    for entry in ENTRIES:
        run = library.function(entry, None, SIGNATURE)
        run(arena.ctypes.data, table.ctypes.data, rows, 0, 1)
    return outputs


def check(case: Case, dtype: DType, passes: Sequence[Pass]) -> None:
    sys.stdout.write(f"{case}\n")  # shown if the test fails: the last one is what it died of
    sys.stdout.flush()
    expected = reference.evaluate(case.graph, case.inputs, case.states).outputs
    for last in (False, True):
        found = run_guarded(case, passes, last=last)
        for node, result, wanted in zip(case.graph.outputs, found, expected, strict=True):
            LLVM.check(node, dtype, result, wanted)


@pytest.mark.parametrize("with_passes", [True, False])
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_random_graphs_stay_inside_their_arrays(dtype: DType, with_passes: bool) -> None:
    passes = pipeline(False) if with_passes else ()

    @settings(max_examples=30, database=None)
    @given(case=cases(dtype=dtype, largest=40))
    def stays_inside(case: Case) -> None:
        check(case, dtype, passes)

    assert in_a_child(stays_inside) == 0


@pytest.mark.parametrize("last", [False, True])
def test_guards_are_felt(last: bool) -> None:
    def write_beside() -> None:
        array = Guarded(last=last).array((3,), np.dtype(np.float32))
        beside = np.lib.stride_tricks.as_strided(array, (5,), (4 if last else -4,))
        beside[...] = 1.0

    assert in_a_child(write_beside) < 0
