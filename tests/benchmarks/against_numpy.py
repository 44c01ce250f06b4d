"""The generated NumPy step against the same step written by hand, as paired ratios in one run.

    python tests/benchmarks/against_numpy.py digits
    python tests/benchmarks/against_numpy.py mnist
    python tests/benchmarks/against_numpy.py mnist --images t10k-images-idx3-ubyte.gz

Both do one step of gradient descent on softmax cross-entropy from the same weights and the same
batches: generated, by hand, generated, by hand, …. Quoted is the median of the ratios of
neighbours; the losses of the two are compared first. Pin the process to one core for one thread
(`taskset -c 1`, with OPENBLAS_NUM_THREADS=1). Without a data file the inputs are normal numbers:
the work does not depend on them.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import chainrule as cr
from chainc.driver import TARGETS, compile_function
from chainc.passes import PIPELINE
from chainrule import losses, nn, optim

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]
Weights = list[tuple[Floats, Floats]]
Step = Callable[[Floats, Labels], float]

BATCHES = 64
RATE = np.float32(0.01)


@dataclass(frozen=True)
class Workload:
    """A multilayer perceptron with ReLU, and the steps that make one timed block."""

    sizes: tuple[int, ...]
    batch: int
    steps: int


WORKLOADS = {
    "digits": Workload((64, 32, 10), 32, 1000),
    "mnist": Workload((784, 256, 128, 10), 64, 100),
}


@dataclass(frozen=True)
class Outcome:
    """Ratios generated / by hand, and the median times of a step in microseconds."""

    ratios: tuple[float, ...]
    generated: float
    by_hand: float

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)


def weights_of(workload: Workload) -> Weights:
    random = np.random.default_rng(0)
    pairs = zip(workload.sizes[:-1], workload.sizes[1:], strict=True)
    return [
        ((random.standard_normal((i, o)) * np.sqrt(2 / i)).astype(np.float32),
         np.zeros(o, np.float32))
        for i, o in pairs
    ]  # fmt: skip


def data_of(workload: Workload, images: Path | None) -> tuple[Floats, Labels]:
    random = np.random.default_rng(1)
    rows = BATCHES * workload.batch
    labels = random.integers(0, workload.sizes[-1], rows).astype(np.int32)
    if images is None:
        return random.standard_normal((rows, workload.sizes[0])).astype(np.float32), labels
    with gzip.open(images, "rb") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16)
    count = pixels.size // workload.sizes[0]
    flat = pixels[: count * workload.sizes[0]].reshape(count, workload.sizes[0])
    return (np.resize(flat, (rows, workload.sizes[0])) / np.float32(255)).astype(np.float32), labels


def generated_step(workload: Workload, weights: Weights) -> Step:
    """The compiler's function, bound to copies of the weights."""
    x = cr.input("x", ("batch", workload.sizes[0]))
    y = cr.input("y", ("batch",), dtype="int32")
    layers: list[nn.Module] = []
    for i, o in zip(workload.sizes[:-1], workload.sizes[1:], strict=True):
        layers += [nn.Linear(i, o), nn.ReLU()]
    model = nn.Sequential(*layers[:-1], name="model")
    step = optim.SGD(lr=float(RATE)).minimize(losses.cross_entropy(model(x), y))
    state: dict[str, npt.NDArray[np.generic]] = {"step": np.zeros((), np.int64)}
    for index, (w, b) in enumerate(weights, start=1):
        state[f"model/linear{index}/weight"] = w.copy()
        state[f"model/linear{index}/bias"] = b.copy()
    compiled = compile_function(step.graph, PIPELINE, TARGETS["numpy"])
    run = compiled.executable.bind(state, workload.batch)
    order = [buffer.key for buffer in compiled.program.inputs]
    rate = np.asarray(RATE)

    def call(rows: Floats, labels: Labels) -> float:
        values = {"x": rows, "y": labels, "lr": rate}
        return float(run(*[values[name] for name in order])[0])

    return call


def step_by_hand(weights: Weights) -> Step:
    """The same step as one would write it."""
    parameters = [(w.copy(), b.copy()) for w, b in weights]

    def call(rows: Floats, labels: Labels) -> float:
        hidden = [rows]
        for index, (w, b) in enumerate(parameters):
            z = hidden[-1] @ w + b
            hidden.append(np.maximum(z, 0) if index < len(parameters) - 1 else z)
        z = hidden[-1]
        e = np.exp(z - z.max(1, keepdims=True))
        g = e / e.sum(1, keepdims=True)
        positions = np.arange(len(rows))
        loss = -np.log(g[positions, labels]).mean()
        g[positions, labels] -= 1
        g /= len(rows)
        for index in range(len(parameters) - 1, -1, -1):
            w, b = parameters[index]
            dw, db = hidden[index].T @ g, g.sum(0)
            if index:
                g = g @ w.T
                g *= hidden[index] > 0
            w -= RATE * dw
            b -= RATE * db
        return float(loss)

    return call


def batches(x: Floats, y: Labels, size: int, steps: int) -> Iterator[tuple[Floats, Labels]]:
    for step in range(steps):
        start = step % BATCHES * size
        yield x[start : start + size], y[start : start + size]


def seconds(step: Step, x: Floats, y: Labels, workload: Workload) -> float:
    start = time.perf_counter()
    for rows, labels in batches(x, y, workload.batch, workload.steps):
        step(rows, labels)
    return (time.perf_counter() - start) / workload.steps


def measure(workload: Workload, pairs: int, images: Path | None = None) -> Outcome:
    """Compare the losses of the first steps, then time the two in turn."""
    weights = weights_of(workload)
    x, y = data_of(workload, images)
    ours, theirs = generated_step(workload, weights), step_by_hand(weights)
    for rows, labels in batches(x, y, workload.batch, min(workload.steps, 20)):
        np.testing.assert_allclose(ours(rows, labels), theirs(rows, labels), rtol=1e-3)
    times = [(seconds(ours, x, y, workload), seconds(theirs, x, y, workload)) for _ in range(pairs)]
    return Outcome(
        tuple(a / b for a, b in times),
        statistics.median(a for a, _ in times) * 1e6,
        statistics.median(b for _, b in times) * 1e6,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--pairs", type=int, default=31)
    parser.add_argument("--images", type=Path, help="an IDX file of images, gzipped")
    options = parser.parse_args()
    outcome = measure(WORKLOADS[options.workload], options.pairs, options.images)
    quartiles = statistics.quantiles(outcome.ratios, n=4)
    print(json.dumps({
        "workload": options.workload,
        "pairs": options.pairs,
        "ratio": round(outcome.ratio, 3),
        "quartiles": [round(quartiles[0], 3), round(quartiles[2], 3)],
        "generated_us": round(outcome.generated, 1),
        "by_hand_us": round(outcome.by_hand, 1),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
