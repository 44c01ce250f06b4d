"""Times the statements of each kernel: the same source, which notes the time after each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import cast

import numpy as np

from chainc.backends.epochs import Arrays
from chainc.backends.listing import Line, Listing
from chainc.backends.numpy.module import FunctionPrinter, assemble, prepare, print_function
from chainc.backends.numpy.running import Bind, execute
from chainc.backends.timing import BATCH, Floats, Timing, in_turns
from chainc.ir.types import Array
from chainc.lowering.parts import parts_of
from chainc.lowering.program import Program, TrainingLoop


class KernelClock:
    """What the source calls: `start` at its beginning, `note` after the statements of a kernel."""

    def __init__(self, kernels: int) -> None:
        self.seconds = np.zeros(kernels)
        self._last = 0.0

    def start(self) -> None:
        self._last = perf_counter()

    def note(self, kernel: int) -> None:
        self.seconds[kernel] = perf_counter() - self._last
        self._last = perf_counter()  # noting it is no part of the next kernel


class _Timed:
    """A program as a function that is timed, and as one that is not."""

    def __init__(self, program: Program, state: Mapping[str, Array], sizes: Sequence[int]) -> None:
        prepared = prepare(program)
        printer = FunctionPrinter(prepared, "run", timed=True)
        self.kernels = tuple(
            Line(printer.scope.names[kernel.out], parts_of(kernel)) for kernel in printer.kernels
        )
        self.clock = KernelClock(len(self.kernels))
        plain = _bind(assemble([print_function(prepared, "run")]))
        timed = _bind(assemble([printer.text()]), clock=self.clock)
        self.plain, self.timed = plain(state, *sizes), timed(state, *sizes)


def _bind(source: str, **given: object) -> Bind:
    return cast(Bind, execute(source, "function", **given)["bind_run"])


def time_function(
    program: Program,
    inputs: Sequence[Array],
    state: Mapping[str, Array],
    sizes: Sequence[int],
    runs: int | None,
) -> Timing:
    """See `TimingTarget`."""
    functions = _Timed(program, state, sizes)

    def run(count: int) -> float:
        start = perf_counter()
        for _ in range(count):
            functions.plain(*inputs)
        return perf_counter() - start

    def read(count: int) -> Floats:
        found = []
        for _ in range(count):
            functions.timed(*inputs)
            found.append(functions.clock.seconds.copy())
        return np.array(found)

    with np.errstate(all="ignore"):
        return Timing(Listing(functions.kernels), *in_turns(run, read, runs))


def time_training(loop: TrainingLoop, data: Arrays, state: Arrays, runs: int | None) -> Timing:
    """See `TimingTarget`."""
    functions = _Timed(loop.step, state, [loop.batch_size for _ in loop.step.size_names])
    batches = _Batches(loop, data)

    def run(count: int) -> float:
        start = perf_counter()
        for _ in range(count):
            functions.plain(*batches.following())
        return perf_counter() - start

    def read(count: int) -> Floats:
        found = []
        for _ in range(count):
            start = perf_counter()
            batch = batches.following()
            taken = perf_counter() - start
            functions.timed(*batch)
            found.append([taken, *functions.clock.seconds])
        return np.array(found)

    with np.errstate(all="ignore"):
        return Timing(Listing((BATCH, *functions.kernels)), *in_turns(run, read, runs))


class _Batches:
    """Takes rows of the data as the generated loop does; their order is drawn beforehand."""

    def __init__(self, loop: TrainingLoop, data: Arrays) -> None:
        inputs, size = loop.step.inputs, loop.batch_size
        count = len(data[loop.batch_inputs[0]])
        order = np.random.default_rng(0).permutation(count) if loop.shuffle else np.arange(count)
        self._orders = [order[start : start + size] for start in range(0, count - size + 1, size)]
        self._data = {b.key: data[b.key] for b in inputs if b.key in loop.batch_inputs}
        self._given = {b.key: data[b.key] for b in inputs}
        self._given |= {k: np.empty((size, *x.shape[1:]), x.dtype) for k, x in self._data.items()}
        self._done = 0

    def following(self) -> Sequence[Array]:
        """The inputs of the next step."""
        rows = self._orders[self._done % len(self._orders)]
        self._done += 1
        for key, array in self._data.items():
            np.take(array, rows, axis=0, out=self._given[key], mode="clip")
        return tuple(self._given.values())
