"""Four tasks of sequences for one recurrent layer: forecast, classify, tag, and add as text.

A sine wave in noise is forecast; a sequence is told to rise or to fall; each word of a sentence of
a small grammar gets its part of speech, where "light" may be two; and sums such as 17+25= are
continued as text, of pairs of numbers that were never seen.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainrule import losses, metrics, nn, optim, text

Arrays = Mapping[str, NDArray[np.generic]]
HIDDEN = 24


@dataclass(frozen=True)
class Results:
    """What was reached on held-out rows."""

    sine: float
    rising: float
    tags: float
    sums: float


def trained(
    loss: cr.Node, metric: cr.Node, data: Arrays, epochs: int, lr: float = 0.01
) -> tuple[float, cr.State]:
    """The metric on the last fifth of the rows, and the state, after so many epochs on the rest."""
    border = len(data["x"]) * 4 // 5
    train, test = ({name: rows[part] for name, rows in data.items()}
                   for part in (slice(border), slice(border, None)))  # fmt: skip
    step = optim.Adam(lr=lr, clip=optim.clip.by_global_norm(1.0)).minimize(loss)
    training = cr.training(step, epochs=epochs, batch_size=32, metrics={"metric": metric})
    program = cr.compile(training)
    state = program.run(train).state
    return program.evaluate(test, state)["metric"], state


def forecast(random: np.random.Generator) -> float:
    """The next number of a wave of any phase, from 20 noisy ones: the error less the noise."""
    t = np.arange(21) + random.uniform(0, 20, (320, 1))
    waves = (np.sin(0.6 * t) + 0.1 * random.normal(size=t.shape)).astype(np.float32)
    x, y = cr.input("x", ("batch", 20, 1)), cr.input("y", ("batch", 1))
    guess = nn.Linear(HIDDEN, 1)(nn.GRU(1, HIDDEN)(x)[:, -1])
    error = metrics.rmse(guess, y)
    data = {"x": waves[:, :-1, None], "y": waves[:, -1:]}
    return trained(losses.squared_error(guess, y), error, data, epochs=10)[0]


def classify(random: np.random.Generator) -> float:
    """Does a random walk drift up or down? Read at the step where each row ends."""
    y = random.integers(0, 2, 320)
    steps = random.normal(size=(320, 12)) + 0.8 * (2 * y[:, None] - 1)
    lengths = random.integers(6, 13, 320)
    x, labels = cr.input("x", ("batch", 12, 1)), cr.input("y", ("batch",), dtype="int32")
    count = cr.input("lengths", ("batch",), dtype="int32")
    _, last = nn.GRU(1, HIDDEN).run(x, count)
    logits = nn.Linear(HIDDEN, 2)(last[0][0])
    data: Arrays = {"x": steps[:, :, None].astype(np.float32), "y": y, "lengths": lengths}
    loss = losses.cross_entropy(logits, labels)
    return trained(loss, metrics.accuracy(logits, labels), data, epochs=6)[0]


WORDS = {"det": ["the", "a"], "adj": ["old", "light", "red"], "noun": ["lamp", "light", "cat"],
         "verb": ["sees", "takes"]}  # fmt: skip
PHRASES = (["det", "noun"], ["det", "adj", "noun"])


def sentence(random: np.random.Generator) -> list[tuple[str, str]]:
    """Words and their parts of speech: a phrase, a verb, and another phrase."""
    first, second = (PHRASES[random.integers(2)] for _ in range(2))
    return [(str(random.choice(WORDS[tag])), tag) for tag in (*first, "verb", *second)]


def tag(random: np.random.Generator) -> float:
    """The share of words of new sentences that get their tag, read in both directions."""
    words = sorted({word for listed in WORDS.values() for word in listed})
    tags, longest = list(WORDS), 7
    rows = [sentence(random) for _ in range(320)]
    x, y = np.zeros((320, longest), np.int32), np.full((320, longest), -1, np.int32)
    for row, pairs in enumerate(rows):
        x[row, : len(pairs)] = [words.index(word) for word, _ in pairs]
        y[row, : len(pairs)] = [tags.index(name) for _, name in pairs]
    given, labels = (cr.input(name, ("batch", longest), dtype="int32") for name in ("x", "y"))
    layers = [nn.Embedding(len(words), 8), nn.GRU(8, HIDDEN // 2, bidirectional=True)]
    logits = nn.Sequential(*layers, nn.Linear(HIDDEN, len(tags)), name="tagger")(given)
    wrong = cr.not_equal(cr.argmax(logits, axis=-1), cr.astype(labels, "int64"))
    counts = cr.astype(labels >= 0, "float32")
    hits = 1 - cr.sum(cr.astype(wrong, "float32") * counts) / cr.sum(counts)
    loss = losses.cross_entropy(logits, labels, ignore_index=-1)
    return trained(loss, hits, {"x": x, "y": y}, epochs=6)[0]


def add(random: np.random.Generator, most: int = 30) -> float:
    """The share of sums that are right, written digit by digit, the last digit first."""
    pairs = [(a, b) for a in range(most) for b in range(most)]
    random.shuffle(pairs)
    lines = [f"{a:02d}+{b:02d}={f'{a + b:02d}'[::-1]}" for a, b in pairs]
    corpus = text.Characters.of("0123456789+=")
    tokens = np.stack([corpus.encode(line) for line in lines])
    x, y = tokens[:, :-1], tokens[:, 1:].copy()
    y[:, :5] = -1  # what is asked is not learned
    given, labels = (cr.input(name, ("batch", 7), dtype="int32") for name in ("x", "y"))
    model = nn.Sequential(nn.Embedding(corpus.size, 16), nn.GRU(16, 48), nn.Linear(48, corpus.size))
    logits = model(given)
    right = cr.equal(cr.argmax(logits, axis=-1), cr.astype(labels, "int64"))[:, 5:]
    both = cr.prod(cr.astype(right, "float32"), axis=1)
    loss = losses.cross_entropy(logits, labels, ignore_index=-1)
    return trained(loss, cr.mean(both), {"x": x, "y": y}, epochs=30, lr=0.02)[0]


def main(folder: Path) -> Results:
    """Train for each task and report; nothing is drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    results = Results(forecast(random), classify(random), tag(random), add(random))
    print(f"forecast of a sine wave in noise of 0.1: error {results.sine:.2f}")
    print(f"rising or falling: {results.rising:.0%} right")
    print(f"parts of speech:   {results.tags:.0%} right")
    print(f"sums as text:      {results.sums:.0%} right")
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/sequence_tasks"))
    main(parser.parse_args().out)
