"""Logistic regression: P(y = 1 | x) = sigmoid(x w + b), trained by gradient descent.

Each class is a cloud of normally distributed points, so the best weights are known: w = (2, 2)
and b = 0. Every epoch is one step down the gradient of the binary cross-entropy of all points.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainrule import losses, metrics, nn, optim

CENTRE = (1.0, 1.0)  # of class 1; that of class 0 is opposite
EPOCHS = 100


@dataclass(frozen=True)
class Results:
    """The losses and accuracies after each epoch, and what was learned."""

    losses: tuple[float, ...]
    accuracies: tuple[float, ...]
    weights: tuple[float, float]
    bias: float


def two_clouds(count: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Points (count, 2) with standard deviation 1 around the centres, and their classes."""
    y = np.arange(count, dtype=np.int32) % 2
    centres = np.where(y[:, np.newaxis] == 1, CENTRE, np.negative(CENTRE))
    noise = np.random.default_rng(0).standard_normal((count, 2))
    return (centres + noise).astype(np.float32), y


def main(folder: Path) -> Results:
    """Train and report; the pictures of the loss and of its gradient go to `folder`."""
    x = cr.input("x", ("batch", 2))
    y = cr.input("y", ("batch",), dtype="int32")
    model = nn.Linear(2, 1, init="zeros")
    logits = cr.squeeze(model(x), axis=1)
    targets = cr.astype(y, "float32")
    loss = losses.binary_cross_entropy(logits, targets)
    accuracy = metrics.binary_accuracy(logits, targets)

    points, classes = two_clouds(2000)
    step = optim.SGD(lr=1.0).minimize(loss)
    training = cr.training(step, epochs=EPOCHS, batch_size=2000, metrics={"accuracy": accuracy})
    result = cr.compile(training).run({x: points, y: classes})

    print("epoch    loss  accuracy")
    for epoch in (1, 2, 5, 10, 20, 50, EPOCHS):
        values = (result.history[name][epoch - 1] for name in ("loss", "accuracy"))
        print("{:5d}  {:.4f}    {:.4f}".format(epoch, *values))
    weight, bias = (result.state[parameter].flatten().tolist() for parameter in step.parameters)
    print(f"w = ({weight[0]:.2f}, {weight[1]:.2f}), b = {bias[0]:.2f}; best: w = (2, 2), b = 0")

    folder.mkdir(parents=True, exist_ok=True)
    cr.draw(loss).save(folder / "loss.svg")
    cr.draw(loss, *step.gradients).save(folder / "gradient.svg")
    return Results(
        result.history["loss"], result.history["accuracy"], (weight[0], weight[1]), bias[0]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/logistic_regression"))
    main(parser.parse_args().out)
