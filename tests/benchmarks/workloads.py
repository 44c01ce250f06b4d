"""The work that is timed: networks, their first weights and their data. NumPy alone is needed.

A step trains on one batch: forward, loss, backward, and the optimizer's update of every weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
Floats = npt.NDArray[np.floating]
Pair = tuple[Floats, Floats]
Weights = list[Pair]

BATCHES = 64
MOMENTUM = 0.9
BETAS, EPS = (0.9, 0.999), 1e-8  # of Adam
NORM_EPS = 1e-5  # of batch normalisation; its running statistics take a tenth of each batch


@dataclass(frozen=True)
class Workload:
    """A multilayer perceptron, its loss, and the optimizer that trains it.

    Attributes:
        sizes: the features of the input and of the output of every layer.
        activation: behind every layer but the last.
        loss: "cross_entropy" of softmax and class numbers, or "binary_cross_entropy" of the
            sigmoid and targets 0 or 1; both from logits, the mean over the batch.
        batch: rows a step.
        optimizer: "sgd", "momentum" or "adam".
        rate: the learning rate.
        dtype: "float32" or "float64".
        normalised: batch normalisation before every activation.
        dropout: the share that is dropped behind every activation.
    """

    sizes: tuple[int, ...]
    activation: Literal["relu", "tanh"]
    loss: Literal["cross_entropy", "binary_cross_entropy"]
    batch: int
    optimizer: Literal["sgd", "momentum", "adam"] = "sgd"
    rate: float = 0.01
    dtype: Literal["float32", "float64"] = "float32"
    normalised: bool = False
    dropout: float = 0.0

    @property
    def compared(self) -> Workload:
        """What all can do with the same result: everyone drops other elements."""
        return replace(self, dropout=0.0)

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        return tuple(zip(self.sizes[:-1], self.sizes[1:], strict=True))

    @property
    def flops(self) -> int:
        """Useful floating-point operations a step: 2 m k n for each matrix product.

        A layer has three products: its output, the gradient for its weight and the one for its
        input. The first layer's input needs none. Everything but products counts as nothing.
        """
        products = [2 if position == 0 else 3 for position in range(len(self.layers))]
        return sum(
            count * 2 * self.batch * i * o
            for count, (i, o) in zip(products, self.layers, strict=True)
        )


MNIST = Workload((784, 256, 128, 10), "relu", "cross_entropy", 64)

WORKLOADS = {
    "xor": Workload((2, 8, 1), "tanh", "binary_cross_entropy", 4),
    "digits": Workload((64, 32, 10), "relu", "cross_entropy", 32, "momentum"),
    "mnist": MNIST,
    "mnist-adam": replace(MNIST, optimizer="adam", rate=0.001),
    "mnist-float64": replace(MNIST, dtype="float64"),
    "mnist-dropout": replace(MNIST, normalised=True, dropout=0.2),
    "odd": Workload((617, 300, 100, 10), "tanh", "cross_entropy", 50),
}

MEANINGS = {
    "xor": "2-8-1, tanh, batch 4, SGD",
    "digits": "64-32-10, ReLU, batch 32, SGD with momentum",
    "mnist": "784-256-128-10, ReLU, batch 64, SGD",
    "mnist-adam": "the same with Adam",
    "mnist-float64": "the same in float64, with SGD",
    "mnist-dropout": "mnist, batch norm, dropout of 0.2, SGD",
    "odd": "617-300-100-10, tanh, batch 50, SGD",
}


DRAWN = 60  # steps of the efficiency map


def named(name: str) -> Workload:
    """One of `WORKLOADS`, or a drawn step by what `spelled` gives."""
    if name in WORKLOADS:
        return WORKLOADS[name]
    sizes, _, batch = name.partition("x")
    return Workload(tuple(map(int, sizes.split("-"))), "relu", "cross_entropy", int(batch))


def spelled(workload: Workload) -> str:
    """Sizes and batch of a network, such as 784-256-128-10x64."""
    return f"{'-'.join(map(str, workload.sizes))}x{workload.batch}"


def drawn(count: int = DRAWN, seed: int = 0) -> list[Workload]:
    """Networks of 2 to 4 layers of 16 to 2048 features, batches of 16 to 512.

    Orders of magnitude are drawn evenly, and half of the widths are made multiples of 16.
    """
    random = np.random.default_rng(seed)

    def between(low: int, high: int) -> int:
        return round(low * math.exp(random.random() * math.log(high / low)))

    def width() -> int:
        found = between(16, 2048)
        return found if random.random() < 0.5 else -(-found // 16) * 16

    found = []
    for _ in range(count):
        sizes = tuple(width() for _ in range(int(random.integers(2, 5)) + 1))
        found.append(Workload(sizes, "relu", "cross_entropy", between(16, 512)))
    return found


@dataclass(frozen=True)
class Data:
    """Samples, what they should give, and the order in which an epoch visits them."""

    x: Floats
    y: Array
    order: npt.NDArray[np.int32]

    def save(self, file: Path) -> None:
        np.savez(file, x=self.x, y=self.y, order=self.order)

    @classmethod
    def load(cls, file: Path) -> Data:
        with np.load(file, allow_pickle=False) as arrays:
            return cls(arrays["x"], arrays["y"], arrays["order"])


def weights_of(workload: Workload) -> Weights:
    """Normal numbers of variance 2 / inputs, and biases 0, from a fixed seed.

    Behind those of the layers, where it is normalised, come scales 1 and shifts 0.
    """
    random = np.random.default_rng(0)
    layers = [
        (
            (random.standard_normal((i, o)) * np.sqrt(2 / i)).astype(workload.dtype),
            np.zeros(o, workload.dtype),
        )
        for i, o in workload.layers
    ]
    if not workload.normalised:
        return layers
    widths = workload.sizes[1:-1]
    return layers + [(np.ones(o, workload.dtype), np.zeros(o, workload.dtype)) for o in widths]


def random_data(workload: Workload, rows: int | None = None) -> Data:
    """Normal numbers and even draws of classes, from a fixed seed: the work is that of any data."""
    random = np.random.default_rng(1)
    count = BATCHES * workload.batch if rows is None else rows
    x = random.standard_normal((count, workload.sizes[0])).astype(workload.dtype)
    if workload.loss == "cross_entropy":
        y: Array = random.integers(0, workload.sizes[-1], count).astype(np.int32)
    else:
        y = random.integers(0, 2, (count, workload.sizes[-1])).astype(workload.dtype)
    return Data(x, y, _order(workload, count))


def data_from(workload: Workload, x: Floats, y: Array) -> Data:
    """The same form from given samples, as many as fill `BATCHES` batches."""
    count = BATCHES * workload.batch
    positions = np.resize(np.arange(len(y)), count)
    return Data(x[positions].astype(workload.dtype), y[positions], _order(workload, count))


def _order(workload: Workload, count: int) -> npt.NDArray[np.int32]:
    """Whole batches only."""
    order = np.random.default_rng(2).permutation(count).astype(np.int32)
    return order[: count - count % workload.batch]


Step = Callable[[Floats, Array], float]


def step_by_hand(workload: Workload, weights: Weights) -> Step:
    """A step as one would write it in NumPy; it changes `weights`."""
    forward = _relu if workload.activation == "relu" else np.tanh
    update, count = _update(workload), len(workload.layers)
    norms = [_Norm(pair) for pair in weights[count:]]
    random, kept = np.random.default_rng(0), np.asarray(1 - workload.dropout, workload.dtype)
    masks: list[Floats] = []

    def step(x: Floats, y: Array) -> float:
        hidden = [x]
        masks.clear()
        for index, (w, b) in enumerate(weights[: count - 1]):
            z: Floats = hidden[-1] @ w
            z += b
            if norms:
                z = norms[index].forward(z)
            z = forward(z, out=z)
            if workload.dropout:
                masks.append((random.random(z.shape, np.float32) < kept) / kept)
                z *= masks[-1]
            hidden.append(z)
        w, b = weights[count - 1]
        loss, g = _LOSSES[workload.loss](hidden[-1] @ w + b, y)
        for index in range(count - 1, -1, -1):
            gradients = hidden[index].T @ g, g.sum(0)
            if index:
                g = g @ weights[index][0].T
                a = hidden[index]
                if workload.dropout:
                    g *= masks[index - 1]
                g *= (a > 0) if workload.activation == "relu" else 1 - a * a
            update(index, weights[index], gradients)
            if index and norms:
                g, changes = norms[index - 1].backward(g)
                update(count + index - 1, weights[count + index - 1], changes)
        return loss

    return step


class _Norm:
    """Batch normalisation (Ioffe and Szegedy, ICML 2015), with its running statistics."""

    def __init__(self, pair: Pair) -> None:
        self.scale, self.shift = pair
        self.mean, self.variance = np.zeros_like(self.scale), np.ones_like(self.scale)

    def forward(self, z: Floats) -> Floats:
        mean, variance = z.mean(0), z.var(0)
        self.mean += 0.1 * (mean - self.mean)
        self.variance += 0.1 * (variance - self.variance)
        self.deviation: Floats = np.sqrt(variance + NORM_EPS)
        self.unit: Floats = (z - mean) / self.deviation
        out: Floats = self.unit * self.scale
        out += self.shift
        return out

    def backward(self, g: Floats) -> tuple[Floats, Pair]:
        """The gradients for the input, and for scale and shift."""
        changes = (g * self.unit).sum(0), g.sum(0)
        inner = g - (changes[1] + self.unit * changes[0]) / len(g)
        return inner * (self.scale / self.deviation), changes


def _relu(z: Floats, out: Floats) -> Floats:
    return np.maximum(z, 0, out=out)


def _cross_entropy(z: Floats, y: Array) -> tuple[float, Floats]:
    """The loss, and its gradient for the logits."""
    z -= z.max(1, keepdims=True)
    e = np.exp(z)
    total = e.sum(1, keepdims=True)
    positions = np.arange(len(y))
    loss = float((np.log(total[:, 0]) - z[positions, y]).mean())
    e /= total
    e[positions, y] -= 1
    e /= len(y)
    return loss, e


def _binary_cross_entropy(z: Floats, y: Array) -> tuple[float, Floats]:
    targets = y.astype(z.dtype, copy=False)
    loss = float((np.logaddexp(0, z) - z * targets).mean())
    return loss, (1 / (1 + np.exp(-z)) - targets) / z.size


_LOSSES = {"cross_entropy": _cross_entropy, "binary_cross_entropy": _binary_cross_entropy}

Update = Callable[[int, Pair, Pair], None]


def _update(workload: Workload) -> Update:
    """What changes a layer's weights, given its number and its gradients."""
    if workload.optimizer == "sgd":
        return lambda _, weights, gradients: _descend(weights, gradients, workload.rate)
    slots = [[(np.zeros_like(w), np.zeros_like(w)) for w in pair] for pair in weights_of(workload)]
    steps = [0] * len(slots)

    def update(layer: int, weights: Pair, gradients: Pair) -> None:
        steps[layer] += 1
        for w, g, (m, v) in zip(weights, gradients, slots[layer], strict=True):
            if workload.optimizer == "momentum":
                np.add(MOMENTUM * m, g, out=m)
                np.subtract(w, workload.rate * m, out=w)
            else:
                _adam(w, g, m, v, steps[layer], workload.rate)

    return update


def _descend(weights: Pair, gradients: Pair, rate: float) -> None:
    for w, g in zip(weights, gradients, strict=True):
        np.multiply(g, rate, out=g)
        np.subtract(w, g, out=w)


def _adam(w: Floats, g: Floats, m: Floats, v: Floats, steps: int, rate: float) -> None:
    """Kingma and Ba, ICLR 2015."""
    m += (1 - BETAS[0]) * (g - m)
    v += (1 - BETAS[1]) * (g * g - v)
    scale = np.sqrt(v / (1 - BETAS[1] ** steps)) + EPS
    w -= rate / (1 - BETAS[0] ** steps) * m / scale
