"""Random small trainings, for tests that compare targets or numbers of threads."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass

import numpy as np

import chainrule as cr
from chainc.ir.types import Array
from chainrule import losses, metrics, optim, schedules

SIZES = (1, 2, 3, 5, 8, 10, 16, 17, 24, 31, 32, 33, 48, 64, 65)
BATCHES = (2, 3, 4, 7, 8, 15, 16, 17, 32, 50)
ACTIVATIONS = (cr.relu, cr.tanh, cr.sigmoid, cr.softplus)
STEPS = 30  # about how many a run has


@dataclass(frozen=True)
class Case:
    """A declared training and data for it; about a third of the data is held out."""

    declared: cr.Training
    data: dict[str, Array]
    validation: dict[str, Array] | None


def random_training(seed: int) -> Case:
    """A network of one to three layers, with or without biases and shared weights."""
    random = np.random.default_rng(seed)
    dtype = "float32" if random.random() < 0.7 else "float64"
    sizes = [int(size) for size in random.choice(SIZES, random.integers(2, 5))]
    if random.random() < 0.4:  # square layers may share their weights
        sizes[:-1] = [sizes[0]] * (len(sizes) - 1)
    classifies = random.random() < 0.5
    sizes[-1] = max(sizes[-1], 2) if classifies else sizes[-1]
    batch = int(random.choice(BATCHES))
    rows = batch * int(random.integers(1, 5)) + int(random.integers(0, batch))
    x = cr.input("x", ("batch", sizes[0]), dtype=dtype)
    logits = network(x, sizes, dtype, random)
    data: dict[str, Array] = {"x": random.standard_normal((rows, sizes[0])).astype(dtype)}
    if classifies:
        y = cr.input("y", ("batch",), dtype="int32")
        loss, metric = losses.cross_entropy(logits, y), metrics.accuracy(logits, y)
        data["y"] = random.integers(0, sizes[-1], rows).astype(np.int32)
    else:
        y = cr.input("y", ("batch", sizes[-1]), dtype=dtype)
        loss, metric = losses.squared_error(logits, y), cr.mean(logits)
        data["y"] = random.standard_normal((rows, sizes[-1])).astype(dtype)
    declared = cr.training(
        optimizer(random, dtype).minimize(loss),
        epochs=max(2, STEPS * batch // rows),
        batch_size=batch,
        shuffle=random.random() < 0.7,
        seed=seed,
        metrics={"metric": metric},
    )
    held_out = {key: values[: rows // 3 + 1] for key, values in data.items()}
    return Case(declared, data, held_out if random.random() < 0.5 else None)


def network(x: cr.Node, sizes: list[int], dtype: str, random: np.random.Generator) -> cr.Node:
    """Layers of these sizes; those of one shape may have the same weights."""
    shares = random.random() < 0.5
    weights: dict[object, tuple[cr.Node, cr.Node]] = {}
    for layer, shape in enumerate(itertools.pairwise(sizes)):
        key = shape if shares else layer
        if key not in weights:
            weights[key] = (
                cr.parameter(f"weight{layer}", shape, "xavier_normal", dtype=dtype),
                cr.parameter(f"bias{layer}", shape[1:], 0.0, dtype=dtype),
            )
        weight, bias = weights[key]
        x = x @ weight + bias if random.random() < 0.8 else x @ weight
        if layer < len(sizes) - 2:
            x = ACTIVATIONS[random.integers(len(ACTIVATIONS))](x)
    return x


def optimizer(random: np.random.Generator, dtype: str) -> optim.Optimizer:
    """Any; a schedule only for float32, its own type: its rounding is much in float64."""
    constant = random.random() < 0.6 or dtype == "float64"
    lr = 0.02 if constant else schedules.cosine(0.02, steps=2 * STEPS)
    choices = (
        optim.SGD(lr=lr),
        optim.SGD(lr=lr, momentum=0.5),
        optim.SGD(lr=lr, momentum=0.5, nesterov=True),
        optim.Adam(lr=lr),
    )
    return choices[random.integers(len(choices))]


def digest(state: cr.State) -> str:
    """Of all names and bits."""
    joined = b"".join(name.encode() + state[name].tobytes() for name in sorted(state))
    return hashlib.sha256(joined).hexdigest()
