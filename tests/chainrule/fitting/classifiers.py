"""Small models and data for trainers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import chainrule as cr
from chainrule import losses, metrics, nn, optim

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def blobs(rows: int = 90, classes: int = 3, seed: int = 0) -> tuple[Floats, Labels]:
    """Points around a centre for each class."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, rows)
    points = 2 * np.eye(classes, 4)[labels] + random.standard_normal((rows, 4)) / 2
    return points.astype(np.float32), labels


def network(outputs: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, outputs), name="net")


def trainer(target: str = "numpy", **options: object) -> cr.Trainer:
    chosen = {
        "metrics": [metrics.accuracy, metrics.f1_macro],
        "target": target,
        "progress": False,
        **options,
    }
    return cr.Trainer(network(), losses.cross_entropy, optim.Adam(lr=0.02), **chosen)  # type: ignore[arg-type]
