"""Long sums in pieces: which are, that bits stay, and that what goes on with them does so after."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainc.ir import Graph, Node
from chainc.ir.types import Array
from chainc.lowering.kernels import Contraction, Fill, Map, Reduction
from chainc.lowering.lower import lower
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import AVX512
from chainc.schedules.program import pieces
from chainc.schedules.program.pieces import in_pieces

CASES = {
    "one axis": ("kc,kd->cd", (515, 30), (515, 40)),
    "two axes": ("tbc,btd->cd", (40, 15, 33), (15, 40, 24)),
    "an axis of its own": ("htc,htd->hcd", (2, 600, 25), (2, 600, 24)),
    "rows of both": ("ck,dk->cd", (26, 700), (50, 700)),
    "two axes, of which both are cut": ("tbc,btd->cd", (40, 300, 33), (300, 40, 24)),
}


def kinds(y: Node) -> list[type]:
    program = in_pieces(lower(Graph((y,))), AVX512, Capacity({"batch": 600}))
    return [type(kernel) for kernel in program.body]


def product(rows: int | str, columns: int) -> Node:
    return cr.einsum("kc,kd->cd", cr.input("x", (rows, 30)), cr.input("g", (rows, columns)))


@pytest.mark.parametrize(("rows", "columns"), [(512, 30), ("batch", 16)])
def test_a_long_sum_starts_from_zeros(rows: int | str, columns: int) -> None:
    assert kinds(product(rows, columns)) == [Fill, Contraction]


@pytest.mark.parametrize(("rows", "columns"), [(511, 30), (600, 15)])
def test_short_sums_and_few_of_them_are_done_at_once(rows: int, columns: int) -> None:
    assert kinds(product(rows, columns)) == [Contraction]


def test_what_goes_on_with_a_sum_does_so_when_it_is_whole() -> None:
    graph = cr.compile(cr.relu(product(600, 30) + cr.input("b", (30,)))).stages[-1].graph
    assert kinds(graph.outputs[0]) == [Fill, Contraction, Map]


def weights_gradient(stride: int, outputs: int = 8) -> Node:
    x, w = cr.input("x", (4, 8, 30, 30)), cr.parameter("w", (outputs, 8, 3, 3), "ones")
    y = cr.conv2d(x, w, stride=stride, padding=1)
    loss = cr.sum(cr.square(y))
    return cr.compile(cr.grad(loss, w)).stages[-1].graph.outputs[0]


@pytest.mark.parametrize(("stride", "products"), [(1, 256), (2, 102)])
def test_the_gradient_of_a_convolutions_weights_is_summed_in_pieces(
    stride: int, products: int
) -> None:
    program = in_pieces(lower(Graph((weights_gradient(stride),))), AVX512, Capacity({}))
    found = [kernel.piece for kernel in program.body if isinstance(kernel, Contraction)]
    assert found == [0, products], "the convolution itself keeps its sums in registers"


def test_a_gradient_of_few_weights_is_summed_at_once() -> None:
    program = in_pieces(lower(Graph((weights_gradient(1, outputs=5),))), AVX512, Capacity({}))
    assert not any(kernel.piece for kernel in program.body if isinstance(kernel, Contraction))


@pytest.mark.parametrize("stride", [1, 2])
def test_pieces_of_images_change_no_bit(stride: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither whole images at a time nor some of their rows."""
    gradient, found = weights_gradient(stride), []
    x = np.random.default_rng(0).normal(size=(4, 8, 30, 30)).astype(np.float32)
    for products in (10**6, 200, 40):
        monkeypatch.setattr(pieces, "PIECE", products)
        function = cr.compile(gradient)
        bound = function.bind(function.initial_state(seed=0))
        found.append((function.loops, bound(x=x)))
    assert len({loops for loops, _ in found}) == len(found)
    assert all(np.array_equal(each, found[0][1]) for _, each in found)
    on_numpy = cr.compile(gradient, target="numpy")
    expected = on_numpy.bind(on_numpy.initial_state(seed=0))(x=x)
    np.testing.assert_allclose(found[0][1], expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("case", CASES)
def test_pieces_change_no_bit(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    equation, *shapes = CASES[case]
    random = np.random.default_rng(0)
    x, g = (random.normal(size=shape).astype(np.float32) for shape in shapes)
    y = cr.tanh(cr.einsum(equation, cr.input("x", x.shape), cr.input("g", g.shape)) / 50)

    def run(longest: int) -> tuple[str, Array]:
        monkeypatch.setattr(pieces, "LONG", longest)
        function = cr.compile(y)
        return function.loops, function(x=x, g=g)

    (whole, expected), (cut, found) = run(10**6), run(512)
    assert whole != cut
    assert np.array_equal(found, expected)
    exact = np.tanh(np.einsum(equation, x.astype(np.float64), g) / 50)
    assert np.abs(found - exact).max() < 1e-5


def channel_sums(rows: int | str, channels: int, *, keepdims: bool = False) -> Node:
    x = cr.input("x", (rows, channels, 16, 16))
    return cr.sum(x, axis=(0, 2, 3), keepdims=keepdims)


@pytest.mark.parametrize(("rows", "channels"), [(8, 16), ("batch", 6), (40, 32)])
def test_images_are_summed_one_by_one_for_threads_to_share(rows: int | str, channels: int) -> None:
    program = in_pieces(
        lower(Graph((channel_sums(rows, channels),))), AVX512, Capacity({"batch": 600})
    )
    first, second = program.body
    assert isinstance(first, Reduction)
    assert isinstance(second, Reduction)
    assert (first.axes, first.out.type.shape[1:]) == ((2, 3), (channels,))
    assert (second.axes, second.out.type.shape) == ((0,), (channels,))


@pytest.mark.parametrize(("rows", "channels"), [(8, 40), (1, 16), (7, 16)])
def test_many_channels_and_few_elements_are_summed_at_once(rows: int, channels: int) -> None:
    assert kinds(channel_sums(rows, channels)) == [Reduction]


@pytest.mark.parametrize("keepdims", [False, True])
def test_sums_of_images_are_those_of_numpy(keepdims: bool) -> None:
    x = np.random.default_rng(0).standard_normal((9, 16, 16, 16)).astype(np.float32)
    found = cr.compile(channel_sums(9, 16, keepdims=keepdims))(x=x)
    exact = x.sum(axis=(0, 2, 3), keepdims=keepdims, dtype=np.float64)
    np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-4)
    assert found.shape == exact.shape
