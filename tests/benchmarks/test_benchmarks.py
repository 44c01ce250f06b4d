"""The benchmarks run and compare equal work; no time is asserted."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import numpy as np
import pytest
from tests.benchmarks import (
    against_numpy,
    compiled_cases,
    compiling,
    efficiency,
    report,
    startup,
)
from tests.benchmarks.results import Compiling, Results
from tests.benchmarks.timing import Sample, Series


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


def _series(*seconds: float) -> Series:
    return Series(samples=[Sample(each, 1e9, 1e9) for each in seconds])


def test_the_efficiency_map_tells_shares_and_ratios(tmp_path: Path) -> None:
    name = "16-16-16x25"  # 64,000 FLOPs: 64 µs at a peak of 1 GFLOP/s
    results = Results("a machine", "own")
    results.drawn[name] = {
        "own": _series(80e-6, 640e-6, 640e-6),
        "own, 2 threads": _series(40e-6, 320e-6, 640e-6),
        "jax": _series(160e-6, 640e-6, 1280e-6),
    }
    (point,) = efficiency.points(results)
    assert (point.flops, point.threads, point.jax) == (64_000, 2.0, 2.0)
    assert point.share == pytest.approx(0.1)
    text = efficiency.map_of(results)
    assert f"| {name} | 0.1 | 640.0 | 10% | 2.00 × | 2.00 × |" in text
    assert "10% in the median and 10% in the tenth percentile" in text
    assert "two threads are 2.00 × as fast in the median" in " ".join(text.split())
    efficiency.draw_map(results, tmp_path / "efficiency.svg")
    drawn = (tmp_path / "efficiency.svg").read_text(encoding="utf-8")
    assert "Chainrule" in drawn
    assert "mathdefault" not in drawn  # ticks are plain text
