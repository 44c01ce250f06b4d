"""The benchmarks of sequences: what is timed runs, and a ratio says how many times faster."""

from __future__ import annotations

import pytest
from tests.benchmarks import sequences
from tests.benchmarks.compiled_cases import characters_training
from tests.benchmarks.sequences import Size

import chainrule as cr


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"RECURRENT": Size(2, 3, 4), "GPT": Size(2, 4, 8), "ATTENTION": (1, 1, 4, 4)}
    counts = {"HEADS": 2, "LAYERS": 1, "STEPS": 1, "WRITTEN": 3}
    for name, value in (*sizes.items(), *counts.items()):
        monkeypatch.setattr(sequences, name, value)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("name", ["rnn", "attention"])
def test_each_workload_runs(name: str) -> None:
    runs, steps = sequences.contenders(name)
    assert steps == 1
    for run in runs.values():
        if run is not None:
            run()


def test_a_ratio_is_to_the_best_of_the_others() -> None:
    times = {"own": [1.0, 1.0, 1.0], "torch": [3.0, 3.0, 3.0], "jax": [2.0, 2.0, 2.0]}
    row = sequences.row_of("lstm", times, 10, 1.5)
    assert row == "| lstm | 100.00 | torch 300.00, jax 200.00 | 2.00 (2.00, 2.00) | 1.5 s |"


def test_long_sequences_have_about_the_code_of_short_ones() -> None:
    """A loop is compiled once; what goes through all steps is made another way, in pieces."""
    kernels, lines = [], []
    for length in (8, 64, 512):
        program = cr.compile(characters_training(length), threads=1)
        kernels.append(len(program.plan.kernels))
        lines.append(len(program.llvm.splitlines()))
    assert max(kernels) <= min(kernels) + 2
    assert kernels[1] == kernels[2]
    assert max(lines) <= 1.4 * min(lines)
    assert lines[2] <= 1.2 * lines[1]
