"""Chainrule's own run of a workload: the program that `cr.compile` makes of its training loop.

    python -m tests.benchmarks.own llvm mnist --cores 1

prints one JSON line: seconds of a step, seconds to compile, the loss of the first epoch, versions.
A run shuffles, gathers the batch, steps, and keeps the history. The time of a step is the
difference between a run of many epochs and the run of one just before it, so what a run costs once
is not in it.
"""

from __future__ import annotations

import importlib.metadata
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.contender import Facts, answer, arguments, prepare_process

if TYPE_CHECKING:
    from tests.benchmarks.workloads import Data, Workload

    import chainrule as cr

TARGETS = ("llvm", "numpy")
TOLERANCE = 1e-3  # relative, of the mean loss of an epoch
PARTS = ("weight", "bias")


def declared(workload: Workload, *, shuffle: bool = True) -> cr.Training:
    """The workload's network and loop, in Chainrule's words."""
    import chainrule as cr
    from chainrule import losses

    x = cr.input("x", ("batch", workload.sizes[0]), dtype=workload.dtype)
    labels = workload.loss == "cross_entropy"
    y = (
        cr.input("y", ("batch",), dtype="int32")
        if labels
        else cr.input("y", ("batch", workload.sizes[-1]), dtype=workload.dtype)
    )
    logits = _network(workload, x)
    loss = losses.cross_entropy(logits, y) if labels else losses.binary_cross_entropy(logits, y)
    step = _optimizer(workload).minimize(loss)
    return cr.training(step, epochs=1, batch_size=workload.batch, shuffle=shuffle)


def _network(workload: Workload, x: cr.Node) -> cr.Node:
    import chainrule as cr
    from chainrule import nn

    last = len(workload.layers)
    for number, (i, o) in enumerate(workload.layers, start=1):
        weight = cr.parameter(f"weight{number}", (i, o), "he_normal", dtype=workload.dtype)
        bias = cr.parameter(f"bias{number}", (o,), "zeros", dtype=workload.dtype)
        x = x @ weight + bias
        if number < last:
            x = _normalised(workload, number, x)
            x = cr.relu(x) if workload.activation == "relu" else cr.tanh(x)
            x = nn.Dropout(workload.dropout)(x) if workload.dropout else x
    return x


def _normalised(workload: Workload, number: int, x: cr.Node) -> cr.Node:
    from tests.benchmarks.workloads import NORM_EPS

    from chainrule import nn

    if not workload.normalised:
        return x
    return nn.BatchNorm1d(workload.sizes[number], eps=NORM_EPS, name=f"norm{number}")(x)


def _optimizer(workload: Workload) -> cr.optim.Optimizer:
    from tests.benchmarks.workloads import BETAS, EPS, MOMENTUM

    from chainrule import optim

    if workload.optimizer == "adam":
        return optim.Adam(workload.rate, BETAS, EPS)
    return optim.SGD(workload.rate, MOMENTUM if workload.optimizer == "momentum" else 0.0)


class Own:
    """A compiled program, whose work is found equal to NumPy's where `check` asks for it."""

    def __init__(
        self, target: str, workload: Workload, data: Data, threads: int, *, check: bool = True
    ) -> None:
        self.workload, self.data = workload, data
        self.arrays: dict[str, object] = {"x": data.x, "y": data.y}
        self.steps = -(-len(data.y) // workload.batch)
        training = declared(workload)
        start = time.perf_counter()
        self.program = compiled(training, target, threads)
        self.compile = time.perf_counter() - start + self._put_off()
        self.loss = _checked(workload, data, target, threads) if check else None

    def facts(self) -> Facts:
        packages = ("llvmlite", "numpy")
        versions = {name: importlib.metadata.version(name) for name in packages}
        return {"compile": self.compile, "loss": self.loss, "versions": versions}

    def seconds(self, steps: int) -> float:
        epochs = max(1, steps // self.steps)
        once, more = self._run(1), self._run(1 + epochs)  # what both wait for cancels out
        while more <= once:  # so few steps are lost in the waiting
            epochs *= 2
            once, more = self._run(1), self._run(1 + epochs)
        return (more - once) / (epochs * self.steps)

    def _put_off(self) -> float:
        """What is left for the first run to do belongs to compiling as well."""
        size = self.workload.batch
        batch: dict[str, object] = {"x": self.data.x[:size], "y": self.data.y[:size]}
        first, second = (self._run(1, batch) for _ in range(2))
        return max(0.0, first - second)

    def _run(self, epochs: int, arrays: dict[str, object] | None = None) -> float:
        start = time.perf_counter()
        self.program.run(arrays or self.arrays, epochs=epochs, progress=False)
        return time.perf_counter() - start


def compiled(training: cr.Training, target: str, threads: int) -> cr.TrainingProgram:
    import chainrule as cr

    if target == "llvm":
        return cr.compile(training, target=target, threads=threads)
    return cr.compile(training, target=target)


class DifferentWorkError(Exception):
    """The loss is not that of NumPy."""


def _checked(workload: Workload, data: Data, target: str, threads: int) -> float:
    """The mean loss of an epoch in the given order, from the given weights."""
    from tests.benchmarks.workloads import weights_of

    import chainrule as cr

    workload = workload.compared
    program = compiled(declared(workload, shuffle=False), target, threads)
    pairs = weights_of(workload)[: len(workload.layers)]  # of norms there are the first values
    values = {
        f"{part}{number}": array
        for number, pair in enumerate(pairs, start=1)
        for part, array in zip(PARTS, pair, strict=True)
    }
    start = cr.State({**program.initial_state(), **values})
    rows = {"x": data.x[data.order], "y": data.y[data.order]}
    (loss,) = program.run(rows, state=start, progress=False).history["loss"]
    compare(loss, workload, data)
    return loss


def compare(loss: float, workload: Workload, data: Data) -> None:
    """Refuse a mean loss that is not that of NumPy over the same epoch."""
    import numpy as np
    from tests.benchmarks.workloads import step_by_hand, weights_of

    step = step_by_hand(workload, weights_of(workload))
    batches = data.order.reshape(-1, workload.batch)
    expected = np.mean([step(data.x[rows], data.y[rows]) for rows in batches])
    if not abs(loss - expected) <= TOLERANCE * abs(expected):
        raise DifferentWorkError(f"the loss of an epoch is {loss}, NumPy's is {expected}")


def exported_library(workload: Workload, folder: Path) -> Path:
    """The library that `export` writes, for the processor of this process."""
    program = compiled(declared(workload), "llvm", 1)
    program.export(folder, name="network", processor="native")
    return next(file for file in sorted(folder.iterdir()) if file.suffix in {".so", ".dylib"})


def main() -> None:
    parser = arguments(__doc__, "target", TARGETS)
    parser.add_argument("--unchecked", action="store_true", help="do not compare with NumPy")
    options = parser.parse_args()
    prepare_process(options.threads, options.cores)
    from tests.benchmarks.workloads import Data, named, random_data

    workload = named(options.workload)
    data = Data.load(options.data) if options.data else random_data(workload, options.rows)
    check = not options.unchecked
    own = Own(options.target, workload, data, options.threads, check=check)
    answer(own, serve=options.serve)


if __name__ == "__main__":
    main()
