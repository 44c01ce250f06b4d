"""Learning rules side by side: accuracy at each rule's own rate, and what a step takes.

    python -m tests.benchmarks.learning_rules             digits, and steps of evolution strategies
    python -m tests.benchmarks.learning_rules FOLDER      MNIST too, from the IDX files in FOLDER

Digits: 64-64-32-10, 20 epochs in batches of 32, the mean over five seeds of the accuracy on the
test part. MNIST: 784-256-256-10; where FOLDER has the 10,000 images of the test part alone, 8,000
are learned and the last 2,000 tested on. Times are the least of several turns, of the processor.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule import datasets, learning, losses, metrics, nn, optim

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Setting:
    """How a rule is trained: its own rate, and the activation that suits it."""

    rule: learning.Rule
    rate: float = 3e-3
    activation: type[nn.Module] = nn.Tanh
    by_scores: bool = False
    optimizer: Callable[..., optim.Optimizer] = optim.Adam
    init: str = "he_normal"


DIGITS: Mapping[str, Setting] = {
    "backprop": Setting(learning.Backprop()),
    "feedback alignment": Setting(learning.FeedbackAlignment()),
    "direct feedback alignment": Setting(learning.DirectFeedbackAlignment()),
    "target propagation": Setting(learning.TargetPropagation()),
    "local losses": Setting(learning.LocalLosses()),
    "forward-forward": Setting(learning.ForwardForward(), 5e-3, nn.ReLU, by_scores=True),
    "node perturbation": Setting(learning.NodePerturbation()),
    "evolution, population 64": Setting(learning.EvolutionStrategies(64, 0.02), 3e-3, nn.ReLU),
    "forward gradient, 32 directions": Setting(learning.ForwardGradient(32), 3e-3),
    "forward gradient, 1 direction": Setting(learning.ForwardGradient(1), 5e-3),
    "weight perturbation, 1 trial": Setting(learning.WeightPerturbation(), 1e-2),
    "Oja, with a readout": Setting(learning.Oja(readout=True), 1e-2),
}


def on_images(rule: learning.Rule, activation: type[nn.Module], rate: float) -> Setting:
    """As Nøkland trains them: RMSProp, weights drawn for the activation."""
    rms = partial(optim.RMSProp, alpha=0.99)
    init = "xavier_normal" if activation is nn.Tanh else "he_normal"
    return Setting(rule, rate, activation, optimizer=rms, init=init)


MNIST: Mapping[str, Setting] = {
    "backprop, tanh": on_images(learning.Backprop(), nn.Tanh, 1e-3),
    "feedback alignment, tanh": on_images(learning.FeedbackAlignment(), nn.Tanh, 1e-3),
    "direct feedback alignment, tanh": on_images(learning.DirectFeedbackAlignment(), nn.Tanh, 2e-3),
    "backprop, ReLU": on_images(learning.Backprop(), nn.ReLU, 1e-3),
    "feedback alignment, ReLU": on_images(learning.FeedbackAlignment(), nn.ReLU, 1e-3),
    "direct feedback alignment, ReLU": on_images(learning.DirectFeedbackAlignment(), nn.ReLU, 1e-3),
    "forward-forward, ReLU": Setting(learning.ForwardForward(), 1e-3, nn.ReLU, by_scores=True),
}
DEEP = ("backprop", "feedback alignment", "direct feedback alignment", "target propagation",
        "local losses", "forward-forward", "node perturbation")  # fmt: skip
DEPTHS = range(1, 7)  # hidden layers
PUBLISHED = {
    "backprop, tanh": "98.40 (2 x 800)",
    "feedback alignment, tanh": "98.36 (2 x 800)",
    "direct feedback alignment, tanh": "98.26 (2 x 800)",
    "forward-forward, ReLU": "98.64 (4 x 2000)",
}  # per cent on all of MNIST: Nøkland 2016; Hinton 2022


@dataclass(frozen=True)
class Found:
    """What a rule has done.

    Attributes:
        accuracies: on the test part, one a seed.
        microseconds: of the processor for a step, of the quickest run, on one thread.
        memory: bytes that a run allocates beside the data.
    """

    accuracies: list[float]
    microseconds: float
    memory: int

    @property
    def mean(self) -> float:
        return float(np.mean(self.accuracies))


class Network:
    """A network with its loss, and the training of it by a rule."""

    def __init__(
        self, sizes: Sequence[int], activation: type[nn.Module], init: str = "he_normal"
    ) -> None:
        self.x = cr.input("x", ("batch", sizes[0]))
        self.y = cr.input("y", ("batch",), dtype="int32")
        self.model = nn.MLP(*sizes, activation=activation, init=init, name="model")
        self.output = self.model(self.x)
        self.loss = losses.cross_entropy(self.output, self.y)

    def step(self, rule: learning.Rule, optimizer: optim.Optimizer) -> optim.Step:
        return optimizer.minimize(self.loss, rule=rule, model=self.model)


def arrays(split: datasets.Split) -> Arrays:
    return {"x": split.x, "y": split.y}


def trained(
    setting: Setting,
    sizes: Sequence[int],
    data: datasets.Dataset,
    *,
    epochs: int,
    batch_size: int,
    seeds: int,
) -> Found:
    """The same training from the first values of several seeds."""
    network = Network(sizes, setting.activation, setting.init)
    scores = network.output
    if setting.by_scores:
        assert isinstance(setting.rule, learning.ForwardForward)
        scores = setting.rule.scores(network.loss, network.model)
    judge = cr.compile(metrics.accuracy(scores, network.y))
    step = network.step(setting.rule, setting.optimizer(lr=setting.rate))
    program = cr.compile(cr.training(step, epochs=epochs, batch_size=batch_size), threads=1)
    found, seconds = [], []
    for seed in range(seeds):
        first = program.initial_state(seed)
        began = time.process_time()
        result = program.run(arrays(data.train), state=first, progress=False)
        seconds.append(time.process_time() - began)
        found.append(float(judge.bind(result.state)(arrays(data.test))))
    steps = epochs * -(-len(data.train) // batch_size)
    return Found(found, 1e6 * min(seconds) / steps, program.plan.arena_bytes)


def digits(seeds: int, epochs: int, names: Sequence[str]) -> Iterator[str]:
    """The lines of the first table."""
    data = datasets.digits()
    yield "digits, 64-64-32-10                     mean   least   rate  µs a step       bytes"
    for name in names:
        setting = DIGITS[name]
        found = trained(setting, (64, 64, 32, 10), data, epochs=epochs, batch_size=32, seeds=seeds)
        yield (
            f"{name:36}  {found.mean:.4f}  {min(found.accuracies):.4f}  {setting.rate:g}"
            f"  {found.microseconds:9.1f}  {found.memory:10,}"
        )


def mnist(folder: Path, seeds: int, epochs: int) -> Iterator[str]:
    """The lines of the second."""
    data = datasets.mnist(folder)
    yield f"MNIST, 784-256-256-10, {len(data.train):,} images  mean   least   published"
    for name, setting in MNIST.items():
        passes = 3 * epochs if setting.by_scores else 3 * epochs // 2
        found = trained(
            setting, (784, 256, 256, 10), data, epochs=passes, batch_size=64, seeds=seeds
        )
        yield (
            f"{name:36}  {100 * found.mean:.2f}  {100 * min(found.accuracies):.2f}"
            f"   {PUBLISHED.get(name, '')}"
        )


def depths(seeds: int, epochs: int) -> Iterator[str]:
    """Accuracy on digits over the number of hidden layers of 32 units."""
    data = datasets.digits()
    yield f"digits, 64-(32 x depth)-10: depth   {'       '.join(map(str, DEPTHS))}"
    for name in DEEP:
        means = []
        for depth in DEPTHS:
            found = trained(
                DIGITS[name], (64, *[32] * depth, 10), data,
                epochs=epochs, batch_size=32, seeds=seeds,
            )  # fmt: skip
            means.append(f"{found.mean:.4f}")
        yield f"{name:32}  {'  '.join(means)}"


def least(turns: int, actions: Sequence[Callable[[], object]]) -> list[float]:
    """Seconds of the processor of each, the least of several turns that they take one by one."""
    best = [float("inf")] * len(actions)
    for _ in range(turns):
        for place, action in enumerate(actions):
            began = time.process_time()
            action()
            best[place] = min(best[place], time.process_time() - began)
    return best


def an_epoch(
    sizes: Sequence[int], rule: learning.Rule, data: Arrays, batch: int
) -> Callable[[], object]:
    step = Network(sizes, nn.ReLU).step(rule, optim.Adam(1e-3))
    program = cr.compile(cr.training(step, epochs=1, batch_size=batch), threads=1)
    return partial(program.run, data, state=program.initial_state(), progress=False)


def steps_of_feedback(turns: int) -> Iterator[str]:
    """Direct feedback alignment against backpropagation."""
    draw = np.random.default_rng(0)
    steps, batch = 100, 64
    data = {"x": draw.random((steps * batch, 784), "f4"),
            "y": draw.integers(0, 10, steps * batch).astype("i4")}  # fmt: skip
    rules = (learning.Backprop(), learning.DirectFeedbackAlignment())
    runs = [an_epoch((784, 256, 128, 10), rule, data, batch) for rule in rules]
    back, direct = least(turns, runs)
    yield f"a step of 784-256-128-10, batch {batch}: backprop {1e6 * back / steps:.0f} µs, "
    yield f"direct feedback alignment {1e6 * direct / steps:.0f} µs, {direct / back:.2f} x"


def steps_of_evolution(turns: int) -> Iterator[str]:
    """A population of 64, against a loop over its members in NumPy."""
    sizes, batch, population = (64, 64, 32, 10), 32, 64
    train = arrays(datasets.digits().train)
    steps = len(train["y"]) // batch
    data = {name: each[: steps * batch] for name, each in train.items()}
    run = an_epoch(sizes, learning.EvolutionStrategies(population, 0.02), data, batch)
    weights = _weights(sizes)
    loop = partial(generation, weights, data["x"][:batch], data["y"][:batch], population, 0.02)
    compiled, looped = least(turns, (run, loop))
    compiled /= steps
    yield f"a generation of {population} on digits, batch {batch}: {1e6 * compiled:.0f} µs, "
    yield f"a NumPy loop {1e6 * looped:.0f} µs, {looped / compiled:.1f} x"


def _weights(sizes: Sequence[int]) -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    found = []
    for read, given in pairwise(sizes):
        found += [draw.normal(0, read**-0.5, (read, given)), np.zeros(given)]
    return [each.astype("f4") for each in found]


def generation(
    weights: list[np.ndarray], x: np.ndarray, y: np.ndarray, population: int, sigma: float
) -> list[np.ndarray]:
    """The signals of one generation, a member at a time, as one writes it in NumPy."""
    pairs = population // 2
    seeds = range(pairs)
    found = np.empty(population, "f4")
    for seed in seeds:
        noise = _noise(seed, weights)
        for place, sign in ((seed, sigma), (pairs + seed, -sigma)):
            moved = [w + sign * e for w, e in zip(weights, noise, strict=True)]
            found[place] = _loss(moved, x, y)
    share = (found.argsort().argsort() / (population - 1) - 0.5).astype("f4") / population
    votes = (share[:pairs] - share[pairs:]) / sigma
    signals = [np.zeros_like(each) for each in weights]
    for seed, vote in zip(seeds, votes, strict=True):
        for place, each in enumerate(_noise(seed, weights)):
            signals[place] += vote * each
    return signals


def _noise(seed: int, weights: list[np.ndarray]) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    return [draw.standard_normal(each.shape, "f4") for each in weights]


def _loss(weights: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> float:
    values = x
    for place in range(0, len(weights), 2):
        values = values @ weights[place] + weights[place + 1]
        if place < len(weights) - 2:
            values = np.maximum(values, 0)
    values = values - values.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(values).sum(axis=1)) - values[np.arange(len(y)), y]))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    given = os.environ.get("CHAINRULE_MNIST")
    parser.add_argument("folder", type=Path, default=given, nargs="?")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--rules", nargs="*", choices=list(DIGITS), default=list(DIGITS))
    options = parser.parse_args()
    tables = [digits(options.seeds, options.epochs, options.rules)]
    if options.folder is not None:
        tables.append(mnist(options.folder, options.seeds, options.epochs))
    tables.append(depths(min(options.seeds, 3), options.epochs))
    tables += [steps_of_feedback(options.turns), steps_of_evolution(options.turns)]
    for table in tables:
        for line in table:
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
