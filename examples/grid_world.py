"""An actor and a critic on a board with a cliff, where some steps slip.

The critic learns what each field is worth, the actor does more of what turns out better than that.
The shortest way goes along the cliff; where steps slip, the actor learns to keep away from it.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainrule import acting, nn, optim

BOARD = ["......", "......", "......", "SCCCCG"]
ARROWS = "↑→↓←"
EPISODES, STEPS, UPDATES = 64, 60, 300


@dataclass(frozen=True)
class Results:
    """Mean returns of 200 episodes after training, and the likeliest way as numbers of fields."""

    certain: float
    slippery: float
    certain_way: Sequence[int]
    slippery_way: Sequence[int]


def learn(slip: float) -> tuple[float, NDArray[np.int64]]:
    """What is reached, and the likeliest action on each field."""
    world = acting.GridWorld(BOARD, slip)
    fields = world.fields.size
    actor = nn.Linear(fields, 4, init=cr.init.zeros(), name="actor")
    critic = nn.Linear(fields, 1, init=cr.init.zeros(), name="critic")

    played = acting.play(world, actor, episodes=EPISODES, steps=STEPS)
    values, last = (10.0 * critic(seen)[..., 0] for seen in (played.observations, played.last))
    better = acting.advantages(played, values, last, discount=1.0, decay=0.95)
    logits = actor(played.observations)
    policy_loss = acting.policy_loss(logits, played, acting.whitened(better, played))
    wanted = cr.stop_gradient(values + better)
    entropy = -cr.sum(cr.softmax(logits) * cr.log_softmax(logits), axis=-1)
    each = 0.5 * cr.square(values - wanted) - 0.05 * entropy
    loss = policy_loss + cr.sum(each * played.running) / cr.sum(played.running)
    training = cr.training(optim.Adam(lr=0.1).minimize(loss), epochs=UPDATES, seed=3)
    state = cr.compile(training, threads=1).run().state

    test = acting.play(world, actor, episodes=200, steps=STEPS)
    reached = cr.compile(cr.mean(test.returns), target="numpy").bind(state)()
    every = actor(cr.constant(np.eye(fields, dtype=np.float32)))
    actions = cr.compile(cr.argmax(every), target="numpy").bind(state)()
    return float(reached), np.asarray(actions, np.int64)


def way(actions: NDArray[np.int64]) -> list[int]:
    """The fields that the likeliest actions lead over, to the goal or around in circles."""
    world = acting.GridWorld(BOARD)
    fields = [world.start]
    while len(fields) < 20 and world.fields.flat[fields[-1]] != "G":
        fields.append(int(world.leads_to[fields[-1], actions[fields[-1]]]))
    return fields


def show(actions: NDArray[np.int64], path: Sequence[int]) -> str:
    """The board, with an arrow on each field of the way."""
    letters = list("".join(BOARD))
    for field in path[:-1]:
        letters[field] = ARROWS[actions[field]]
    width = len(BOARD[0])
    return "\n".join("    " + "".join(letters[row : row + width])
                     for row in range(0, len(letters), width))  # fmt: skip


def main(folder: Path) -> Results:
    """Learn on both boards, and report; nothing is drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for name, slip in (("certain", 0.0), ("slippery", 0.3)):
        reached, actions = learn(slip)
        path = way(actions)
        print(f"{name} steps: mean return {reached:.1f}, {len(path) - 1} steps if none slips")
        print(show(actions, path))
        found.append((reached, path))
    (certain, certain_way), (slippery, slippery_way) = found
    return Results(certain, slippery, certain_way, slippery_way)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/grid_world"))
    main(parser.parse_args().out)
