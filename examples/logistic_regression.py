"""Logistic regression: P(y = 1 | x) = sigmoid(x w + b), trained by gradient descent.

Two overlapping clouds of points, binary cross-entropy, and one step down the gradient for each
pass over the data. The weights point from one cloud to the other, across the line between them.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule import losses, metrics, nn, optim


@dataclass(frozen=True)
class Results:
    """What training leaves; the histories hold one number an epoch."""

    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    weight: np.ndarray
    bias: float


def clouds(
    points: int = 200,
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], np.ndarray]: ...
