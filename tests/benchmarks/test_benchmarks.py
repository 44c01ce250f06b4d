"""The benchmarks run and compare equal work; no time is asserted."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import numpy as np
import pytest
from tests.benchmarks import against_numpy, compiled_cases, compiling, report, startup
from tests.benchmarks.results import Compiling


@pytest.mark.parametrize("name", list(against_numpy.WORKLOADS))
def test_both_steps_do_the_same_work(name: str) -> None:
    workload = against_numpy.WORKLOADS[name]
    outcome = against_numpy.measure(
        against_numpy.Workload(workload.sizes, workload.batch, steps=3), pairs=2
    )
    assert len(outcome.ratios) == 2
    assert outcome.ratio > 0


def test_images_are_read_from_a_file(tmp_path: Path) -> None:
    pixels = np.arange(16 + 4 * 784, dtype=np.int64).astype(np.uint8)
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(pixels.tobytes()))
    x, y = against_numpy.data_of(against_numpy.WORKLOADS["mnist"], path)
    assert x.shape == (4096, 784)
    assert y.shape == (4096,)
    np.testing.assert_allclose(x[0], pixels[16 : 16 + 784] / 255, rtol=1e-6)


def test_startup_is_measured_in_fresh_processes() -> None:
    figure = startup.figure("print(0.25)", 3)
    assert figure == {"median": 0.25, "minimum": 0.25, "maximum": 0.25}


@pytest.mark.parametrize("case", ["digits", "constant"])
def test_phases_of_a_compile_add_up(case: str) -> None:
    (found,) = compiling.measure([case], rounds=1).values()
    (phases,) = found.phases
    assert set(phases) <= set(compiled_cases.PHASES)
    assert {"declare", "passes", "schedules", "LLVM: emit", "link"} <= set(phases)
    assert all(seconds > 0 for seconds in phases.values())
    assert found.cached[0] > 0
    assert found.memory[0] > 2**20


def test_phases_are_charged_for_their_own_time() -> None:
    phases = compiling.Phases()

    def outer() -> None:
        time.sleep(0.02)
        phases.timed("inner", lambda: time.sleep(0.05))

    phases.timed("outer", outer)
    assert phases.seconds["inner"] >= 0.05
    assert 0.02 <= phases.seconds["outer"] < 0.05


def test_compiling_is_a_table() -> None:
    case = Compiling([{"passes": 0.1, "LLVM: emit": 0.2}] * 2, [0.05], [100 * 2**20])
    table = report.compile_table({"digits": case})
    assert "|  | passes | LLVM: emit | all | cached | memory |" in table
    assert "| digits | 100 | 200 | 300 | 50 | 100 MiB |" in table
    assert "digits: 64-32-10" in table
    assert report.compile_table({}) == "Not measured."


@pytest.mark.parametrize("name", list(compiled_cases.CASES))
def test_every_case_of_compiling_is_declared(name: str) -> None:
    compiled_cases.CASES[name].declare()
