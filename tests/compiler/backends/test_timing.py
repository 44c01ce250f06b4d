"""How often a program runs with clocks and without, and that the two take turns."""

from __future__ import annotations

import numpy as np
import pytest

from chainc.backends.timing import FEWEST_RUNS, MOST_RUNS, TimingTarget, in_turns
from chainc.driver import TARGETS


class Program:
    """Takes a given time a run; notes what it is asked for, but for the first three runs."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.asked: list[tuple[str, int]] = []

    def without(self, count: int) -> float:
        self.asked.append(("without", count))
        return count * self.seconds

    def with_clocks(self, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        self.asked.append(("with", count))
        return np.tile([self.seconds / 4, self.seconds / 2], (count, 1))

    def runs(self, kind: str) -> int:
        return sum(count for name, count in self.asked[3:] if name == kind)


@pytest.mark.parametrize(
    ("seconds", "expected"), [(1e-6, MOST_RUNS), (0.01, 20), (3.0, FEWEST_RUNS)]
)
def test_a_slow_program_runs_less_often(seconds: float, expected: int) -> None:
    program = Program(seconds)
    kernels, whole = in_turns(program.without, program.with_clocks, None)
    assert program.runs("without") == program.runs("with") == len(kernels) == expected
    np.testing.assert_allclose(whole, seconds)
    np.testing.assert_allclose(kernels, np.tile([seconds / 4, seconds / 2], (expected, 1)))


@pytest.mark.parametrize("wanted", [1, 7, 5000])
@pytest.mark.parametrize("seconds", [1e-6, 0.003, 2.0])
def test_as_many_runs_as_are_asked_for(seconds: float, wanted: int) -> None:
    program = Program(seconds)
    kernels, _ = in_turns(program.without, program.with_clocks, wanted)
    assert program.runs("without") == program.runs("with") == len(kernels) == wanted
    assert max(count for _, count in program.asked) <= MOST_RUNS


def test_they_take_turns_and_no_turn_is_long() -> None:
    program = Program(0.004)
    in_turns(program.without, program.with_clocks, 23)
    turns = [(name, count) for name, count in program.asked[3:] if name == "with"]
    assert turns == [("with", 5)] * 4 + [("with", 3)]
    before = [
        program.asked[i - 1][0] for i, (name, _) in enumerate(program.asked) if name == "with"
    ]
    assert set(before) == {"without"}


def test_numpy_and_machine_code_can_say_what_a_kernel_takes() -> None:
    timing = {name for name, target in TARGETS.items() if isinstance(target, TimingTarget)}
    assert timing == {"llvm", "numpy"}
    assert not isinstance(object(), TimingTarget)
