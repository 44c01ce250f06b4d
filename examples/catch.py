"""An environment that is a class of Python: a ball falls, and a paddle is to be under it.

The policy is a compiled function of what is seen, and the update a compiled step: the loop around
them is Python's, so the environment may be anything that can be called.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainrule import losses, nn, optim, plots

HEIGHT, WIDTH = 8, 5
GAMES, UPDATES = 16, 120
Floats = NDArray[np.float32]


@dataclass
class Catch:
    """A ball falls by a row a step, and the paddle moves to the left, stays, or to the right."""

    random: np.random.Generator
    ball: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))
    paddle: int = WIDTH // 2

    def reset(self) -> Floats:
        self.ball = np.array([0, self.random.integers(WIDTH)])
        self.paddle = WIDTH // 2
        return self.seen()

    def step(self, action: int) -> tuple[Floats, float, bool]:
        """What is seen then, the reward, and whether the ball is down."""
        self.paddle = min(max(self.paddle + action - 1, 0), WIDTH - 1)
        self.ball[0] += 1
        down = bool(self.ball[0] == HEIGHT - 1)
        reward = 0.0 if not down else 1.0 if self.ball[1] == self.paddle else -1.0
        return self.seen(), reward, down

    def seen(self) -> Floats:
        board = np.zeros((HEIGHT, WIDTH), np.float32)
        board[tuple(self.ball)] = board[HEIGHT - 1, self.paddle] = 1
        return board.ravel()


@dataclass(frozen=True)
class Results:
    """The share of balls that are caught in the first and in the last ten updates."""

    first: float
    last: float


def play(world: Catch, policy: Callable[[Floats], Floats]) -> tuple[list[Floats], list[int], float]:
    """A game: what was seen, what was done, and how it ended."""
    seen, actions, over, reward = [world.reset()], [], False, 0.0
    while not over:
        chances = policy(seen[-1][None])[0]
        actions.append(int(np.searchsorted(chances.cumsum(), world.random.random())))
        after, reward, over = world.step(min(actions[-1], 2))
        seen.append(after)
    return seen[:-1], actions, reward


def main(folder: Path) -> Results:
    """Play, learn, and draw how many are caught; the picture goes to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    model = nn.Sequential(nn.Linear(HEIGHT * WIDTH, 32), nn.ReLU(), nn.Linear(32, 3), name="policy")
    one = cr.input("one", (1, HEIGHT * WIDTH))
    seen = cr.input("seen", ("steps", HEIGHT * WIDTH))
    actions = cr.input("actions", ("steps",), dtype="int32")
    worth = cr.input("worth", ("steps",))
    loss = cr.mean(losses.cross_entropy(model(seen), actions, reduction="none") * worth)
    update = cr.compile(optim.Adam(lr=0.02).minimize(loss), target="numpy")
    update = update.bind(update.initial_state())
    chances = cr.compile(cr.softmax(model(one)), target="numpy")

    world, caught = Catch(np.random.default_rng(0)), []
    for _ in range(UPDATES):
        policy = chances.bind(update.state)
        games = [play(world, policy) for _ in range(GAMES)]
        rewards = np.array([reward for _, _, reward in games])
        update(
            seen=np.concatenate([boards for boards, _, _ in games]),
            actions=np.concatenate([chosen for _, chosen, _ in games]).astype(np.int32),
            worth=np.repeat(rewards - rewards.mean(), HEIGHT - 1).astype(np.float32),
        )
        caught.append(float(np.mean(rewards > 0)))
    results = Results(float(np.mean(caught[:10])), float(np.mean(caught[-10:])))
    print(f"{UPDATES} updates, each after {GAMES} balls")
    print(f"caught in the first ten: {results.first:.0%}")
    print(f"caught in the last ten:  {results.last:.0%}")
    plots.history({"caught": caught}, unit="step").save(folder / "caught.svg")
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/catch"))
    main(parser.parse_args().out)
