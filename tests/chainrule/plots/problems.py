"""A small training to look at, and the same network in NumPy."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainrule import datasets, losses, metrics, nn, optim

Floats = NDArray[np.float64]

DATA = datasets.moons(60, noise=0.2)
ROWS = {"x": DATA.train.x, "y": DATA.train.y}
HELD_OUT = {"x": DATA.test.x, "y": DATA.test.y}


class Classifier:
    """Points of the plane -> a hidden layer of tanh -> a logit."""

    def __init__(self, hidden: int = 4) -> None:
        self.x = cr.input("x", ("batch", 2))
        self.y = cr.input("y", ("batch",), dtype="int32")
        self.model = nn.Sequential(
            nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 1), name="model"
        )
        self.hidden = self.model[1](self.model[0](self.x))
        self.logits = cr.squeeze(self.model(self.x), axis=1)
        targets = cr.astype(self.y, "float32")
        self.loss = losses.binary_cross_entropy(self.logits, targets)
        self.accuracy = metrics.binary_accuracy(self.logits, targets)

    def program(self, epochs: int = 1) -> cr.TrainingProgram:
        step = optim.SGD(lr=0.5).minimize(self.loss)
        metric = {"accuracy": self.accuracy}
        return cr.compile(
            cr.training(step, epochs=epochs, batch_size=16, metrics=metric), target="numpy"
        )


@functools.cache
def trained() -> tuple[Classifier, cr.plots.Recording]:
    """A classifier and twelve epochs of its training."""
    classifier = Classifier()
    recording = cr.plots.record(classifier.program(), ROWS, epochs=12, validation=HELD_OUT)
    return classifier, recording


def weights(state: cr.State) -> tuple[Floats, Floats, Floats, Floats]:
    """Both matrices and biases, in float64."""
    w1, b1, w2, b2 = (
        state[f"model/linear{k}/{part}"].astype(np.float64)
        for k in (1, 2)
        for part in ("weight", "bias")
    )
    return w1, b1, w2, b2


def forward(state: cr.State, x: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """The hidden layer and the logits."""
    w1, b1, w2, b2 = weights(state)
    hidden = np.tanh(x.astype(np.float64) @ w1 + b1)
    return hidden, (hidden @ w2 + b2)[:, 0]


def loss_of(state: cr.State) -> float:
    """Mean binary cross-entropy over the training rows."""
    _, logits = forward(state, DATA.train.x)
    return float(np.mean(np.logaddexp(0, logits) - DATA.train.y * logits))


def gradient_norms_of(state: cr.State) -> tuple[float, float]:
    """‖∂loss/∂parameters‖ of both layers, by the backward pass written out."""
    _, _, w2, _ = weights(state)
    x = DATA.train.x.astype(np.float64)
    hidden, logits = forward(state, DATA.train.x)
    dlogits = ((1 / (1 + np.exp(-logits)) - DATA.train.y) / len(x))[:, np.newaxis]
    dhidden = dlogits @ w2.T * (1 - hidden**2)
    first = [x.T @ dhidden, dhidden.sum(axis=0)]
    second = [hidden.T @ dlogits, dlogits.sum(axis=0)]
    norm = [float(np.sqrt(sum((g**2).sum() for g in layer))) for layer in (first, second)]
    return norm[0], norm[1]
