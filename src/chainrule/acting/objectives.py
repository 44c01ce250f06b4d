"""What a policy that has played is to make small."""

from __future__ import annotations

from chainc.ir import Node, describe, scope
from chainc.ir.errors import ShapeError
from chainc.ops import sqrt, square, stop_gradient, sum
from chainrule.acting.episodes import Episodes
from chainrule.acting.returns import check_episodes
from chainrule.declare.losses.checks import check_float
from chainrule.declare.losses.entropy import cross_entropy


def policy_loss(logits: Node, episodes: Episodes, worth: Node) -> Node:
    """The mean of -w ln π(action) over all steps that were played (REINFORCE: Williams, 1992).

    It is a cross-entropy with what was done as labels, each by its worth: what went well becomes
    likelier. Its gradient is that of the expected return, up to what is drawn.

    Args:
        logits: of the policy for `episodes.observations`, (steps, episodes, actions).
        episodes: what `play` gives.
        worth: of each action, (steps, episodes), such as `discounted` rewards or `advantages`. No
            gradient goes through it.

    Raises:
        GraphError: `episodes` are none.
        DTypeError: the logits or the worth are not floating-point.
        ShapeError: the shapes do not fit.
    """
    check_episodes("policy_loss", episodes)
    surprise = cross_entropy(logits, episodes.actions, reduction="none")
    with scope("policy_loss"):
        weights = stop_gradient(_masked("policy_loss", worth, episodes))
        return sum(surprise * weights) / sum(episodes.running)


def whitened(worth: Node, episodes: Episodes) -> Node:
    """With mean 0 and variance 1 over all steps that were played, and 0 elsewhere.

    The mean is a baseline: what is worth less than others becomes less likely. Where all are alike
    it is 0.

    Args:
        worth: floating-point (steps, episodes).
        episodes: what `play` gives.

    Raises:
        GraphError: `episodes` are none.
        DTypeError: the worth is not floating-point.
        ShapeError: it is not of each step.
    """
    check_episodes("whitened", episodes)
    with scope("whitened"):
        running, total = episodes.running, sum(episodes.running)
        centred = worth - sum(_masked("whitened", worth, episodes)) / total
        variance = sum(square(centred) * running) / total
        return centred * running / sqrt(variance + 1e-8)


def _masked(function: str, worth: Node, episodes: Episodes) -> Node:
    check_float(function, "worth", worth)
    if worth.type != episodes.running.type:
        raise ShapeError(
            f"{function}: the worth of actions is {worth.type}, and {episodes.running.type} were "
            "played",
            where=describe(worth),
            hint="give a number for each step of each episode, such as "
            "acting.discounted(episodes.rewards)",
        )
    return worth * episodes.running
