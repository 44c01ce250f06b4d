"""Environments against plain programs of the same rules."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import acting

Floats = npt.NDArray[np.float64]
CLIFF = ["....", "....", "SCCG"]


def by_hand(state: Floats, action: int) -> tuple[Floats, bool]:
    """A tick of the cart and its pole, written from the equations of Barto, Sutton and Anderson."""
    _, x_dot, theta, theta_dot = state
    force = 10.0 if action == 1 else -10.0
    total, mass_length = 1.1, 0.05
    temporary = (force + mass_length * theta_dot**2 * math.sin(theta)) / total
    theta_acc = (9.8 * math.sin(theta) - math.cos(theta) * temporary) / (
        0.5 * (4.0 / 3.0 - 0.1 * math.cos(theta) ** 2 / total)
    )
    x_acc = temporary - mass_length * theta_acc * math.cos(theta) / total
    after = state + 0.02 * np.array([x_dot, x_acc, theta_dot, theta_acc])
    return after, abs(after[0]) > 2.4 or abs(after[2]) > 12 * 2 * math.pi / 360


def leaning(seen: cr.Node) -> cr.Node:
    """Push to where the pole leans, mostly."""
    return cr.stack([0.0 * seen[:, 2], 40.0 * seen[:, 2]], axis=-1)


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_a_pole_moves_as_it_should(target: str) -> None:
    played = acting.play(acting.CartPole(), leaning, episodes=6, steps=120)
    run = cr.compile(
        [played.observations, played.actions, played.rewards, played.running, played.ended,
         played.last],
        target=target,
    )  # fmt: skip
    seen, actions, rewards, running, ended, last = run.bind(run.initial_state(seed=3))()
    assert np.abs(seen[0]).max() < 0.05
    assert len(np.unique(seen[0])) == 24
    ends = []
    for episode in range(6):
        goes_on = True
        for step in range(120):
            assert running[step, episode] == rewards[step, episode] == goes_on
            now = seen[step, episode].astype(float)
            after = seen[step + 1, episode] if step < 119 else last[episode]
            found, over = by_hand(now, int(actions[step, episode])) if goes_on else (now, False)
            np.testing.assert_allclose(after, found, atol=2e-6)
            assert ended[step, episode] == over
            goes_on = goes_on and not over
        ends.append(goes_on)
    assert 0 < running.mean() < 1
    assert not all(ends)


def test_the_likeliest_action_is_taken_at_temperature_0() -> None:
    played = acting.play(acting.CartPole(), leaning, episodes=8, steps=30, temperature=0)
    run = cr.compile([played.observations, played.actions], target="numpy")
    seen, actions = run.bind(run.initial_state())()
    np.testing.assert_array_equal(actions, seen[:, :, 2] > 0)


# --- boards


def walk(rows: list[str], field: int, action: int) -> tuple[int, float, bool]:
    """A step on a board of letters."""
    width = len(rows[0])
    row, column = divmod(field, width)
    down, right = [(-1, 0), (0, 1), (1, 0), (0, -1)][action]
    there = row + down, column + right
    inside = 0 <= there[0] < len(rows) and 0 <= there[1] < width
    if not inside or rows[there[0]][there[1]] == "#":
        there = row, column
    letter = rows[there[0]][there[1]]
    if letter == "C":
        return "".join(rows).index("S"), -100.0, False
    return there[0] * width + there[1], -1.0, letter == "G"


@pytest.mark.parametrize("rows", [CLIFF, ["S.#", "#.G"], ["SG"]])
def test_each_step_on_a_board_leads_where_it_should(rows: list[str]) -> None:
    world = acting.GridWorld(rows)
    fields = len("".join(rows))
    pairs = [(field, action) for field in range(fields) for action in range(4)]
    state, action = (cr.input(name, (len(pairs),), dtype="int64") for name in ("state", "action"))
    run = cr.compile(world.step(state, action), target="numpy")
    given = np.array(pairs)
    to, rewards, over = run(state=given[:, 0], action=given[:, 1])
    assert list(zip(to, rewards, over, strict=True)) == [walk(rows, *pair) for pair in pairs]


def test_a_board_is_seen_as_one_field_of_all() -> None:
    world = acting.GridWorld(CLIFF)
    assert repr(world) == "<GridWorld of 3 × 4 fields>"
    seen = cr.compile(world.observe(world.reset(2)), target="numpy")()
    np.testing.assert_array_equal(seen, np.eye(12)[[8, 8]])


def test_steps_slip_as_often_as_is_said() -> None:
    world = acting.GridWorld(["...", ".S.", "..G"], slip=0.4)
    start = world.reset(4000)
    to, _, _ = world.step(start, start * 0)
    run = cr.compile(to, target="numpy")
    fields, counts = np.unique(run.bind(run.initial_state(seed=1))(), return_counts=True)
    assert fields.tolist() == [1, 3, 5, 7]
    np.testing.assert_allclose(counts / 4000, [0.7, 0.1, 0.1, 0.1], atol=0.02)


def shortest(rows: list[str]) -> int:
    """Steps from S to G, by breadth."""
    todo = deque([("".join(rows).index("S"), 0)])
    seen: set[int] = set()
    while todo:
        field, steps = todo.popleft()
        for action in range(4):
            to, reward, over = walk(rows, field, action)
            if over:
                return steps + 1
            if to not in seen and reward == -1:
                seen.add(to)
                todo.append((to, steps + 1))
    raise AssertionError


def test_the_way_around_a_cliff_is_not_the_shortest() -> None:
    assert shortest(CLIFF) == 5
    path = [0, 1, 1, 1, 2]
    table = np.zeros((12, 4), np.float32)
    field = 8
    for action in path:
        table[field, action] = 9.0
        field = walk(CLIFF, field, action)[0]
    policy = cr.constant(table)
    world = acting.GridWorld(CLIFF)
    played = acting.play(world, lambda seen: seen @ policy, episodes=3, steps=8, temperature=0)
    returns, lengths = cr.compile([played.returns, played.lengths], target="numpy")()
    np.testing.assert_array_equal(returns, [-5, -5, -5])
    np.testing.assert_array_equal(lengths, [5, 5, 5])


@pytest.mark.parametrize(
    "rows", [[], ["S."], ["SG", "S"], ["SG", "S."], ["SG?"], "SG", ["G"], [["S", "G"]], ["", ""]]
)
def test_what_is_no_board_is_refused(rows: list[str]) -> None:
    with pytest.raises(cr.InputError, match=r"(?s)is no board|must be a list.*try: give texts"):
        acting.GridWorld(rows)
    with pytest.raises(cr.InputError, match="slip must be"):
        acting.GridWorld(CLIFF, slip=1.5)
