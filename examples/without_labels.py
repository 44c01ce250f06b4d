"""Digits without labels: groups by k-means as a loss, and features by telling views apart.

The centres of k-means are parameters, moved by the same steps as any network; Lloyd's algorithm is
the peer. Then a network learns to recognise each image among others after it was moved, dimmed and
disturbed. Two labelled images of each digit are enough to see what that has taught it.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainrule import augment, datasets, losses, nn, optim, schedules

DIGITS = datasets.digits()
PIXELS, CLUSTERS = 64, 10
LABELLED = 2  # images of each digit
DRAWS = 10
FEATURES = 192

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Results:
    """What k-means reaches beside Lloyd's algorithm, and what few labels do with features.

    Attributes:
        descended: the mean squared distance to the nearest centre; `lloyd` that of the peer.
        purity: the share of images whose digit is the most frequent one of their cluster.
        pixels: the accuracy of the nearest labelled image, by pixels; `features` by features.
        moved_pixels: the same for test images that are moved by a pixel; and `moved_features`.
    """

    descended: float
    lloyd: float
    purity: float
    pixels: float
    features: float
    moved_pixels: float
    moved_features: float


def assigned(centres: Rows) -> tuple[NDArray[np.intp], float]:
    """The nearest centre of each image, and the mean squared distance."""
    squares = ((DIGITS.train.x[:, None] - centres) ** 2).sum(axis=2)
    return squares.argmin(axis=1), float(squares.min(axis=1).mean())


def lloyd(centres: Rows) -> float:
    """The distance when each centre is the mean of its images, and they do not change."""
    for _ in range(100):
        near, distance = assigned(centres)
        centres = np.stack([DIGITS.train.x[near == k].mean(axis=0) for k in range(CLUSTERS)])
    return distance


def cluster(folder: Path) -> tuple[float, float, float]:
    """The distance by gradient steps and by Lloyd's algorithm, and the purity of the clusters."""
    random = np.random.default_rng(0)
    start = DIGITS.train.x[random.choice(len(DIGITS.train), CLUSTERS, replace=False)]
    x = cr.input("x", ("batch", PIXELS))
    centres = cr.parameter("centres", (CLUSTERS, PIXELS), start)
    steps = 60 * -(-len(DIGITS.train) // 64)
    step = optim.Adam(schedules.cosine(0.02, steps)).minimize(losses.k_means(x, centres))
    program = cr.compile(cr.training(step, epochs=60, batch_size=64))
    found = np.asarray(program.run({x: DIGITS.train.x}).state[centres], np.float32)
    near, distance = assigned(found)
    frequent = [np.bincount(DIGITS.train.y[near == k], minlength=10).max() for k in range(CLUSTERS)]
    cr.plots.image_rows({"centres": found}).save(folder / "centres.svg")
    return distance, lloyd(start), float(sum(frequent) / len(near))


def encoder() -> Callable[[Rows], Rows]:
    """Features of images, learned from pairs of views."""
    x = cr.input("x", ("batch", PIXELS))
    images = cr.reshape(x, ("batch", 1, 8, 8))
    features = nn.MLP(PIXELS, FEATURES, FEATURES, FEATURES, name="encoder")
    head = nn.Sequential(nn.ReLU(), nn.Linear(FEATURES, 64), name="head")

    def view() -> cr.Node:
        changed = augment.brightness(augment.shift(images, 1), 0.3)
        return head(features(cr.reshape(augment.noise(changed, 0.1), ("batch", PIXELS))))

    loss = losses.nt_xent(view(), view(), temperature=0.5)
    steps = 120 * -(-len(DIGITS.train) // 128)
    step = optim.Adam(schedules.cosine(0.003, steps)).minimize(loss)
    program = cr.compile(cr.training(step, epochs=120, batch_size=128), threads=1)
    bound = cr.compile(features(x)).bind(program.run({x: DIGITS.train.x}).state)
    return lambda rows: np.asarray(bound(x=rows), np.float32)


def accuracy(features: Callable[[Rows], Rows], images: Rows) -> float:
    """How often the labelled image of the most similar features shows the same digit."""
    known, asked = (normalised(features(rows)) for rows in (DIGITS.train.x, images))
    found = []
    for seed in range(DRAWS):
        random = np.random.default_rng(seed)
        digits = [np.flatnonzero(DIGITS.train.y == digit) for digit in range(10)]
        chosen = np.concatenate([random.choice(rows, LABELLED, replace=False) for rows in digits])
        said = DIGITS.train.y[chosen][(asked @ known[chosen].T).argmax(axis=1)]
        found.append((said == DIGITS.test.y).mean())
    return float(np.mean(found))


def normalised(rows: Rows) -> Rows:
    lengths: Rows = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / lengths


def moved(images: Rows) -> Rows:
    """Each image by up to a pixel, in both directions; the edges are empty, so nothing is lost."""
    random = np.random.default_rng(1)
    rolled = [
        np.roll(image.reshape(8, 8), random.integers(-1, 2, 2), axis=(0, 1)) for image in images
    ]
    return np.stack(rolled).reshape(-1, PIXELS)


def main(folder: Path) -> Results:
    """Group, tell apart and report; the centres go to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    distance, peer, purity = cluster(folder)
    features, test = encoder(), DIGITS.test.x
    found = [
        accuracy(by, images) for images in (test, moved(test)) for by in (np.asarray, features)
    ]
    print(f"squared distance to the nearest of {CLUSTERS} centres: {distance:.3f}")
    print(f"by Lloyd's algorithm: {peer:.3f}; purity {purity:.0%}")
    print(f"the nearest of {LABELLED} labelled images a digit, by pixels: {found[0]:.0%}")
    print(f"by features: {found[1]:.0%}; of moved images {found[2]:.0%} and {found[3]:.0%}")
    return Results(distance, peer, purity, *found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/without_labels"))
    main(parser.parse_args().out)
