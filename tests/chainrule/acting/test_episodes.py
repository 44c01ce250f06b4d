"""Playing: what is refused when it is declared, and what all targets and threads agree on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import acting, nn, optim


class Counter:
    """Counts to 3; an action of 1 ends it at once."""

    actions = 2

    def reset(self, episodes: int) -> Any:
        return cr.uniform((episodes,)) * 0.0

    def step(self, state: Any, action: cr.Node) -> Any:
        after = state + 1.0
        return after, after, cr.logical_or(cr.equal(action, 1), after >= 3.0)

    def observe(self, state: Any) -> Any:
        return cr.expand_dims(state, -1)


def always(action: int) -> Callable[[cr.Node], cr.Node]:
    return lambda seen: cr.concat([seen * 0.0 + 9.0 * (1 - action), seen * 0.0 + 9.0 * action], -1)


def test_what_comes_after_the_end_does_not_count() -> None:
    played = acting.play(Counter(), always(0), episodes=2, steps=5, temperature=0)
    found = cr.compile(
        [played.observations[:, 0, 0], played.rewards[:, 0], played.running[:, 0],
         played.ended[:, 0], played.last[0], played.returns, played.lengths],
        target="numpy",
    )  # fmt: skip
    seen, rewards, running, ended, last, returns, lengths = found.bind(found.initial_state())()
    assert seen.tolist() == [0, 1, 2, 3, 3]
    assert rewards.tolist() == [1, 2, 3, 0, 0]
    assert running.tolist() == [1, 1, 1, 0, 0]
    assert ended.tolist() == [0, 0, 1, 0, 0]
    assert last.tolist() == [3]
    assert returns.tolist() == [6, 6]
    assert lengths.tolist() == [3, 3]


def test_a_cut_is_no_end() -> None:
    played = acting.play(Counter(), always(0), episodes=2, steps=2, temperature=0)
    run = cr.compile([played.ended, played.running, played.last], target="numpy")
    ended, running, last = run.bind(run.initial_state())()
    assert not ended.any()
    assert running.all()
    assert last.tolist() == [[2], [2]]


def test_no_gradient_goes_back_through_what_was_played() -> None:
    w = cr.parameter("w", (1, 2), 0.1)
    played = acting.play(Counter(), lambda seen: seen @ w, episodes=2, steps=4)
    with pytest.raises(cr.GradientError, match="depend"):
        cr.grad(cr.mean(played.returns), w)


def test_a_training_is_the_same_on_both_targets() -> None:
    policy = nn.Linear(1, 2, name="policy")
    played = acting.play(Counter(), policy, episodes=4, steps=5)
    loss = acting.policy_loss(policy(played.observations), played, played.rewards)
    training = cr.training(optim.SGD(lr=0.1).minimize(loss), epochs=3)
    native, arrays = (cr.compile(training, target=to).run().state for to in ("llvm", "numpy"))
    for name in native:
        found, wanted = (np.asarray(state[name], float) for state in (native, arrays))
        np.testing.assert_allclose(found, wanted, rtol=1e-4)


# --- what is refused


class GivesDoubles(Counter):
    def step(self, state: Any, action: cr.Node) -> Any:
        after, reward, over = super().step(state, action)
        return cr.astype(after, "float64"), reward, over


class Grows(Counter):
    def step(self, state: Any, action: cr.Node) -> Any:
        after, reward, over = super().step(state, action)
        return cr.expand_dims(after, -1), reward, over


class Splits(Counter):
    def step(self, state: Any, action: cr.Node) -> Any:
        after, reward, over = super().step(state, action)
        return (after, after), reward, over


class ForgetsTheEnd(Counter):
    def step(self, state: Any, action: cr.Node) -> Any:
        return super().step(state, action)[:2]


class RewardsAll(Counter):
    def step(self, state: Any, action: cr.Node) -> Any:
        after, reward, over = super().step(state, action)
        return after, cr.sum(reward), over


class EndsInNumbers(Counter):
    def step(self, state: Any, action: cr.Node) -> Any:
        after, reward, over = super().step(state, action)
        return after, reward, cr.astype(over, "float32")


class SeesTheSum(Counter):
    def observe(self, state: Any) -> Any:
        return cr.sum(state)


class BeginsNowhere(Counter):
    def reset(self, episodes: int) -> Any:
        return "nowhere"


class BeginsOnce(Counter):
    def reset(self, episodes: int) -> Any:
        return cr.uniform(())

    def observe(self, state: Any) -> Any:
        return cr.broadcast_to(state, (4, 1))

    def step(self, state: Any, action: cr.Node) -> Any:
        reward = cr.astype(action, "float32")
        return state, reward, reward > 0.0


class HasNoActions(Counter):
    actions = 0


REFUSED = [
    (GivesDoubles, r"state of GivesDoubles is f32\[4\] after reset and f64\[4\] after a step"),
    (Grows, r"state of Grows is f32\[4\] after reset and f32\[4,1\] after a step"),
    (Splits, "has 1 parts after reset and 2 after a step"),
    (ForgetsTheEnd, "a step of ForgetsTheEnd gives a tuple.*return three values"),
    (RewardsAll, r"step of RewardsAll gives f32\[\], not f32\[4\]: the reward"),
    (EndsInNumbers, r"gives f32\[4\], not bool\[4\]: whether an episode has ended"),
    (SeesTheSum, r"observe of SeesTheSum gives f32\[\], not 4 rows"),
    (BeginsNowhere, "the state of BeginsNowhere is a str"),
    (BeginsOnce, r"reset of BeginsOnce gives f32\[\], not 4 rows"),
    (HasNoActions, "HasNoActions: actions must be a whole number"),
]


@pytest.mark.parametrize(("kind", "message"), REFUSED, ids=[kind.__name__ for kind, _ in REFUSED])
def test_an_environment_that_breaks_its_promise_is_refused(
    kind: type[Counter], message: str
) -> None:
    with pytest.raises(cr.ChainruleError, match=f"(?s){message}") as refusal:
        acting.play(kind(), always(0), episodes=4, steps=5)
    assert "test_episodes.py" in str(refusal.value)
    assert "try:" in str(refusal.value)


def test_a_policy_of_other_actions_is_refused() -> None:
    with pytest.raises(cr.ShapeError, match=r"(?s)gives f32\[4,3\], not f32\[4,2\].*try: let its"):
        acting.play(Counter(), nn.Linear(1, 3), episodes=4, steps=5)
    with pytest.raises(cr.GraphError, match=r"policy, None, cannot be called"):
        acting.play(Counter(), None, episodes=4, steps=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [None, acting.CartPole, cr.input("x")])
def test_what_is_no_environment_is_refused(given: Any) -> None:
    with pytest.raises(cr.GraphError, match=r"(?s)is no environment.*try: give one, such as"):
        acting.play(given, always(0), episodes=4, steps=5)


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(cr.InputError, match="episodes must be"):
        acting.play(Counter(), always(0), episodes=0, steps=5)
    with pytest.raises(cr.InputError, match="steps must be"):
        acting.play(Counter(), always(0), episodes=4, steps=0)
    with pytest.raises(cr.InputError, match="temperature must be"):
        acting.play(Counter(), always(0), episodes=4, steps=5, temperature=-1.0)
