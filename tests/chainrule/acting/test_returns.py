"""Returns, advantages and the loss of a policy against plain loops and closed forms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import acting

Floats = npt.NDArray[np.float32]
STEPS, EPISODES = 7, 3
ENDS = (2, 6, None)  # the step with which each ends; the last one is cut short


def arrays() -> dict[str, npt.NDArray[Any]]:
    random = np.random.default_rng(0)
    running, ended = np.ones((2, STEPS, EPISODES), np.float32)
    ended *= 0
    for episode, end in enumerate(ENDS):
        if end is not None:
            ended[end, episode], running[end + 1 :, episode] = 1, 0
    rewards = random.normal(size=running.shape).astype(np.float32) * running
    return {
        "observations": random.normal(size=(STEPS, EPISODES, 2)).astype(np.float32),
        "actions": random.integers(0, 4, running.shape),
        "rewards": rewards,
        "running": running,
        "ended": ended,
        "last": random.normal(size=(EPISODES, 2)).astype(np.float32),
        "values": random.normal(size=running.shape).astype(np.float32),
        "end": random.normal(size=EPISODES).astype(np.float32),
        "logits": random.normal(size=(*running.shape, 4)).astype(np.float32),
    }


GIVEN = arrays()
INPUTS = {name: cr.input(name, x.shape, dtype=str(x.dtype)) for name, x in GIVEN.items()}
PLAYED = acting.Episodes(*(INPUTS[n] for n in ("observations", "actions", "rewards", "running",
                                               "ended", "last")))  # fmt: skip


def computed(node: cr.Node) -> Floats:
    read = {leaf.op.label for leaf in cr.Graph([node]).leaves("input")}
    found = cr.compile(node, target="numpy")(**{name: GIVEN[name] for name in read})
    return np.asarray(found, np.float32)


def test_returns_are_sums_of_later_rewards() -> None:
    rewards = GIVEN["rewards"].astype(float)
    plain = [sum(0.9 ** (t - s) * rewards[t] for t in range(s, STEPS)) for s in range(STEPS)]
    found = computed(acting.discounted(PLAYED.rewards, 0.9))
    np.testing.assert_allclose(found, plain, rtol=1e-5, atol=1e-6)


def test_what_is_expected_after_the_last_step_counts() -> None:
    rewards, later = GIVEN["rewards"].astype(float), GIVEN["end"].astype(float)
    plain: list[Any] = []
    for reward in rewards[::-1]:
        later = reward + 0.9 * later
        plain.insert(0, later)
    found = computed(acting.discounted(PLAYED.rewards, 0.9, last=INPUTS["end"]))
    np.testing.assert_allclose(found, plain, rtol=1e-5, atol=1e-6)


def by_definition(decay: float, discount: float) -> npt.NDArray[np.float64]:
    """The sums of errors of one step, each weighted, as the paper writes them."""
    found = np.zeros((STEPS, EPISODES))
    for episode, end in enumerate(ENDS):
        count = STEPS if end is None else end + 1
        beyond = float(GIVEN["end"][episode]) if end is None else 0.0
        values = [*GIVEN["values"][:count, episode].astype(float), beyond]
        errors = [
            float(GIVEN["rewards"][t, episode]) + discount * values[t + 1] - values[t]
            for t in range(count)
        ]
        for t in range(count):
            found[t, episode] = sum(
                (discount * decay) ** (later - t) * errors[later] for later in range(t, count)
            )
    return found


@pytest.mark.parametrize("decay", [0.0, 0.95, 1.0])
def test_advantages_are_sums_of_surprises(decay: float) -> None:
    node = acting.advantages(PLAYED, INPUTS["values"], INPUTS["end"], discount=0.9, decay=decay)
    found = computed(node)
    np.testing.assert_allclose(found, by_definition(decay, 0.9), rtol=1e-4, atol=1e-5)


def test_the_loss_is_the_weighted_surprise_of_what_was_done() -> None:
    worth = GIVEN["values"].astype(float)
    logits = GIVEN["logits"].astype(float)
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    done = np.eye(4)[GIVEN["actions"]]
    weights = worth * GIVEN["running"] / GIVEN["running"].sum()
    loss = acting.policy_loss(INPUTS["logits"], PLAYED, INPUTS["values"])
    assert computed(loss) == pytest.approx(-(weights * np.log((p * done).sum(-1))).sum(), rel=1e-5)
    slope = computed(cr.grad(loss, INPUTS["logits"]))
    np.testing.assert_allclose(slope, weights[..., None] * (p - done), rtol=1e-4, atol=1e-6)


def test_the_gradient_is_that_of_the_expected_return() -> None:
    """Of a game of one step that all play at once: Σ π(a) r(a), with the derivative by hand."""
    prizes, count = np.array([1.0, 0.0, -2.0]), 20_000
    logits = cr.parameter("logits", (3,), 0.0)
    played = acting.play(_Bandit(prizes), lambda seen: seen * 0.0 + logits, episodes=count, steps=1)
    loss = acting.policy_loss(played.observations * 0.0 + logits, played, played.rewards)
    run = cr.compile(cr.grad(loss, logits), target="numpy")
    z = np.array([0.3, -0.2, 0.5], np.float32)
    values = cr.State({**run.initial_state(), "logits": z})
    p = np.exp(z) / np.exp(z).sum()
    np.testing.assert_allclose(run.bind(values)(), -p * (prizes - p @ prizes), atol=0.02)


class _Bandit:
    actions = 3

    def __init__(self, prizes: npt.NDArray[np.float64]) -> None:
        self.prizes = cr.constant(prizes.astype(np.float32))

    def reset(self, episodes: int) -> cr.Node:
        return cr.broadcast_to(cr.constant(np.float32(0.0)), (episodes,))

    def step(self, state: cr.Node, action: cr.Node) -> tuple[cr.Node, cr.Node, cr.Node]:
        return state, cr.take(self.prizes, action), action >= 0

    def observe(self, state: cr.Node) -> cr.Node:
        return cr.broadcast_to(cr.expand_dims(state, -1), (*state.shape, 3))


def test_what_is_whitened_has_mean_0_and_variance_1() -> None:
    found = computed(acting.whitened(INPUTS["values"], PLAYED))
    played = found[GIVEN["running"] == 1]
    assert played.mean() == pytest.approx(0, abs=1e-6)
    assert played.std() == pytest.approx(1, rel=1e-5)
    assert not found[GIVEN["running"] == 0].any()
    alike = acting.whitened(PLAYED.running, PLAYED)
    np.testing.assert_allclose(computed(alike), 0.0, atol=1e-3)


def test_what_does_not_fit_is_refused() -> None:
    rewards, values = PLAYED.rewards, INPUTS["values"]
    with pytest.raises(cr.ShapeError, match=r"(?s)last is f32\[7,3\] where .* f32\[3\].*try:"):
        acting.discounted(rewards, last=values)
    with pytest.raises(cr.ShapeError, match="the rewards are a scalar"):
        acting.discounted(cr.sum(rewards))
    with pytest.raises(cr.DTypeError, match=r"the rewards are .*, not floating-point"):
        acting.discounted(PLAYED.actions)
    with pytest.raises(cr.InputError, match="discount must be"):
        acting.discounted(rewards, 1.5)
    with pytest.raises(cr.InputError, match="decay must be"):
        acting.advantages(PLAYED, values, INPUTS["end"], decay=-0.1)
    with pytest.raises(cr.ShapeError, match=r"values is f32\[7,3,1\]"):
        acting.advantages(PLAYED, cr.expand_dims(values, -1), INPUTS["end"])
    with pytest.raises(cr.GraphError, match=r"(?s)are no episodes.*try: give what acting.play"):
        acting.policy_loss(INPUTS["logits"], rewards, values)  # type: ignore[arg-type]
    with pytest.raises(
        cr.ShapeError, match=r"(?s)worth of actions is f32\[3\].*try: give a number"
    ):
        acting.whitened(INPUTS["end"], PLAYED)
    with pytest.raises(cr.ShapeError, match="do not fit logits"):
        acting.policy_loss(INPUTS["logits"], replace(PLAYED, actions=PLAYED.actions[0]), values)
