"""A text that as a whole is likely, by beam search: the best few beginnings go on, all in one loop.

Each step adds the logarithms of the next characters' probabilities to those of the beginnings, and
keeps the best of all. A beginning may be continued several times, so what the network remembers is
taken from where it was. In the end the best text is read backwards, along the beginnings that each
character was added to.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule import losses, nn, optim, text

RHYME = """betty botter bought some butter. but she said the butter is bitter.
if i put it in my batter it will make my batter bitter.
but a bit of better butter will make my batter better.
"""
PROMPT, LENGTH = "but ", 12
BEAMS = (1, 2, 8)
Carry = Sequence[cr.Node]


@dataclass(frozen=True)
class Results:
    """The text of each number of beams, and the logarithm of its probability."""

    texts: Sequence[str]
    scores: Sequence[float]
    state: cr.State


def beam_search(model: nn.Module, length: int, beams: int) -> tuple[cr.Node, cr.Node]:
    """The likeliest text that is found, (length), and the logarithm of its probability."""
    prompt = cr.input("prompt", ("time",), dtype="int32")

    def read(carry: Carry, token: cr.Node) -> tuple[Carry, None]:
        position, _, *kept = carry
        after, logits = model.step(kept, cr.broadcast_to(token, (beams,)), position)
        return (position + 1, cr.log_softmax(logits), *after), None

    def add(carry: Carry) -> tuple[Carry, Carry]:
        position, next_one, scores, *kept = carry
        totals = cr.expand_dims(scores, 1) + next_one  # (beams, characters)
        scores, places = cr.top_k(cr.reshape(totals, (-1,)), beams)
        characters = totals.shape[1]
        assert isinstance(characters, int)
        parents, tokens = places // characters, cr.astype(places % characters, "int32")
        after, logits = model.step([cr.take(k, parents) for k in kept], tokens, position)
        return (position + 1, cr.log_softmax(logits), scores, *after), (tokens, parents)

    def back(beam: cr.Node, given: Carry) -> tuple[cr.Node, cr.Node]:
        tokens, parents = given
        return cr.take(parents, beam), cr.take(tokens, beam)

    kept, zero = model.start(beams), cr.constant(0, "int32")
    _, logits = model.step(kept, cr.broadcast_to(zero, (beams,)), zero)  # for its type alone
    known, _ = cr.scan(read, (zero, logits * 0.0, *kept), prompt)
    assert isinstance(known, tuple)
    # all beams are alike at first, so one of them goes on
    first = cr.constant(np.array([0.0, *[-np.inf] * (beams - 1)], np.float32))
    last, added = cr.scan(add, (*known[:2], first, *known[2:]), length=length)
    _, best = cr.scan(back, cr.constant(0, "int64"), added, reverse=True)
    assert isinstance(last, tuple)
    assert isinstance(best, cr.Node)
    return best, last[2][0]


def main(folder: Path) -> Results:
    """Train a small network on a rhyme, and search with some numbers of beams."""
    corpus = text.Characters.of(RHYME)
    model = nn.Sequential(
        nn.Embedding(corpus.size, 8), nn.GRU(8, 24), nn.Linear(24, corpus.size), name="model"
    )
    x = cr.input("x", ("batch", 16), dtype="int32")
    y = cr.input("y", ("batch", 16), dtype="int32")
    step = optim.Adam(lr=0.02).minimize(losses.cross_entropy(model(x), y))
    program = cr.compile(cr.training(step, epochs=6, batch_size=16))
    state = program.run(corpus.windows(16, stride=1)).state

    texts: list[str] = []
    scores: list[float] = []
    for beams in BEAMS:
        search = cr.compile(list(beam_search(model, LENGTH, beams))).bind(state)
        tokens, score = search(prompt=corpus.encode(PROMPT))
        texts.append(corpus.decode(tokens))
        scores.append(float(score))
        print(f"{beams} beams: {score:7.3f}  {PROMPT}{texts[-1]!r}")
    folder.mkdir(parents=True, exist_ok=True)
    return Results(texts, scores, state)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/beam_search"))
    main(parser.parse_args().out)
