"""How well, and how fast, a network learns to read digits: 784-256-128-10, or LeNet-5.

    python -m tests.benchmarks.accuracy FOLDER --target llvm
    python -m tests.benchmarks.accuracy FOLDER --network lenet5

FOLDER holds the IDX files of MNIST. Where it has the 10,000 images of the test part alone, 8,000
are learned and the last 2,000 tested on. The seconds are those of training, without compiling.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

from tests.benchmarks.own import TARGETS, compiled

import chainrule as cr
from chainrule import augment, datasets, losses, metrics, nn, optim, schedules, zoo

EPOCHS, BATCH, RATE, MOMENTUM = 12, 64, 0.05, 0.9
NETWORKS = ("mlp", "lenet5")


def declared(
    features: int, epochs: int, seed: int, network: str = "mlp", rows: int = 8_000
) -> cr.Training:
    x = cr.input("x", ("batch", features))
    y = cr.input("y", ("batch",), dtype="int32")
    rate: float | schedules.Schedule = RATE
    if network == "lenet5":
        images = cr.reshape(x, (x.shape[0], 1, 28, 28))
        logits = zoo.lenet5()(augment.shift(images, 1))
        rate = schedules.cosine(RATE, steps=epochs * -(-rows // BATCH))
    else:
        logits = nn.Sequential(
            nn.Linear(features, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(),
            nn.Linear(128, 10), name="model",
        )(x)  # fmt: skip
    step = optim.SGD(rate, MOMENTUM).minimize(losses.cross_entropy(logits, y))
    accuracy = metrics.accuracy(logits, y)
    return cr.training(
        step, epochs=epochs, batch_size=BATCH, seed=seed, metrics={"accuracy": accuracy}
    )


def train(
    folder: Path,
    target: str,
    *,
    network: str = "mlp",
    threads: int = 1,
    epochs: int = EPOCHS,
    seed: int = 0,
) -> tuple[float, float]:
    """The accuracy on the test images, and the seconds of training."""
    digits = datasets.mnist(folder)
    rows, features = digits.train.x.shape
    training = declared(features, epochs, seed, network, rows)
    program = compiled(training, target, threads)
    start = time.perf_counter()
    result = program.run({"x": digits.train.x, "y": digits.train.y}, progress=False)
    seconds = time.perf_counter() - start
    test = {"x": digits.test.x, "y": digits.test.y}
    return program.evaluate(test, result.state)["accuracy"], seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    given = os.environ.get("CHAINRULE_MNIST")
    parser.add_argument("folder", type=Path, default=given, nargs=None if given is None else "?")
    parser.add_argument("--network", choices=NETWORKS, default="mlp")
    parser.add_argument("--target", choices=TARGETS, default="llvm")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    accuracy, seconds = train(
        options.folder, options.target, network=options.network,
        threads=options.threads, epochs=options.epochs, seed=options.seed,
    )  # fmt: skip
    print(json.dumps({"accuracy": round(accuracy, 4), "seconds": round(seconds, 3)}))


if __name__ == "__main__":
    main()
