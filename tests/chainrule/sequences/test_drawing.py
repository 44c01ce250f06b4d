"""Random numbers in loops: new in every step, the same in the derivative and on both targets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainc.ir import Node
from chainc.ir.types import Array
from chainrule import nn

TARGETS = ("numpy", "llvm")
STEPS, WIDTH = 6, 8
x = cr.input("x", ("batch", STEPS, WIDTH), dtype="float64")
w = cr.input("w", (WIDTH, WIDTH), dtype="float64")
VALUES = np.random.default_rng(1).standard_normal((3, STEPS, WIDTH))
WEIGHT = np.random.default_rng(2).standard_normal((WIDTH, WIDTH)) * 0.5


def dropping(*, reverse: bool = False) -> Node:
    """What is left in each step."""
    drop = nn.Dropout(0.5, name="drop")

    def cell(h: Node, x_t: Node) -> tuple[Node, Node]:
        h = drop(cr.tanh(x_t @ w + h))
        return h, h

    _, every = cr.scan(cell, carry=x[:, 0] * 0.0, xs=x, axis=1, reverse=reverse)
    assert isinstance(every, Node)
    return every


def on_all(*nodes: Node, weight: Array = WEIGHT) -> list[list[npt.NDArray[np.float64]]]:
    found = []
    for target in TARGETS:
        function = cr.compile(list(nodes), target=target, mode="train")
        function = function.bind(function.initial_state(seed=5))
        found.append([np.asarray(each) for each in function(x=VALUES, w=weight)])
    return found


@pytest.mark.parametrize("reverse", [False, True])
def test_dropout_in_a_cell_differs_by_step(reverse: bool) -> None:
    (mine,), (theirs,) = on_all(dropping(reverse=reverse))
    np.testing.assert_allclose(mine, theirs, rtol=1e-12)
    masks = mine.transpose(1, 0, 2).reshape(STEPS, -1) == 0
    assert 0.3 < masks.mean() < 0.7
    assert all((masks[i] != masks[j]).mean() > 0.2 for i in range(STEPS) for j in range(i))


@pytest.mark.parametrize("reverse", [False, True])
def test_the_derivative_draws_the_same(reverse: bool) -> None:
    loss = cr.sum(cr.square(dropping(reverse=reverse)))
    slopes = [found[1] for found in on_all(loss, cr.grad(loss, w))]
    np.testing.assert_allclose(slopes[0], slopes[1], rtol=1e-10)
    step = np.random.default_rng(3).standard_normal(WEIGHT.shape)
    ends = [on_all(loss, weight=WEIGHT + h * step)[1][0] for h in (1e-6, -1e-6)]
    np.testing.assert_allclose(np.sum(slopes[0] * step), (ends[0] - ends[1]) / 2e-6, rtol=1e-6)


def test_loops_in_loops_and_several_draws() -> None:
    """No number is drawn twice, and the targets agree in every bit."""

    def outer(c: Node) -> tuple[Node, tuple[Node, ...]]:
        def inner(c: Node) -> tuple[Node, Node]:
            return c, cr.random_bits((5,))

        _, drawn = cr.scan(inner, carry=c, length=3)
        assert isinstance(drawn, Node)
        return c, (drawn, cr.random_bits((5,)), cr.random_bits((5,)))

    _, kept = cr.scan(outer, carry=0.0, length=4)
    assert isinstance(kept, tuple)
    found = []
    for target in TARGETS:
        function = cr.compile([*kept, cr.random_bits((5,))], target=target)
        found.append(function.bind(function.initial_state(seed=1))())
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    drawn = np.concatenate([each.ravel() for each in found[0]])
    assert len(set(drawn.tolist())) == drawn.size == 4 * (15 + 5 + 5) + 5


def test_what_is_drawn_outside_or_with_a_step_is_what_it_says() -> None:
    mask = cr.uniform((4,))

    def cell(c: Node) -> tuple[Node, tuple[Node, ...]]:
        steady = cr.uniform((4,), seed=7, step=3, stream="s")
        counted = cr.uniform((4,), seed=7, step=cr.astype(c, "int64"))
        return c + 1.0, (mask * 1.0, steady, counted)

    _, kept = cr.scan(cell, carry=0.0, length=3)
    assert isinstance(kept, tuple)
    function = cr.compile([*kept, mask])
    outside, steady, counted, one = function.bind(function.initial_state(seed=1))()
    other = cr.compile(cr.uniform((4,), seed=7, step=3, stream="s"))()
    np.testing.assert_array_equal(outside, [one] * 3)
    np.testing.assert_array_equal(steady, [other] * 3)
    assert len(set(counted.ravel().tolist())) == 12


def test_nothing_is_drawn_where_nothing_is_dropped() -> None:
    assert "random_bits(" not in cr.compile(dropping(), target="numpy").source
