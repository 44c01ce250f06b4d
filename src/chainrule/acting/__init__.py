"""Learning by acting: environments as nodes, episodes played in a loop of the graph, and returns.

An environment is a graph, so whole trainings are compiled with it: `play` lets a policy act in many
episodes side by side, `discounted` and `advantages` tell how good its actions were, and
`policy_loss` is what to minimise.

    played = acting.play(acting.CartPole(), policy, episodes=16, steps=500)
    returns = acting.discounted(played.rewards, 0.99)
    loss = acting.policy_loss(policy(played.observations), played, returns)
    training = cr.training(optim.Adam(lr=0.01).minimize(loss), epochs=100)
"""

from chainrule.acting.cart_pole import CartPole
from chainrule.acting.environment import Environment
from chainrule.acting.episodes import Episodes, play
from chainrule.acting.grid_world import GridWorld
from chainrule.acting.objectives import policy_loss, whitened
from chainrule.acting.returns import advantages, discounted
from chainrule.declare.calls import answer_calls

__all__ = [
    "CartPole",
    "Environment",
    "Episodes",
    "GridWorld",
    "advantages",
    "discounted",
    "play",
    "policy_loss",
    "whitened",
]

answer_calls(globals(), __all__, "acting")


def __dir__() -> list[str]:
    return list(__all__)
