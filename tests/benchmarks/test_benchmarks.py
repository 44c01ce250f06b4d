"""The benchmarks run and compare equal work; no time is asserted."""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from tests.benchmarks import (
    against_numpy,
    compiled_cases,
    compiling,
    efficiency,
    report,
    scaling,
    startup,
    timing,
)
from tests.benchmarks.results import Compiling, Results
from tests.benchmarks.scaling import Scaling
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


def test_copies_at_once_do_their_steps_together_and_are_told_apart() -> None:
    """Each waits for the other's answer: one after the other they would wait for ever."""
    meeting = (
        "import sys, time, pathlib\n"
        "own, other = map(pathlib.Path, sys.argv[1:3])\n"
        'print(\'{"seconds": 1.0, "compile": 2.0, "versions": {}}\', flush=True)\n'
        "for line in sys.stdin:\n"
        "    own.touch()\n"
        "    end = time.monotonic() + 20\n"
        "    while not other.exists() and time.monotonic() < end: time.sleep(0.001)\n"
        "    print(4.0 if other.exists() else -1.0, flush=True)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        names = [f"{folder}/{name}" for name in "ab"]
        one, other = (
            (sys.executable, "-c", meeting, *order) for order in (names, [*reversed(names)])
        )
        entry = timing.Entry("copies", one, required=True, beside=other)
        found = timing.measure("test", [entry], (float, float), timing.Plan(1, 2, 1.0))
    assert [sample.seconds for sample in found["copies"].samples] == [2.0, 2.0]


def test_what_two_threads_gain_stands_beside_what_two_programs_do() -> None:
    one, two, copies = _series(8.0), _series(5.0), _series(4.0)
    group = {"own": one, "own, 2 threads": two, "own, 2 copies at once": copies}
    assert scaling.scaling(group, "own") == Scaling(1.6, 2.0, 0.8)
    assert scaling.scaling({"own": one, "own, 2 threads": two}, "own") is None
    told = scaling.rows({"lenet": group})
    assert "| lenet | 8000.00 | 1.60 × | 2.00 × | 80% |" in told
    assert "what two threads reach of that" in told


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
        "own, 2 copies at once": _series(50e-6, 256e-6, 512e-6),
        "jax": _series(160e-6, 640e-6, 1280e-6),
    }
    (point,) = efficiency.points(results)
    assert (point.flops, point.jax) == (64_000, 2.0)
    assert point.threads is not None
    assert asdict(point.threads) == pytest.approx({"ratio": 2.0, "ceiling": 1.6, "quotient": 0.8})
    assert point.share == pytest.approx(0.1)
    text = efficiency.map_of(results)
    assert f"| {name} | 0.1 | 640.0 | 10% | 2.00 × | 2.00 × | 1.60 × | 80% |" in text
    assert "10% in the median and 10% in the tenth percentile" in text
    assert "two threads are 2.00 × as fast in the median" in " ".join(text.split())
    assert "that is 80% in the median, and 80% at least" in " ".join(text.split())
    results.save(tmp_path / "kept.json")
    kept = json.loads((tmp_path / "kept.json").read_text(encoding="utf-8"))["scaling"]
    assert kept[name] == pytest.approx({"ratio": 2.0, "ceiling": 1.6, "quotient": 0.8})
    assert Results.load(tmp_path / "kept.json") == results
    efficiency.draw_map(results, tmp_path / "efficiency.svg")
    drawn = (tmp_path / "efficiency.svg").read_text(encoding="utf-8")
    assert "Chainrule" in drawn
    assert "mathdefault" not in drawn  # ticks are plain text
