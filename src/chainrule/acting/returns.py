"""How good what was done has turned out to be: sums of later rewards, from the end backwards."""

from __future__ import annotations

from collections.abc import Sequence

from chainc.ir import Node, describe, scope
from chainc.ir.errors import GraphError, ShapeError
from chainc.ops import concat, expand_dims, stop_gradient
from chainrule.acting.episodes import Episodes
from chainrule.declare.arguments import number
from chainrule.declare.losses.checks import check_float
from chainrule.sequences.scan import scan


def discounted(rewards: Node, discount: float = 0.99, last: Node | None = None) -> Node:
    """The return from each step on: R(t) = r(t) + γ R(t+1).

    Args:
        rewards: floating-point (steps, …).
        discount: γ, from 0 to 1: how much a reward counts that comes a step later.
        last: the return after the last step, (…), such as what a critic expects; by default 0.

    Raises:
        DTypeError: the rewards are not floating-point.
        ShapeError: there are no steps, or `last` does not fit.
        InputError: the discount is not from 0 to 1.
    """
    share = _share("discounted", "discount", discount)
    check_float("discounted", "rewards", rewards)
    if not rewards.ndim:
        raise ShapeError(
            "discounted: the rewards are a scalar",
            where=describe(rewards),
            hint="give those of all steps, (steps, episodes)",
        )
    with scope("discounted"):
        none = rewards[0] * 0.0
        end = none if last is None else _like("discounted", "last", last, none)
        return _summed(rewards, end, share)


def advantages(
    episodes: Episodes, values: Node, last: Node, *, discount: float = 0.99, decay: float = 0.95
) -> Node:
    """By how much each action was better than expected (Schulman et al., 2016).

    A(t) = δ(t) + γ λ A(t+1) with δ(t) = r(t) + γ V(t+1) - V(t). Nothing is expected after the end
    that an environment gives an episode; where the last step cuts it short, `last` is. With λ = 1
    that is the return less V, with λ = 0 the surprise of one step. No gradient goes back.

    Args:
        episodes: what `play` gives.
        values: what a critic expects of each observation, V, (steps, episodes).
        last: what it expects of `episodes.last`, (episodes).
        discount: γ, from 0 to 1.
        decay: λ, from 0 to 1: how far back a surprise counts.

    Raises:
        GraphError: `episodes` are none.
        DTypeError: the values are not floating-point.
        ShapeError: the values do not fit the rewards.
        InputError: a number is not from 0 to 1.
    """
    gamma = _share("advantages", "discount", discount)
    share = gamma * _share("advantages", "decay", decay)
    check_episodes("advantages", episodes)
    rewards, goes_on = episodes.rewards, 1.0 - episodes.ended
    now = _like("advantages", "values", values, rewards)
    end = _like("advantages", "last", last, rewards[0])
    with scope("advantages"):
        later = concat([now[1:], expand_dims(end, 0)]) * goes_on
        surprise = (rewards + gamma * later - now) * episodes.running
        return stop_gradient(_summed(surprise, end * 0.0, share * goes_on))


def check_episodes(function: str, given: object) -> None:
    """Refuse what `play` has not given.

    Raises:
        GraphError: it is no `Episodes`.
    """
    if not isinstance(given, Episodes):
        raise GraphError(
            f"{function}: {given!r} are no episodes",
            hint="give what acting.play(environment, policy, episodes=16, steps=500) gives",
        )


def _summed(terms: Node, end: Node, share: float | Node) -> Node:
    """S(t) = x(t) + c S(t+1); c is a number, or one of each step."""

    def step(later: Node, given: Sequence[Node]) -> tuple[Node, Node]:
        found = given[0] + (given[1] if isinstance(share, Node) else share) * later
        return found, found

    each = (terms, share) if isinstance(share, Node) else (terms,)
    _, sums = scan(step, end, each, reverse=True)
    assert isinstance(sums, Node)
    return sums


def _like(function: str, name: str, given: Node, like: Node) -> Node:
    check_float(function, name, given)
    if given.type != like.type:
        raise ShapeError(
            f"{function}: {name} is {given.type} where the rewards ask for {like.type}",
            where=f"{describe(given)}\n         {describe(like)}",
            hint="cr.squeeze and cr.reshape take an axis of size 1 away",
        )
    return given


def _share(function: str, name: str, value: object) -> float:
    hint = f"give a number from 0 to 1, such as {name}=0.99"
    found = number(function, name, value, at_least=0, hint=hint)
    return number(function, name, found, below=1 + 1e-12, hint=hint)
