"""Images of few channels lie row by row where vectors along columns hold more of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import chainrule as cr
from chainc.ir import Graph, Node
from chainc.loops.text import print_nest
from chainc.lowering.grouping import group
from chainc.lowering.lower import lower
from chainc.lowering.program import Program
from chainc.passes import pipeline
from chainc.schedules.by_kernel import schedule
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import AVX2, AVX512, Machine
from chainc.schedules.layout.panels import lay_out
from chainrule import nn

ROWS, PANELS = False, True


def network(sides: tuple[int, ...], channels: tuple[int, ...], taps: int, stride: int) -> Node:
    """Convolutions one after another, all but the last with a rectifier and a pool."""
    x = cr.input("x", ("batch", channels[0], *sides))
    layers: list[nn.Module] = []
    for number, (inputs, outputs) in enumerate(pairwise(channels)):
        layers.append(nn.Conv2d(inputs, outputs, taps, stride=stride, padding=taps // 2))
        if number < len(channels) - 2:
            layers += [nn.ReLU(), nn.MaxPool2d(2)]
    return cr.square(nn.Sequential(*layers)(x))


def laid_out(output: Node, machine: Machine) -> Program:
    loss = cr.sum(output)
    weights = [leaf for leaf in Graph((loss,)).leaves("state") if len(leaf.shape) == 4]
    graph = Graph((loss, *(cr.sum(cr.square(each)) for each in cr.grad(loss, weights))))
    for step in pipeline():
        graph = step.run(graph)
    return lay_out(group(lower(graph)), machine, Capacity({"batch": 4}))


def images(program: Program) -> dict[tuple[int, int], set[bool]]:
    """By channels and columns: do they lie in panels?"""
    found: dict[tuple[int, int], set[bool]] = {}
    for kernel in program.body:
        for out in kernel.outs:
            shape = out.type.shape
            if len(shape) == 4 and not isinstance(shape[0], int):
                key = int(str(shape[1])), int(str(shape[3]))
                found.setdefault(key, set()).add(out.panels is not None)
    return found


def test_few_channels_lie_in_rows_and_many_beside_them_in_panels() -> None:
    found = images(laid_out(network((28, 28), (1, 6, 16), 5, 1), AVX512))
    assert found[6, 28] == {ROWS}
    assert found[6, 14] == {ROWS}, "what is pooled lies as what it is pooled of"
    assert found[16, 14] == {PANELS}


@pytest.mark.parametrize(
    ("channels", "side", "machine"),
    [(16, 28, AVX512), (12, 16, AVX512), (6, 4, AVX512), (6, 28, AVX2)],
    ids=["whole vectors", "as many lanes", "short rows", "no masks"],
)
def test_channels_hold_the_lanes_elsewhere(channels: int, side: int, machine: Machine) -> None:
    found = images(laid_out(network((side, side), (1, channels, channels), 3, 1), machine))
    assert found[channels, side] == {PANELS}


def test_windows_some_steps_apart_are_read_from_panels() -> None:
    found = images(laid_out(network((28, 28), (1, 8, 16), 3, 2), AVX512))
    assert found[8, 14] == {PANELS}


def texts(program: Program) -> str:
    found = (schedule(kernel, Capacity({"batch": 4}), AVX512)[0] for kernel in program.body)
    return "\n".join(map(print_nest, found))


def test_the_last_vector_of_a_row_is_one_vector_in_part() -> None:
    text = texts(laid_out(network((28, 28), (1, 6, 16), 5, 1), AVX512))
    assert ", first 12]" in text
    assert ", stride 2, first 14]" in text, "every other column of what is pooled"
    assert "first" not in texts(laid_out(network((32, 32), (1, 16, 16), 5, 1), AVX512))


SHAPES = {
    "few channels": ((28, 28), (1, 6, 16), 5, 1),
    "images in rows only": ((20, 23), (3, 8, 6), 3, 1),
    "from many channels to few": ((14, 14), (3, 20, 8, 6), 3, 1),
    "vectors and some": ((9, 33), (1, 6, 8), 3, 1),
    "some steps apart": ((29, 30), (3, 8, 12), 5, 2),
    "short rows": ((8, 8), (1, 6, 12), 3, 1),
    "one more than a vector": ((5, 17), (3, 6, 20), 3, 1),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_numbers_are_those_of_numpy(
    shape: tuple[tuple[int, ...], tuple[int, ...], int, int],
) -> None:
    loss = cr.mean(network(*shape))
    weights = list(Graph((loss,)).leaves("state"))
    results = (loss, *cr.grad(loss, weights))
    native, plain = (cr.compile(results, target=target) for target in ("llvm", "numpy"))
    x = np.random.default_rng(1).standard_normal((5, shape[1][0], *shape[0]), np.float32)
    state = native.initial_state(0)
    found = [native.bind(state)(x=x), native.bind(state)(x=x[:3])]
    expected = [plain.bind(state)(x=x), plain.bind(state)(x=x[:3])]
    for mine, theirs in zip(sum(found, ()), sum(expected, ()), strict=True):
        size = np.abs(theirs).max()
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5 * size)
