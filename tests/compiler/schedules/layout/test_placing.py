"""Results are written where they will be read: no kernel copies into a border, or in turn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainc.ir import Node
from chainc.lowering.kernels import Copy, Fill, Kernel
from chainc.lowering.lower import lower
from chainc.schedules.layout import placing
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import AVX2, AVX512, Machine
from chainc.schedules.program.preparation import prepare

MACHINES = pytest.mark.parametrize("machine", [AVX2, AVX512])


def stacked(stride: int = 1, size: int = 9) -> tuple[Node, ...]:
    """Two convolutions one after another, and gradients."""
    x = cr.input("x", (2, 16, size, size))
    first, second = (cr.parameter(name, (16, 16, 3, 3), 0.1) for name in "vw")
    inner = cr.relu(cr.conv2d(x, first, padding=1))
    loss = cr.sum(cr.tanh(cr.conv2d(inner, second, stride=stride, padding=1)))
    return loss, *cr.grad(loss, [x, first, second])


def prepared(results: tuple[Node, ...], machine: Machine) -> list[Kernel]:
    graph = cr.compile(results, target="numpy").stages[-1].graph
    return list(prepare(lower(graph), machine, Capacity({})).body)


def placed_copies(kernels: list[Kernel]) -> list[Copy]:
    return [kernel for kernel in kernels if isinstance(kernel, Copy) and kernel.starts]


@MACHINES
@pytest.mark.parametrize("stride", [1, 2])
def test_only_what_is_given_is_copied_into_a_border(machine: Machine, stride: int) -> None:
    copies = placed_copies(prepared(stacked(stride), machine))
    assert [copy.operands[0].type.shape for copy in copies] == [(2, 16, 9, 9)]


@MACHINES
def test_only_the_border_is_filled(machine: Machine) -> None:
    fills = [kernel for kernel in prepared(stacked(), machine) if isinstance(kernel, Fill)]
    around = [fill for fill in fills if fill.inside]
    assert len(around) >= 2  # of the image between the convolutions, and of a cotangent
    assert {fill.inside for fill in around} == {(2, 16, 9, 9)}


def test_a_border_that_is_needed_much_later_is_made_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then, a value that others read would lie in memory twice: that of a cotangent here."""
    monkeypatch.setattr(placing, "SOON", 2)
    late = placed_copies(prepared(stacked(), AVX512))
    assert [copy.operands[0].type.shape for copy in late] == [(2, 16, 9, 9)] * 2


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [9, 12])
def test_values_are_those_of_numpy(stride: int, size: int) -> None:
    results = stacked(stride, size)
    x = np.random.default_rng(1).standard_normal((2, 16, size, size)).astype(np.float32)

    def values(target: str) -> tuple[npt.NDArray[np.float32], ...]:
        function = cr.compile(results, target=target)
        return function.bind(function.initial_state(seed=0))(x=x)

    for native, numpy in zip(values("llvm"), values("numpy"), strict=True):
        np.testing.assert_allclose(native, numpy, rtol=2e-4, atol=2e-4)
