"""What one would train with instead, each in its best form, on the same weights, data and order.

    PYTHON -m tests.benchmarks.peers jax mnist --cores 1

prints one JSON line: seconds of a step, seconds to compile, the loss after an epoch, versions.
PYTHON has the framework installed; Chainrule is not needed there. The loss after an epoch is
compared with that of NumPy before anything is timed. All take their batches by one given order of
the samples, so they need not make one, but have to gather.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from tests.benchmarks.contender import (
    Facts,
    LeftOutError,
    answer,
    arguments,
    prepare_process,
)

if TYPE_CHECKING:
    from tests.benchmarks.workloads import Data, Workload

PEERS = {  # -> the module below `frameworks`, the class in it, and what must be installed
    "numpy": ("by_numpy", "NumpyTrainer", "numpy"),
    "jax": ("by_jax", "JaxTrainer", "optax"),
    "jax-unrolled": ("by_jax", "UnrolledJaxTrainer", "optax"),
    "tensorflow": ("by_tensorflow", "TensorFlowTrainer", "tensorflow"),
    "tensorflow-xla": ("by_tensorflow", "XlaTensorFlowTrainer", "tensorflow"),
    "torch": ("by_torch", "TorchTrainer", "torch"),
    "torch-compile": ("by_torch", "CompiledTorchTrainer", "torch"),
}
TOLERANCE = 1e-3  # relative, of the loss of the first epoch's last step


class Trainer(Protocol):
    """A framework with the weights of a workload."""

    versions: dict[str, str]

    def train(self, epochs: int) -> float:
        """Train on, and give the loss of the last step."""


class DifferentWorkError(Exception):
    """A peer's loss is not that of NumPy."""


class Peer:
    """A trainer whose work has been found equal to NumPy's."""

    def __init__(self, name: str, workload: Workload, data: Data, threads: int) -> None:
        module, kind, package = PEERS[name]
        try:
            import_module(package)
        except ImportError as error:
            raise LeftOutError(f"{package} is not installed") from error
        start = time.perf_counter()
        self.trainer = _trainer(module, kind)(workload, data, threads)
        loss = self.trainer.train(1)
        first = time.perf_counter() - start
        if workload.dropout:
            loss = _trainer(module, kind)(workload.compared, data, threads).train(1)
        self.loss = loss
        self.steps = len(data.order) // workload.batch
        self.compile = max(0.0, first - self.steps * self.seconds(self.steps))
        check(self.loss, workload.compared, data)

    def facts(self) -> Facts:
        return {"compile": self.compile, "loss": self.loss, "versions": self.trainer.versions}

    def seconds(self, steps: int) -> float:
        epochs = max(1, steps // self.steps)
        start = time.perf_counter()
        self.trainer.train(epochs)
        return (time.perf_counter() - start) / (epochs * self.steps)


def check(loss: float, workload: Workload, data: Data) -> None:
    """Refuse a loss that is not that of NumPy after the same epoch."""
    expected = _trainer("by_numpy", "NumpyTrainer")(workload, data, 1).train(1)
    if not abs(loss - expected) <= TOLERANCE * abs(expected):
        raise DifferentWorkError(f"the loss after an epoch is {loss}, NumPy's is {expected}")


def _trainer(module: str, kind: str) -> Callable[[Workload, Data, int], Trainer]:
    made: Callable[[Workload, Data, int], Trainer] = getattr(
        import_module(f"tests.benchmarks.frameworks.{module}"), kind
    )
    return made


def main() -> None:
    options = arguments(__doc__, "framework", list(PEERS)).parse_args()
    prepare_process(options.threads, options.cores)
    from tests.benchmarks.workloads import Data, named, random_data

    workload = named(options.workload)
    data = Data.load(options.data) if options.data else random_data(workload, options.rows)
    try:
        peer = Peer(options.framework, workload, data, options.threads)
    except LeftOutError as error:
        print(json.dumps({"skipped": str(error)}))
        return
    answer(peer, serve=options.serve)


if __name__ == "__main__":
    main()
