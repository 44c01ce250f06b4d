"""How well, and how fast, a network learns to write a text: an LSTM of 256, or a small Transformer.

    python -m tests.benchmarks.shakespeare FILE --network lstm --threads 2
    python -m tests.benchmarks.shakespeare FILE --network gpt

The last tenth of the text is held out; its loss is given in nats a character. The Transformer does
2,000 steps of 12 pieces of 64 characters, as the published setting for a processor does.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import chainrule as cr
from chainrule import losses, nn, optim, schedules, text

CONTEXT = 64
STEPS, ROWS = 2_000, 12  # of the Transformer
WARM_UP = 100  # of these steps


def declared(network: str, corpus: text.Characters, epochs: int) -> tuple[cr.Training, int]:
    """The training, and how far pieces of the text are apart."""
    x, y = (cr.input(key, ("batch", CONTEXT), dtype="int32") for key in "xy")
    if network == "gpt":
        model: nn.Module = nn.Transformer(
            vocabulary=corpus.size, width=128, heads=4, layers=4, context=CONTEXT, causal=True
        )
        stride = (len(corpus) - CONTEXT) // (STEPS * ROWS)
        clip = optim.clip.by_global_norm(1.0)
        rate = schedules.warmup(WARM_UP, schedules.cosine(1e-3, steps=STEPS))
        optimizer: optim.Optimizer = optim.AdamW(
            rate, betas=(0.9, 0.99), weight_decay=0.1, clip=clip
        )
        step = optimizer.minimize(losses.cross_entropy(model(x), y))
        return cr.training(step, epochs=1, batch_size=ROWS), stride
    model = nn.Sequential(
        nn.Embedding(corpus.size, 64), nn.LSTM(64, 256), nn.Linear(256, corpus.size)
    )
    stride, rows = CONTEXT // 2, 32
    steps = epochs * -(-(len(corpus) - CONTEXT) // (stride * rows))
    clip = optim.clip.by_global_norm(5.0)
    optimizer = optim.Adam(schedules.cosine(0.004, steps=steps), clip=clip)
    step = optimizer.minimize(losses.cross_entropy(model(x), y))
    return cr.training(step, epochs=epochs, batch_size=rows), stride


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    given = os.environ.get("CHAINRULE_TEXT")
    parser.add_argument("file", type=Path, default=given, nargs=None if given is None else "?")
    parser.add_argument("--network", choices=("lstm", "gpt"), default="lstm")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=8, help="of the LSTM")
    options = parser.parse_args()
    learned, held_out = text.Characters(options.file).split(0.9)
    training, stride = declared(options.network, learned, options.epochs)
    program = cr.compile(training, threads=options.threads)
    start = time.perf_counter()
    result = program.run(learned.windows(CONTEXT, stride), progress=False)
    seconds = time.perf_counter() - start
    loss = program.evaluate(held_out.windows(CONTEXT), result.state)["loss"]
    print(f"{options.network}: {loss:.3f} nats a character held out, {seconds:.0f} s of training")


if __name__ == "__main__":
    main()
