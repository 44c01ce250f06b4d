"""REINFORCE on cart-pole in the compiled loop, beside PyTorch with the environment in Python.

    python -m tests.benchmarks.acting
    python -m tests.benchmarks.acting --updates 20 --seeds 3

The algorithm is the same, 4-128-2 with ReLU, Adam 0.01, γ 0.99 and whitened returns, an update
after 16 episodes of at most 500 steps, and so are the physics and one thread. In PyTorch episodes
are played one after another, as in its examples, and also side by side, with one call of the
policy for all that still run: as many updates as here, and of the other, which takes minutes, so
many as are asked for. What counts is the processor's time for a step of the environment. A second
table says how good Chainrule's policies are.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

EPISODES, LIMIT, DISCOUNT, LR, HIDDEN = 16, 500, 0.99, 0.01, 128
UPDATES = 80  # until the policy is good
GOOD = 475  # the mean of 100 episodes


class CartPole:
    """One cart in Python, with the rules of Gymnasium's CartPole-v1."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random
        self.state: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)

    def reset(self) -> Any:
        self.state = tuple(self.random.uniform(-0.05, 0.05, 4).tolist())
        return np.array(self.state, np.float32)

    def step(self, action: int) -> tuple[Any, float, bool]:
        x, speed, angle, turning = self.state
        push = 10.0 if action == 1 else -10.0
        cosine, sine = math.cos(angle), math.sin(angle)
        swing = (push + 0.05 * turning * turning * sine) / 1.1
        turn = (9.8 * sine - cosine * swing) / (0.5 * (4.0 / 3.0 - 0.1 * cosine * cosine / 1.1))
        pull = swing - 0.05 * turn * cosine / 1.1
        self.state = x, speed, angle, turning = (
            x + 0.02 * speed, speed + 0.02 * pull, angle + 0.02 * turning, turning + 0.02 * turn
        )  # fmt: skip
        over = abs(x) > 2.4 or abs(angle) > 12 * 2 * math.pi / 360
        return np.array(self.state, np.float32), 1.0, over


# ----- Chainrule


def declared(updates: int) -> tuple[Any, Any]:
    """The training, and the mean return of 100 episodes with the likeliest actions."""
    import chainrule as cr
    from chainrule import acting, nn, optim

    policy = nn.Sequential(nn.Linear(4, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2), name="policy")
    world = acting.CartPole()
    played = acting.play(world, policy, episodes=EPISODES, steps=LIMIT)
    worth = acting.whitened(acting.discounted(played.rewards, DISCOUNT), played)
    step = optim.Adam(lr=LR).minimize(
        acting.policy_loss(policy(played.observations), played, worth)
    )
    metrics = {"return": cr.mean(played.returns)}
    test = acting.play(world, policy, episodes=100, steps=LIMIT, temperature=0)
    return cr.training(step, epochs=updates, metrics=metrics), cr.mean(test.returns)


def own(updates: int, seeds: int) -> tuple[Sequence[float], Sequence[str]]:
    """Seconds for a step of the environment with each seed, and what its policy reaches."""
    import chainrule as cr

    began = time.process_time()
    training, reached = declared(updates)
    program = cr.compile(training, threads=1)
    program.run(epochs=1)
    evaluate = cr.compile(reached)
    compiled = time.process_time() - began
    times, rows = [], []
    for seed in range(seeds):
        state = program.initial_state(seed=seed)
        began = time.process_time()
        result = program.run(state=state, progress=False)
        taken = time.process_time() - began
        steps = sum(result.history["return"]) * EPISODES
        times.append(taken / steps)
        mean = float(evaluate.bind(result.state)())
        good = "yes" if mean >= GOOD else "no"
        rows.append(f"| {seed} | {steps:,.0f} | {taken:.2f} s | {mean:.1f} | {good} |")
    return times, [*rows, "", f"Declared and compiled in {compiled:.1f} s before that."]


# ----- PyTorch


def torch_or_none() -> Any:
    try:
        torch = import_module("torch")
    except ImportError:
        return None
    torch.set_num_threads(1)
    return torch


class Peer:
    """The algorithm as one writes it in PyTorch."""

    def __init__(self, torch: Any, seed: int) -> None:
        torch.manual_seed(seed)
        nn = torch.nn
        self.torch = torch
        self.policy = nn.Sequential(nn.Linear(4, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2))
        self.optimizer = torch.optim.Adam(self.policy.parameters(), lr=LR)
        self.random = np.random.default_rng(seed)

    def one_by_one(self) -> int:
        """Episodes one after another, the graph of each step kept for the gradient."""
        surprises, returns = [], []
        for _ in range(EPISODES):
            world, over = CartPole(self.random), False
            rewards: list[float] = []
            seen = world.reset()
            while not over and len(rewards) < LIMIT:
                logits = self.policy(self.torch.from_numpy(seen))
                choice = self.torch.distributions.Categorical(logits=logits)
                action = choice.sample()
                surprises.append(-choice.log_prob(action))
                seen, reward, over = world.step(action.item())
                rewards.append(reward)
            returns += discounted(rewards)
        self.update(self.torch.stack(surprises), returns)
        return len(returns)

    def side_by_side(self) -> int:
        """All that still run are given to the policy at once, and once more for the gradient."""
        worlds = [CartPole(self.random) for _ in range(EPISODES)]
        seen = {number: world.reset() for number, world in enumerate(worlds)}
        told: list[list[tuple[Any, int, float]]] = [[] for _ in worlds]
        for _ in range(LIMIT):
            if not seen:
                break
            with self.torch.no_grad():
                logits = self.policy(self.torch.from_numpy(np.stack([*seen.values()])))
                choices = self.torch.distributions.Categorical(logits=logits).sample().tolist()
            running = {}
            for (number, before), action in zip(seen.items(), choices, strict=True):
                after, reward, over = worlds[number].step(action)
                told[number].append((before, action, reward))
                if not over:
                    running[number] = after
            seen = running
        steps = [step for episode in told for step in episode]
        logits = self.policy(self.torch.from_numpy(np.stack([step[0] for step in steps])))
        actions = self.torch.tensor([step[1] for step in steps])
        surprises = self.torch.nn.functional.cross_entropy(logits, actions, reduction="none")
        self.update(surprises, [r for e in told for r in discounted([step[2] for step in e])])
        return len(steps)

    def update(self, surprises: Any, returns: Sequence[float]) -> None:
        worth = self.torch.tensor(returns)
        worth = (worth - worth.mean()) / (worth.std(correction=0) + 1e-8)
        self.optimizer.zero_grad()
        (surprises * worth).mean().backward()
        self.optimizer.step()


def discounted(rewards: Sequence[float]) -> list[float]:
    found, later = [], 0.0
    for reward in reversed(rewards):
        later = reward + DISCOUNT * later
        found.append(later)
    return found[::-1]


def torch_times(kind: str, updates: int, seeds: int) -> Sequence[float] | None:
    """Seconds for a step of the environment, with each seed."""
    torch = torch_or_none()
    if torch is None:
        return None
    times = []
    for seed in range(seeds):
        peer = Peer(torch, seed)
        play = getattr(peer, kind)
        began = time.process_time()
        steps = sum(play() for _ in range(updates))
        times.append((time.process_time() - began) / steps)
    return times


# ----- the tables


def row_of(name: str, times: Sequence[float] | None, own_times: Sequence[float]) -> str:
    if times is None:
        return f"| {name} | not installed | |"
    middle = statistics.median(times)
    return f"| {name} | {middle * 1e6:.2f} µs | {middle / statistics.median(own_times):.0f} |"


def main(updates: int, seeds: int) -> None:
    own_times, reached = own(UPDATES, seeds)
    print("| | a step of the environment | times Chainrule's |\n|---|---:|---:|")
    print(row_of("Chainrule", own_times, own_times))
    for name, kind, count in (("PyTorch, one by one", "one_by_one", updates),
                              ("PyTorch, side by side", "side_by_side", UPDATES)):  # fmt: skip
        print(row_of(name, torch_times(kind, count, seeds), own_times))
    print("\n| seed | steps | trained in | return | good |\n|---:|---:|---:|---:|---|")
    print("\n".join(reached))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=12, help="of PyTorch: it takes long")
    parser.add_argument("--seeds", type=int, default=5)
    chosen = parser.parse_args()
    main(chosen.updates, chosen.seeds)
