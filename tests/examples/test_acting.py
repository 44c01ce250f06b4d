"""Examples of acting: each learns what a plain program of the same rules says can be reached."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tests.examples.running import Run, load

from chainrule import acting


@pytest.mark.nightly
def test_a_pole_is_balanced(first_run: Callable[[str], Run]) -> None:
    results = first_run("cart_pole").results
    for returns in (results.reinforce, results.actor_critic):
        assert returns[0] < 50 < returns[20] < np.mean(returns[-10:]) <= 500
    assert min(results.reinforce_tested, results.actor_critic_tested) >= 475


@pytest.mark.nightly
def test_an_actor_keeps_away_from_a_cliff_where_steps_slip(
    first_run: Callable[[str], Run],
) -> None:
    example, results = load("grid_world"), first_run("grid_world").results
    assert results.certain == best(example.BOARD, 0.0) == -7
    assert len(results.certain_way) == 8
    assert best(example.BOARD, 0.3) - 6 < results.slippery < results.certain
    assert min(results.slippery_way[1:-1]) < min(results.certain_way[1:-1])


def best(board: list[str], slip: float) -> float:
    """What the best way from S is worth, by iteration of values."""
    world = acting.GridWorld(board, slip)
    letters = np.array(list("".join(board)))
    falls, at_goal = letters == "C", letters == "G"
    gains = np.where(falls, -100.0, -1.0)
    to = world.leads_to
    values = np.zeros(letters.size)
    for _ in range(400):
        later = np.where(at_goal, 0.0, np.where(falls, values[world.start], values))
        of_moves = (gains + later)[to]
        of_actions = (1 - slip) * of_moves + slip * of_moves.mean(axis=1, keepdims=True)
        values = of_actions.max(axis=1)
    return float(values[world.start])


@pytest.mark.nightly
def test_a_ball_is_caught_in_an_environment_of_python(first_run: Callable[[str], Run]) -> None:
    results = first_run("catch").results
    assert results.first < 0.4
    assert results.last > 0.9
