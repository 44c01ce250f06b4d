"""The benchmark of acting: both carts have the same physics, and tables say what was measured."""

from __future__ import annotations

import numpy as np
import pytest
from tests.benchmarks import acting

import chainrule as cr


def test_the_cart_in_python_moves_as_that_in_the_graph() -> None:
    random = np.random.default_rng(0)
    world = cr.acting.CartPole()
    inputs = [cr.input(f"s{i}", (20,)) for i in range(4)]
    action = cr.input("action", (20,), dtype="int64")
    after, reward, over = world.step(inputs, action)
    run = cr.compile([world.observe(after), reward, over], target="numpy")
    states = random.uniform(-0.3, 0.3, (20, 4)).astype(np.float32)
    states[:, 0] *= 10
    actions = random.integers(0, 2, 20)
    found = run(**{f"s{i}": states[:, i] for i in range(4)}, action=actions)
    for row in range(20):
        cart = acting.CartPole(random)
        cart.state = tuple(map(float, states[row]))
        seen, gained, ended = cart.step(int(actions[row]))
        np.testing.assert_allclose(found[0][row], seen, rtol=1e-5, atol=1e-6)
        assert (found[1][row], found[2][row]) == (gained, ended)
    assert 0 < found[2].sum() < 20


def test_later_rewards_are_discounted() -> None:
    assert acting.discounted([1.0, 0.0, 2.0]) == pytest.approx([1 + 2 * 0.99**2, 2 * 0.99, 2.0])


def test_a_row_says_how_many_times_longer_a_step_takes() -> None:
    assert acting.row_of("other", [3e-6, 4e-6, 9e-6], [2e-6]) == "| other | 4.00 µs | 2 |"
    assert acting.row_of("other", None, [2e-6]) == "| other | not installed | |"
