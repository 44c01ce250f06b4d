"""A pole balanced by REINFORCE, with the environment inside of the compiled loop.

Sixteen carts play side by side until their poles fall, 500 steps at most. Then what led to more
than the mean return becomes likelier, and they play again: 80 times, all of it one native loop that
does not come back to Python. Afterwards 100 episodes are played with the likeliest actions; a mean
of 475 counts as solved.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import chainrule as cr
from chainrule import acting, nn, optim, plots

EPISODES, STEPS, UPDATES = 16, 500, 80


@dataclass(frozen=True)
class Results:
    """Mean returns before, in the middle and at the end of training, and in 100 new episodes."""

    first: float
    middle: float
    last: float
    tested: float


def main(folder: Path) -> Results:
    """Declare, train, test and draw; the pictures go to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    policy = nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, 2), name="policy")
    world = acting.CartPole()
    played = acting.play(world, policy, episodes=EPISODES, steps=STEPS)
    worth = acting.whitened(acting.discounted(played.rewards, 0.99), played)
    loss = acting.policy_loss(policy(played.observations), played, worth)
    step = optim.Adam(lr=0.01).minimize(loss)
    metrics = {"return": cr.mean(played.returns)}
    program = cr.compile(cr.training(step, epochs=UPDATES, metrics=metrics), threads=1)

    began = time.perf_counter()
    result = program.run()
    taken = time.perf_counter() - began
    returns = result.history["return"]
    done = sum(returns) * EPISODES
    print(f"{done:,.0f} steps of the environment and {UPDATES} updates took {taken:.2f} s")
    for update in range(0, UPDATES, 10):
        print(f"  updates {update:2} to {update + 9:2}: mean return {returns[update]:5.1f}")

    test = acting.play(world, policy, episodes=100, steps=STEPS, temperature=0)
    tested = float(cr.compile(cr.mean(test.returns)).bind(result.state)())
    print(f"100 new episodes with the likeliest actions: {tested:.1f} of {STEPS}")
    plots.history({"return": returns}, unit="step").save(folder / "returns.svg")
    return Results(returns[0], returns[UPDATES // 4], returns[-1], tested)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/cart_pole"))
    main(parser.parse_args().out)
