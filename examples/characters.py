"""Text in the manner of Shakespeare: a network of characters is trained, and writes.

How well it does is told in bits a character, next to two guesses that learn less: every character
by how often it comes, and by how often it comes behind the one before. The text goes through the
network in streams: each batch goes on where the one before has ended.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule import losses, metrics, nn, optim, text

LENGTH, ROWS, HIDDEN = 32, 16, 64


@dataclass(frozen=True)
class Results:
    """Bits a character on the last tenth of the text, and what was written."""

    alone: float
    pairs: float
    network: float
    written: str


def bits_of_pairs(train: text.Characters, test: text.Characters) -> tuple[float, float]:
    """By how often a character comes, and by how often it does behind another."""
    counts = np.full((train.size, train.size), 0.1)
    np.add.at(counts, (train.tokens[:-1], train.tokens[1:]), 1)
    before, after = test.tokens[:-1], test.tokens[1:]
    alone = counts.sum(axis=0) / counts.sum()
    pairs = counts / counts.sum(axis=1, keepdims=True)
    return float(-np.log2(alone[after]).mean()), float(-np.log2(pairs[before, after]).mean())


def main(folder: Path) -> Results:
    """Train, compare and write; the picture of the network goes to `folder`."""
    corpus = text.Characters()
    train, test = corpus.split(0.9)
    x, y = (cr.input(name, ("batch", LENGTH), dtype="int32") for name in ("x", "y"))
    model = nn.Sequential(
        nn.Embedding(corpus.size, 32),
        nn.LSTM(32, HIDDEN, carry_state=ROWS),
        nn.Linear(HIDDEN, corpus.size),
    )
    logits = model(x)
    step = optim.Adam(lr=0.01, clip=optim.clip.by_global_norm(5.0)).minimize(
        losses.cross_entropy(logits, y)
    )
    bits = {"bits": metrics.bits_per_character(logits, y)}
    training = cr.training(step, epochs=3, batch_size=ROWS, shuffle=False, metrics=bits)
    program = cr.compile(training)
    result = program.run(train.streams(ROWS, LENGTH))
    network = program.evaluate(test.windows(LENGTH), result.state)["bits"]

    writer = cr.compile(text.sampler(model, length=120, temperature=0.7)).bind(result.state)
    written = corpus.decode(writer(prompt=corpus.encode("MENENIUS:\n"), seed=1))
    alone, pairs = bits_of_pairs(train, test)
    print("bits a character on the last tenth")
    print(f"each by itself:     {alone:.2f}\nbehind another one: {pairs:.2f}")
    print(f"the network:        {network:.2f}\n\nMENENIUS:\n{written}")
    folder.mkdir(parents=True, exist_ok=True)
    cr.draw(logits).save(folder / "network.svg")
    return Results(alone, pairs, network, written)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/characters"))
    main(parser.parse_args().out)
