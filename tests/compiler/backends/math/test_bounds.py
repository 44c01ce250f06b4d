"""Random graphs between guards: native code writes its results and its arena, and nothing else."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from tests.graphs import Case, cases

import chainrule as cr
from chainc.backends.llvm.host import function
from chainc.backends.llvm.host import training as native_training
from chainc.ir.types import DType, float32, float64

GUARD = 4096  # bytes
GUARDED = 0xAB

RUNNER = native_training.NativeTraining  # has its own memory, imported before that is replaced
Bytes = npt.NDArray[np.uint8]


class Guarded:
    """Hands out arrays between bytes that nobody is to change."""

    def __init__(self) -> None:
        self.guards: list[Bytes] = []

    def take(self, count: int) -> Bytes:
        """Bytes that start at a multiple of 64."""
        space = np.full(count + 2 * GUARD + 64, GUARDED, np.uint8)
        start = GUARD + -(space.ctypes.data + GUARD) % 64
        self.guards += [space[:start], space[start + count :]]
        return space[start : start + count]

    def result(
        self, shape: tuple[int, ...], dtype: np.dtype[np.generic]
    ) -> npt.NDArray[np.generic]:
        """An array of the caller's, at no particular address."""
        size = math.prod(shape) * dtype.itemsize
        return self.take(size + dtype.itemsize)[dtype.itemsize :].view(dtype).reshape(shape)

    def arena(self, count: int) -> Bytes:
        taken = self.take(count)
        taken[...] = 0
        return taken

    def check(self) -> None:
        assert all(np.all(guard == GUARDED) for guard in self.guards)


@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize("passes", [None, ()], ids=["passes", "none"])
def test_nothing_is_written_elsewhere(dtype: DType, passes: tuple[()] | None) -> None:
    @settings(max_examples=40)
    @given(case=cases(dtype=dtype))
    def check(case: Case) -> None:
        guarded = Guarded()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(function, "aligned_bytes", guarded.arena)
            patch.setattr(function, "np", SimpleNamespace(**{**vars(np), "empty": guarded.result}))
            used = {leaf.op.label for leaf in case.graph.leaves("input")}
            run = cr.compile(case.graph, target="llvm", passes=passes).bind(cr.State(case.states))
            run({key: value for key, value in case.inputs.items() if key in used})
        assert guarded.guards
        guarded.check()

    check()
