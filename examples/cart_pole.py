"""A pole balanced by REINFORCE and by an actor and a critic, all of it in the compiled loop.

Sixteen carts play side by side until their poles fall, 500 steps at most. Then what led to more
than the mean return, or to more than a critic expected, becomes likelier, and they play again: 80
times, without coming back to Python. Afterwards 100 episodes are played with the likeliest actions;
a mean of 475 counts as solved.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import chainrule as cr
from chainrule import acting, nn, optim, plots

EPISODES, STEPS, UPDATES = 16, 500, 80
WORLD = acting.CartPole()


@dataclass(frozen=True)
class Results:
    """Mean returns of the updates, and of 100 new episodes afterwards, for both ways."""

    reinforce: Sequence[float]
    actor_critic: Sequence[float]
    reinforce_tested: float
    actor_critic_tested: float


def network(outputs: int, name: str) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, outputs), name=name)


def reinforce(policy: nn.Sequential) -> tuple[cr.Node, acting.Episodes]:
    """What was done, weighted by how much more than others it brought."""
    played = acting.play(WORLD, policy, episodes=EPISODES, steps=STEPS)
    worth = acting.whitened(acting.discounted(played.rewards, 0.99), played)
    return acting.policy_loss(policy(played.observations), played, worth), played


def actor_critic(policy: nn.Sequential) -> tuple[cr.Node, acting.Episodes]:
    """What was done, weighted by how much more it brought than a critic expected."""
    critic = network(1, "critic")
    played = acting.play(WORLD, policy, episodes=EPISODES, steps=STEPS)
    values, last = (20.0 * critic(seen)[..., 0] for seen in (played.observations, played.last))
    better = acting.advantages(played, values, last, discount=0.99, decay=0.98)
    worth = acting.whitened(better, played)
    errors = cr.square(values - cr.stop_gradient(values + better)) * played.running
    loss = acting.policy_loss(policy(played.observations), played, worth)
    return loss + 0.5 * cr.sum(errors) / cr.sum(played.running), played


def learned(name: str) -> tuple[Sequence[float], float]:
    """Mean returns of the updates, and of 100 new episodes."""
    policy = network(2, "policy")
    loss, played = (reinforce if name == "REINFORCE" else actor_critic)(policy)
    step, metrics = optim.Adam(lr=0.01).minimize(loss), {"return": cr.mean(played.returns)}
    program = cr.compile(cr.training(step, epochs=UPDATES, metrics=metrics), threads=1)
    began = time.perf_counter()
    result = program.run()
    taken = time.perf_counter() - began
    returns = result.history["return"]
    test = acting.play(WORLD, policy, episodes=100, steps=STEPS, temperature=0)
    tested = float(cr.compile(cr.mean(test.returns)).bind(result.state)())
    done = sum(returns) * EPISODES
    print(f"{name}: {done:,.0f} steps of the environment, {UPDATES} updates, {taken:.2f} s")
    print("  mean returns:", ", ".join(f"{value:.0f}" for value in returns[:: UPDATES // 8]))
    print(f"  100 new episodes with the likeliest actions: {tested:.1f} of {STEPS}")
    return returns, tested


def main(folder: Path) -> Results:
    """Learn both ways, test and draw; the picture goes to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (first, first_tested), (second, second_tested) = map(learned, ("REINFORCE", "actor and critic"))
    returns = {"REINFORCE": first, "actor and critic": second}
    plots.history(returns, unit="step").save(folder / "returns.svg")
    return Results(first, second, first_tested, second_tested)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/cart_pole"))
    main(parser.parse_args().out)
