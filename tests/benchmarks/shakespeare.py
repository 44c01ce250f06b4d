"""How well, and how fast, a network learns to write a text: an LSTM of 256, or a small Transformer.

    python -m tests.benchmarks.shakespeare FILE --network lstm --threads 2
    python -m tests.benchmarks.shakespeare FILE --network gpt

The last tenth of the text is held out; its loss is given in nats a character. The LSTM goes on from
batch to batch, and reads what is held out in pieces of 512 characters. The Transformer does 2,000
steps of 12 pieces of 64 characters, as the published setting for a processor does. The seconds are
those of training, without compiling.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule import losses, nn, optim, schedules, text
from chainrule.text.windows import Pieces

CONTEXT = 64
STREAMS, HELD_OUT = 32, 512  # rows of the LSTM, and characters that it reads at once in the end
STEPS, ROWS = 2_000, 12  # of the Transformer
WARM_UP = 100  # of these steps


@dataclass(frozen=True)
class Writer:
    """A model, how it is trained on some data, and pieces of what length it reads in the end."""

    model: nn.Module
    training: cr.Training
    data: Pieces
    length: int

    @classmethod
    def lstm(cls, learned: text.Characters, epochs: int) -> Writer:
        model = nn.Sequential(
            nn.Embedding(learned.size, 64),
            nn.LSTM(64, 256, carry_state=STREAMS),
            nn.Linear(256, learned.size),
        )
        data = learned.streams(STREAMS, CONTEXT)
        rate = schedules.cosine(0.004, steps=epochs * (len(data["x"]) // STREAMS))
        optimizer = optim.Adam(rate, clip=optim.clip.by_global_norm(5.0))
        step = optimizer.minimize(loss_of(model, CONTEXT))
        training = cr.training(step, epochs=epochs, batch_size=STREAMS, shuffle=False)
        return cls(model, training, data, HELD_OUT)

    @classmethod
    def gpt(cls, learned: text.Characters) -> Writer:
        model = nn.Transformer(
            vocabulary=learned.size, width=128, heads=4, layers=4, context=CONTEXT, causal=True
        )
        rate = schedules.warmup(WARM_UP, schedules.cosine(1e-3, steps=STEPS))
        clip = optim.clip.by_global_norm(1.0)
        optimizer = optim.AdamW(rate, betas=(0.9, 0.99), weight_decay=0.1, clip=clip)
        step = optimizer.minimize(loss_of(model, CONTEXT))
        data = learned.windows(CONTEXT, (len(learned) - CONTEXT) // (STEPS * ROWS))
        return cls(model, cr.training(step, epochs=1, batch_size=ROWS), data, CONTEXT)

    def nats(self, held_out: text.Characters, state: cr.State) -> float:
        """A character of what was not learned, on the average."""
        data = held_out.windows(self.length)
        run = cr.compile(loss_of(self.model, self.length)).bind(state)
        pairs = zip(data["x"], data["y"], strict=True)
        return float(np.mean([run(x=x[None], y=y[None]) for x, y in pairs]))


def loss_of(model: nn.Module, length: int) -> cr.Node:
    x, y = (cr.input(key, ("batch", length), dtype="int32") for key in "xy")
    return losses.cross_entropy(model(x), y)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    given = os.environ.get("CHAINRULE_TEXT")
    parser.add_argument("file", type=Path, default=given, nargs=None if given is None else "?")
    parser.add_argument("--network", choices=("lstm", "gpt"), default="lstm")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=3, help="of the LSTM")
    options = parser.parse_args()
    learned, held_out = text.Characters(options.file).split(0.9)
    lstm = options.network == "lstm"
    writer = Writer.lstm(learned, options.epochs) if lstm else Writer.gpt(learned)
    program = cr.compile(writer.training, threads=options.threads)
    start = time.perf_counter()
    result = program.run(writer.data, progress=False)
    seconds = time.perf_counter() - start
    nats = writer.nats(held_out, result.state)
    print(f"{options.network}: {nats:.3f} nats a character held out, {seconds:.0f} s of training")


if __name__ == "__main__":
    main()
