"""What a program's kernels take when it runs: measured by any target that can."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from chainc.backends.epochs import Arrays
from chainc.backends.listing import Line, Listing
from chainc.backends.target import Target
from chainc.dataclass import dataclass
from chainc.ir import Graph
from chainc.ir.types import Array, Dim
from chainc.lowering.program import Program, TrainingLoop

SECONDS = 0.2  # of runs without clocks, and about as much with them
FEWEST_RUNS, MOST_RUNS = 5, 1000  # unless a number is asked for; no turn has more
TURN_SECONDS = 0.02  # after which the other has its turn; Ctrl-C is answered then
PIECE_SECONDS = 0.0005  # that is timed from outside at once: so short that few are interrupted

Floats = NDArray[np.float64]

BATCH = Line("batch")  # rows of the data become a batch; no kernel of the step


@dataclass(frozen=True, eq=False)
class Timing:
    """What was measured.

    Attributes:
        kernels: a line for each, with its name and what it computes, in order.
        seconds: that each took in each run, [runs, kernels].
        whole: seconds of a run without clocks, the mean of some in each number.
        calls: of each kernel in a run.
        steps: of loops, in which each kernel is called; without any, none is in a loop.
    """

    kernels: Listing
    seconds: Floats
    whole: Floats
    calls: int = 1
    steps: tuple[Dim, ...] = ()


@runtime_checkable
class TimingTarget(Target, Protocol):
    """A target that can say what each kernel takes."""

    def time_function(
        self,
        graph: Graph,
        program: Program,
        inputs: Sequence[Array],
        state: Mapping[str, Array],
        sizes: Sequence[int],
        runs: int | None,
    ) -> Timing:
        """Calls with these inputs; state arrays are updated in place."""

    def time_training(
        self, loop: TrainingLoop, data: Arrays, state: Arrays, runs: int | None
    ) -> Timing:
        """Steps over whole batches of the data; what becomes of the state arrays is open."""


def in_turns(
    without: Callable[[int], float], with_clocks: Callable[[int], Floats], runs: int | None
) -> tuple[Floats, Floats]:
    """`seconds` and `whole` of a timing.

    Both are given a number of runs, `MOST_RUNS` at most; they say how long all take, and each
    kernel in each.
    """
    without(1)
    with_clocks(1)  # caches are warm, and what is made when it is first needed is there
    once = max(without(1), 1e-9)
    wanted = runs or max(FEWEST_RUNS, min(MOST_RUNS, int(SECONDS / once)))
    turn = max(1, min(MOST_RUNS, int(TURN_SECONDS / once)))
    piece = max(1, int(PIECE_SECONDS / once))
    seconds, whole = [], []
    for count in _parts(wanted, turn):
        whole += [without(some) / some for some in _parts(count, piece)]
        seconds.append(with_clocks(count))
    return np.concatenate(seconds), np.array(whole)


def _parts(total: int, most: int) -> Iterator[int]:
    """Numbers that add up to the total, none larger than the other."""
    for done in range(0, total, most):
        yield min(most, total - done)
