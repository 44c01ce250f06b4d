"""Copies of operands that lie unfavourably: when, of what form, and with equal numbers."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainc.ir import Graph, Node
from chainc.lowering.kernels import Contraction, Copy, Kernel
from chainc.lowering.lower import lower
from chainc.lowering.program import Loop
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import AVX2
from chainc.schedules.program.preparation import prepare

BATCH, HEADS = 2, 4


def heads(name: str, time: int, size: int) -> Node:
    x = cr.tanh(cr.input(name, (BATCH, time, HEADS * size)))
    return cr.reshape(x, (BATCH, time, HEADS, size))


def scores(time: int, size: int) -> Node:
    return cr.einsum("bthd,bshd->bhts", heads("q", time, size), heads("k", time, size))


def mixed(time: int, size: int) -> Node:
    weights = cr.input("p", (BATCH, HEADS, time, time))
    return cr.einsum("bhts,bshd->bthd", weights, heads("v", time, size))


def kernels(result: Node) -> list[Kernel]:
    return list(prepare(lower(Graph((result,))), AVX2, Capacity({})).body)


def copies(result: Node) -> list[Kernel]:
    return [kernel for kernel in kernels(result) if isinstance(kernel.root, Copy)]


def test_keys_are_turned_so_that_vectors_run_along_their_positions() -> None:
    found = kernels(scores(64, 32))
    (copy,) = (kernel for kernel in found if isinstance(kernel.root, Copy))
    assert copy.out.type.shape == (BATCH, HEADS, 32, 64)
    assert copy.out.panels is not None
    assert (copy.out.panels.axis, copy.out.panels.lanes) == (3, 8)
    (product,) = (kernel for kernel in found if isinstance(kernel.root, Contraction))
    assert copy.out in {view.buffer for view in product.reads}


def test_values_whose_rows_share_cache_sets_are_brought_together() -> None:
    (copy,) = copies(mixed(256, 32))
    assert copy.out.type.shape == (BATCH, HEADS, 256, 32)


def recurrent(rows: int, width: int = 128) -> tuple[Node, Node]:
    """What a loop of five steps makes of rows, and its weights."""
    x, w = cr.input("x", (5, rows, width)), cr.parameter("w", (width, width), 0.01)
    start = cr.broadcast_to(cr.constant(0.0), (rows, width))
    last, _ = cr.scan(lambda h, x_t: (cr.tanh(x_t + h @ w), None), carry=start, xs=x)
    assert isinstance(last, Node)
    return last, w


def weights_in_panels(rows: int, width: int = 128) -> list[Kernel]:
    """The copies of a loop's weights before it; there are none in it."""
    last, w = recurrent(rows, width)
    found = kernels(last)
    (loop,) = (kernel for kernel in found if isinstance(kernel, Loop))
    inside = [each for each in loop.program.body if isinstance(each.root, Copy)]
    assert not [each for each in inside if each.out.panels]
    before = [each for each in found if isinstance(each.root, Copy) and each.out.panels]
    (product,) = (k for k in loop.program.body if isinstance(k.root, Contraction))
    read = {view.buffer for view in product.reads}
    assert all(copy.out in read and copy.out.type == w.type for copy in before)
    return before


def test_weights_of_a_loop_are_brought_together_once_before_it() -> None:
    (copy,) = weights_in_panels(32)
    assert copy.out.panels is not None
    assert (copy.out.panels.axis, copy.out.panels.lanes) == (1, 8)
    assert not weights_in_panels(8)
    assert not weights_in_panels(32, width=40)  # rows that share no sets


def test_a_loop_has_the_numbers_of_numpy_with_them() -> None:
    last, _ = recurrent(20)
    x = np.random.default_rng(1).normal(size=(5, 20, 128)).astype(np.float32)
    native, plain = cr.compile(last), cr.compile(last, target="numpy")
    state = native.initial_state(0)
    np.testing.assert_allclose(native.bind(state)(x=x), plain.bind(state)(x=x), atol=1e-6)


def test_few_rows_and_operands_that_lie_well_are_not_copied() -> None:
    assert not copies(scores(8, 32))
    assert not copies(mixed(16, 32))
    x, w = cr.input("x", (BATCH, 64, 32)), cr.parameter("w", (32, 48), 0.5)
    assert not copies(cr.tanh(x) @ w)


def summed_in_two_orders(rows: int, time: int) -> tuple[Node, Node]:
    """A weight's gradient: what a loop gives lies step by step, the cotangent row by row."""
    h = cr.tanh(cr.input("h", (time, rows, 32)))
    g = cr.tanh(cr.input("g", (rows, time, 24)) @ cr.input("w", (24, 24)))
    return cr.einsum("tbk,btn->kn", h, g), cr.einsum(
        "btk,btn->kn", cr.permute_dims(h, (1, 0, 2)), g
    )


def test_panels_that_meet_another_order_are_brought_into_it() -> None:
    for result in summed_in_two_orders(32, 64):
        (copy,) = copies(result)
        assert copy.out.type.shape == (64, 32, 24)
        assert copy.out.panels is not None
        assert copy.out.panels.axis == 2
    assert not copies(summed_in_two_orders(4, 64)[0])  # few enough to stay near
    assert not copies(summed_in_two_orders(32, 63)[0])  # rows that share no sets


def test_sums_in_two_orders_have_the_numbers_of_numpy() -> None:
    rng = np.random.default_rng(3)
    shapes = {"h": (64, 32, 32), "g": (32, 64, 24), "w": (24, 24)}
    given = {key: rng.standard_normal(shape, np.float32) for key, shape in shapes.items()}
    result = summed_in_two_orders(32, 64)[0]
    native, plain = cr.compile(result), cr.compile(result, target="numpy")
    np.testing.assert_allclose(native(**given), plain(**given), rtol=0, atol=1e-3)


@pytest.mark.parametrize("time", [16, 37, 64])
@pytest.mark.parametrize("size", [8, 13, 32])
def test_attention_has_the_numbers_of_numpy(time: int, size: int) -> None:
    rng = np.random.default_rng(time + size)
    q, k, v = (rng.standard_normal((BATCH, time, HEADS * size), np.float32) for _ in range(3))
    p = rng.standard_normal((BATCH, HEADS, time, time), np.float32)
    tq, tk, tv = (np.tanh(x.astype(float)).reshape(BATCH, time, HEADS, size) for x in (q, k, v))
    found = cr.compile(scores(time, size))(q=q, k=k)
    np.testing.assert_allclose(found, np.einsum("bthd,bshd->bhts", tq, tk), rtol=0, atol=1e-4)
    found = cr.compile(mixed(time, size))(p=p, v=v)
    np.testing.assert_allclose(found, np.einsum("bhts,bshd->bthd", p, tv), rtol=0, atol=1e-4)
