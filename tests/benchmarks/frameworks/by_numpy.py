"""NumPy: the step by hand, in a loop of Python."""

from __future__ import annotations

import numpy as np
from tests.benchmarks.workloads import Data, Workload, step_by_hand, weights_of


class NumpyTrainer:
    """Gathers each batch by the given order, and calls the step."""

    def __init__(self, workload: Workload, data: Data, threads: int) -> None:
        self.versions = {"numpy": np.__version__}
        self.data = data
        self.batches = data.order.reshape(-1, workload.batch)
        self.step = step_by_hand(workload, weights_of(workload))

    def train(self, epochs: int) -> float:
        loss = np.nan
        for _ in range(epochs):
            for rows in self.batches:
                loss = self.step(self.data.x[rows], self.data.y[rows])
        return loss
