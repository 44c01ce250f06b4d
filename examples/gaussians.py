"""Generative adversarial networks on eight Gaussians: modes collapse, and a penalty mends it.

A generator makes points of noise; a discriminator tells them from real ones. Both learn in turns on
each minibatch. Left alone the generator forgets some of the modes. With a penalty on the slope of
the discriminator, which differentiates a gradient, it covers all of them; so does the Wasserstein
loss with its penalty.

A point counts as good within three standard deviations of the nearest mode, and a mode as covered
when good points at it are at least a fiftieth of all, where an even share is an eighth.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainrule import datasets, losses, nn, optim, regularize, schedules

MODES, RADIUS, DEVIATION = 8, 2.0, 0.02
NOISE, HIDDEN = 2, 32
SAMPLES = 2500
EPOCHS, BATCH = 200, 128
DATA = datasets.gaussians_on_ring(10240, DEVIATION, modes=MODES, radius=RADIUS).train

PENALTY = cr.input("penalty", default=1.0)  # a run may say another

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Covered:
    """How many modes, and the share of the points that are good."""

    modes: int
    good: float


@dataclass(frozen=True)
class Results:
    """By seed, without a penalty, with one, and of the Wasserstein loss."""

    plain: list[Covered]
    penalised: list[Covered]
    wasserstein: list[Covered]


def covered(points: Points) -> Covered:
    """What of the ring the points cover."""
    angles = 2 * np.pi * np.arange(MODES) / MODES
    centres = RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    distances = np.linalg.norm(points[:, None] - centres, axis=2)
    good = distances.min(axis=1) < 3 * DEVIATION
    counts = np.bincount(distances.argmin(axis=1)[good], minlength=MODES)
    return Covered(int((counts >= len(points) / 50).sum()), float(good.mean()))


@dataclass(frozen=True)
class Game:
    """Both networks, and what they make of real points and of noise."""

    real: cr.Node
    fake: cr.Node
    generator: nn.Module
    critic: nn.Module

    def steps(self, d_loss: cr.Node, g_loss: cr.Node) -> tuple[optim.Step, optim.Step]:
        """The step of either, each of its own weights; both rates fall to 0."""
        updates = EPOCHS * len(DATA) // BATCH
        adam = optim.Adam(schedules.cosine(0.005, updates), betas=(0.5, 0.999))
        d = adam.minimize(d_loss, self.critic.parameters())
        return d, adam.minimize(g_loss, self.generator.parameters())

    def adversarial(self) -> tuple[optim.Step, optim.Step]:
        """A discriminator with logits, punished for its slope at real points."""
        real, held = self.critic(self.real), self.critic(cr.stop_gradient(self.fake))
        penalty = regularize.gradient_penalty(real, self.real, PENALTY, target=0.0)
        d_loss = losses.gan.discriminator(real, held) + penalty
        return self.steps(d_loss, losses.gan.generator(self.critic(self.fake)))

    def wasserstein(self) -> tuple[optim.Step, optim.Step]:
        """A critic with scores, whose slope between real and made points is held near 1."""
        held = cr.stop_gradient(self.fake)
        share = cr.uniform(("batch", 1))
        mixed = share * self.real + (1 - share) * held
        gain = cr.mean(self.critic(self.real)) - cr.mean(self.critic(held))
        d_loss = regularize.gradient_penalty(self.critic(mixed), mixed, PENALTY) - gain
        d, g = self.steps(d_loss, -cr.mean(self.critic(self.fake)))
        return d, g.every(5)  # the critic has five steps for one of the generator


def new_game() -> Game:
    generator = nn.MLP(NOISE, HIDDEN, HIDDEN, 2, name="generator")
    critic = nn.MLP(2, HIDDEN, HIDDEN, 1, name="critic")
    fake = generator(cr.normal(("batch", NOISE)))
    return Game(cr.input("real", ("batch", 2)), fake, generator, critic)


def points_of(game: Game, steps: tuple[optim.Step, optim.Step]) -> Callable[[int, float], Points]:
    """What the generator makes after training, from a seed; the game is compiled once."""
    d, g = steps
    program = cr.compile(cr.training([d, g], epochs=EPOCHS, batch_size=BATCH), threads=1)
    sample = cr.compile(game.fake, batch=SAMPLES)

    def play(seed: int, penalty: float) -> Points:
        start = program.initial_state(seed)
        state = program.run({game.real: DATA.x}, state=start, penalty=penalty).state
        return np.asarray(sample.bind(state)(), np.float64)

    return play


def main(folder: Path, seeds: int = 1) -> Results:
    """Play all three games from some seeds; the points of the first go to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    adversarial = points_of(game := new_game(), game.adversarial())
    wasserstein = points_of(game := new_game(), game.wasserstein())
    made = {
        "without a penalty": [adversarial(seed, 0.0) for seed in range(seeds)],
        "with a penalty": [adversarial(seed, 0.25) for seed in range(seeds)],
        "Wasserstein": [wasserstein(seed, 1.0) for seed in range(seeds)],
    }
    found = {name: [covered(points) for points in each] for name, each in made.items()}
    print("modes covered of 8, and good points, by seed")
    for name, each in found.items():
        print(f"{name:18}", "  ".join(f"{one.modes} {one.good:4.0%}" for one in each))
    shown = {name: each[0] for name, each in made.items()}
    cr.plots.points(shown, behind=DATA.x[:1000]).save(folder / "points.svg")
    return Results(*found.values())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/gaussians"))
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    main(arguments.out, arguments.seeds)
