"""More than one answer to an image: two tasks on one trunk, several labels, and a row of labels.

Digits and their ink are read by one trunk with two heads, whose losses are weighed by hand and by
themselves. Two digits printed over each other are both named. And digits in noise, most of which
count upwards, are read alone and as a chain.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainrule import datasets, losses, metrics, nn, optim

DIGITS = datasets.digits()
Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Results:
    """What was reached on held-out images.

    Attributes:
        summed: accuracy, and the error of the ink, where the losses are added as they are.
        weighed: the same, with weights that are learned.
        f1: of the names of two digits, each of ten a label of its own.
        both: the share of images of which exactly the right digits are named.
        alone: the share of digits in noise that are read right, one by one.
        chained: the same as a chain.
    """

    summed: tuple[float, float]
    weighed: tuple[float, float]
    f1: float
    both: float
    alone: float
    chained: float


def trained(
    loss: cr.Node, named: Mapping[str, cr.Node], train: Arrays, test: Arrays, epochs: int
) -> dict[str, float]:
    """Metrics on held-out rows."""
    training = cr.training(
        optim.Adam(lr=0.005).minimize(loss), epochs=epochs, batch_size=32, metrics=named
    )
    program = cr.compile(training)
    return program.evaluate(test, program.run(train).state)


def two_heads(*, learn_weights: bool) -> tuple[float, float]:
    """Which digit it is, and how much more ink than others it has, in percent of the image."""
    x, y = cr.input("x", ("batch", 64)), cr.input("y", ("batch",), dtype="int32")
    ink = cr.input("ink", ("batch", 1))
    seen = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), name="trunk")(x)
    logits, guess = nn.Linear(32, 10, name="digit")(seen), nn.Linear(32, 1, name="ink")(seen)
    parts = [losses.cross_entropy(logits, y), losses.squared_error(guess, ink)]
    if learn_weights:
        logs = [cr.parameter(f"log_variance{i}", (), 0.0) for i in range(2)]
        parts = [part * cr.exp(-s) + s for part, s in zip(parts, logs, strict=True)]
    named = {"accuracy": metrics.accuracy(logits, y), "error": metrics.rmse(guess, ink)}
    usual = DIGITS.train.x.mean()
    train, test = ({"x": rows.x, "y": rows.y,
                    "ink": 100 * (rows.x.mean(axis=1, keepdims=True) - usual)}
                   for rows in (DIGITS.train, DIGITS.test))  # fmt: skip
    found = trained(parts[0] + parts[1], named, train, test, epochs=12)
    return found["accuracy"], found["error"]


def overlaid(rows: datasets.Split, count: int, random: np.random.Generator) -> Arrays:
    """Two digits printed over each other, and a 1 for each of the ten that is there."""
    first, second = random.integers(0, len(rows.x), (2, count))
    there = np.zeros((count, 10), np.float32)
    for chosen in (first, second):
        there[np.arange(count), rows.y[chosen]] = 1
    return {"x": np.maximum(rows.x[first], rows.x[second]), "there": there}


def several_labels(random: np.random.Generator) -> tuple[float, float]:
    """All digits in an image: ten questions with yes or no, not one with ten answers."""
    x, there = cr.input("x", ("batch", 64)), cr.input("there", ("batch", 10))
    logits = nn.MLP(64, 96, 10)(x)
    right = cr.equal(cr.astype(logits > 0.0, "float32"), there)
    named = {
        "f1": metrics.binary_f1(logits, there),
        "both": cr.mean(cr.min(cr.astype(right, "float32"), axis=1)),
    }
    train, test = (overlaid(DIGITS.train, 6000, random), overlaid(DIGITS.test, 1000, random))
    loss = losses.binary_cross_entropy(logits, there)
    found = trained(loss, named, train, test, epochs=15)
    return found["f1"], found["both"]


def counting(rows: datasets.Split, count: int, random: np.random.Generator) -> Arrays:
    """Eight digits in noise: nine times in ten the next one is greater by 1, after 9 comes 0."""
    y = np.empty((count, 8), np.int32)
    y[:, 0] = random.integers(0, 10, count)
    for step in range(1, 8):
        jumps = random.random(count) < 0.1
        y[:, step] = np.where(jumps, random.integers(0, 10, count), (y[:, step - 1] + 1) % 10)
    places = [np.flatnonzero(rows.y == digit) for digit in range(10)]
    chosen = np.vectorize(lambda digit: random.choice(places[digit]))(y)
    noise = 0.5 * random.standard_normal((count, 8, 64))
    return {"x": (rows.x[chosen] + noise).astype(np.float32), "y": y}


def chain(random: np.random.Generator, *, chained: bool) -> float:
    """The share of digits that are read right."""
    x, y = cr.input("x", ("batch", 8, 64)), cr.input("y", ("batch", 8), dtype="int32")
    logits = nn.MLP(64, 32, 10)(x)
    transitions = cr.parameter("transitions", (10, 10), 0.0)
    loss, read = losses.cross_entropy(logits, y), cr.argmax(logits, axis=-1)
    if chained:
        loss, read = losses.crf(logits, y, transitions), cr.viterbi(logits, transitions)
    right = cr.mean(cr.astype(cr.equal(read, cr.astype(y, "int64")), "float32"))
    train, test = counting(DIGITS.train, 400, random), counting(DIGITS.test, 200, random)
    return trained(loss, {"right": right}, train, test, epochs=15)["right"]


def main(folder: Path) -> Results:
    """Train for each task and report; nothing is drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    results = Results(
        two_heads(learn_weights=False),
        two_heads(learn_weights=True),
        *several_labels(np.random.default_rng(0)),
        *(chain(np.random.default_rng(0), chained=way) for way in (False, True)),
    )
    for name, (accuracy, error) in (("added", results.summed), ("weighed", results.weighed)):
        print(f"two losses {name}: {accuracy:.1%} right, the ink is off by {error:.1f} %")
    print(f"two digits in one image: F1 {results.f1:.2f}, {results.both:.0%} with both right")
    print(f"digits in noise, alone:    {results.alone:.0%} right")
    print(f"digits in noise, in a row: {results.chained:.0%} right")
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/several_tasks"))
    main(parser.parse_args().out)
