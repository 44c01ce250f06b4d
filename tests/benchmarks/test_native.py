"""The benchmarks of native code run and compare equal work; no time is asserted."""

from __future__ import annotations

import gzip
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.benchmarks import accuracy, chart, own, peers, report, timing, workloads
from tests.benchmarks.contender import ROOT, LeftOutError, ProcessError, facts_of
from tests.benchmarks.peak import ACCUMULATORS, ROUNDS, DType, Peak, source, widest_bits
from tests.benchmarks.results import Results, Start, machine
from tests.benchmarks.timing import Sample, Series, Spread
from tests.chainrule.datasets.test_idx import idx

import chainrule as cr

WORKLOADS = workloads.WORKLOADS
SMALL = 3  # batches
ANSWERS = """
import sys
print('{"seconds": 1.0, "compile": 2.0, "versions": {}}', flush=True)
for line in sys.stdin:
    print(float(line), flush=True)
"""


def small_data(workload: workloads.Workload) -> workloads.Data:
    return workloads.random_data(workload, SMALL * workload.batch)


# --- the peak


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bits", [128, 256, 512])
def test_the_peak_counts_multiply_adds_that_are_done(dtype: DType, bits: int) -> None:
    peak = Peak(dtype, bits)
    value = 0.5
    for _ in range(3 * ROUNDS):
        value = value * 0.5 + 0.5
    assert peak.function(3, 0.5) == pytest.approx(ACCUMULATORS * value)
    lanes = {"float32": bits // 32, "float64": bits // 64}[dtype]
    fma = f"call <{lanes} x {'float' if dtype == 'float32' else 'double'}> @llvm.fmuladd"
    assert peak.flops == peak.turns * source(dtype, bits).count(fma) * lanes * 2
    assert peak() > 0
    assert widest_bits() in {128, 256, 512}


# --- workloads


def test_useful_operations_are_those_of_the_matrix_products() -> None:
    forward_and_weights = 2 * 2 * 64 * (784 * 256 + 256 * 128 + 128 * 10)
    inputs = 2 * 64 * (256 * 128 + 128 * 10)
    assert WORKLOADS["mnist"].flops == forward_and_weights + inputs == 64_454_656
    assert WORKLOADS["xor"].flops == 2 * 4 * (2 * 2 * 8 + 3 * 8 * 1)


def test_drawn_steps_are_the_same_again_and_have_names() -> None:
    found = workloads.drawn(60)
    assert found == workloads.drawn(60)
    assert [workloads.named(workloads.spelled(each)) for each in found] == found
    widths = [size for each in found for size in each.sizes]
    assert 16 <= min(widths)
    assert max(widths) <= 2048
    assert {len(each.layers) for each in found} == {2, 3, 4}
    assert any(width % 2 for width in widths)


@pytest.mark.parametrize("name", list(WORKLOADS))
def test_a_step_by_hand_descends_along_the_slope_of_its_loss(name: str) -> None:
    """The change of the first weights, over the rate, is minus the difference quotient."""
    chosen = WORKLOADS[name].compared
    workload = replace(chosen, dtype="float64", optimizer="sgd", rate=1e-3)
    data, h = small_data(workload), 1e-6
    x, y = data.x[: workload.batch], data.y[: workload.batch]
    start, moved = workloads.weights_of(workload), workloads.weights_of(workload)
    workloads.step_by_hand(workload, moved)(x, y)
    gradient = (start[0][0] - moved[0][0]) / workload.rate
    direction = np.random.default_rng(3).standard_normal(gradient.shape)
    losses = []
    for sign in (1, -1):
        weights = workloads.weights_of(workload)
        weights[0][0][...] += sign * h * direction
        losses.append(workloads.step_by_hand(workload, weights)(x, y))
    slope = (losses[0] - losses[1]) / (2 * h)
    assert float((gradient * direction).sum()) == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("name", list(WORKLOADS))
def test_the_declared_program_does_the_work_of_numpy(name: str) -> None:
    workload = WORKLOADS[name]
    contender = own.Own("numpy", workload, small_data(workload), threads=1)  # compares the losses
    assert contender.loss is not None
    assert contender.steps == SMALL
    parameters = [p for p in contender.program.slots if p.shape]
    slots = {"sgd": 1, "momentum": 2, "adam": 3}[workload.optimizer]
    norms = 4 * len(workload.layers[:-1]) * workload.normalised  # of SGD
    assert len(parameters) == 2 * len(workload.layers) * slots + norms


def test_steps_that_are_lost_in_the_waiting_become_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of few steps can look shorter than one of a single epoch; no time is negative."""
    workload = WORKLOADS["xor"]
    contender = own.Own("numpy", workload, small_data(workload), threads=1, check=False)
    times, asked = iter([2.0, 1.0, 1.0, 3.0]), []

    def run(epochs: int) -> float:
        asked.append(epochs)
        return next(times)

    monkeypatch.setattr(contender, "_run", run)
    assert contender.seconds(SMALL) == (3.0 - 1.0) / (2 * SMALL)
    assert asked == [1, 2, 1, 3]


def test_other_work_is_found_out() -> None:
    workload = replace(WORKLOADS["xor"], rate=0.5)
    data = small_data(workload)
    loss = peers.Peer("numpy", workload, data, 1).loss
    with pytest.raises(peers.DifferentWorkError, match=r"loss after an epoch is .*, NumPy's is"):
        peers.check(loss * 1.01, workload, data)
    with pytest.raises(own.DifferentWorkError, match=r"loss of an epoch is .*, NumPy's is"):
        own.compare(0.0, workload, data)


def test_real_samples_take_the_form_of_random_ones() -> None:
    workload = WORKLOADS["mnist"]
    x, y = np.ones((10, 784), np.float32), np.arange(10).astype(np.int32)
    real, drawn = workloads.data_from(workload, x, y), workloads.random_data(workload)
    for a, b in ((real.x, drawn.x), (real.y, drawn.y), (real.order, drawn.order)):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
    assert sorted(real.order.tolist()) == list(range(4096))


# --- processes


def test_a_peer_prints_its_facts_in_a_process_of_its_own(tmp_path: Path) -> None:
    workload = WORKLOADS["xor"]
    workloads.random_data(workload).save(tmp_path / "data.npz")
    command = (sys.executable, "-m", "tests.benchmarks.peers", "numpy", "xor")
    facts = facts_of((*command, "--data", str(tmp_path / "data.npz")), {})
    expected = peers.Peer("numpy", workload, workloads.random_data(workload), 1).loss
    assert facts["loss"] == pytest.approx(expected)
    assert facts["versions"] == {"numpy": np.__version__}
    assert facts["memory"] > 2**20


def test_memory_is_that_of_the_process_and_not_of_what_started_it() -> None:
    held = b"1" * (128 << 20)
    code = "from tests.benchmarks.contender import peak_memory; print(peak_memory())"
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    if sys.platform == "linux":
        assert 2**20 < int(answer.stdout) < len(held)


def test_a_missing_package_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(peers.PEERS, "jax", ("by_jax", "JaxTrainer", "no_such_package"))
    workload = WORKLOADS["xor"]
    with pytest.raises(LeftOutError, match="no_such_package is not installed"):
        peers.Peer("jax", workload, small_data(workload), 1)


def test_a_process_that_fails_says_why() -> None:
    with pytest.raises(ProcessError, match=r"-c .* failed: nothing works"):
        facts_of((sys.executable, "-c", "raise SystemExit('nothing works')"), {})


def test_a_failing_entry_leaves_the_others_alone() -> None:
    failing = timing.Entry("failing", (sys.executable, "-c", "raise ValueError('no')"))
    working = timing.Entry("working", (sys.executable, "-c", ANSWERS))
    plan = timing.Plan(rounds=2, blocks=3, seconds=5.0)
    found = timing.measure("test", [failing, working], (lambda: 7.0, lambda: 3.0), plan)
    assert found["failing"].skipped.endswith("failed: ValueError: no")
    with pytest.raises(ProcessError, match="ValueError: no"):
        timing.measure("test", [replace(failing, required=True)], (float, float), plan)
    assert found["working"].samples == [Sample(5.0, 7.0, 3.0)] * 6
    assert found["working"].compile == [2.0, 2.0]


def test_everything_is_measured_and_written(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plot needs matplotlib: pip install '.[plot]'")
    command = [sys.executable, "-m", "tests.benchmarks.native", "--targets", "numpy"]
    command += ["--workloads", "xor", "--rounds", "1", "--blocks", "2", "--seconds", "0.001"]
    command += ["--results", str(tmp_path / "kept.json"), "--pages", str(tmp_path / "pages")]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True, timeout=300)
    results = Results.load(tmp_path / "kept.json")
    series = results.speeds["xor"]["Chainrule, numpy"]
    assert len(series.samples) == 2
    assert all(0 < sample.seconds < 1 for sample in series.samples)
    page = (tmp_path / "pages" / "benchmarks.md").read_text(encoding="utf-8")
    assert page == report.page(results)
    assert "<svg" in (tmp_path / "pages" / "benchmarks.svg").read_text(encoding="utf-8")


# --- the page


def test_ratios_are_those_of_neighbours() -> None:
    ours = Series(samples=[Sample(t, 1.0, 1.0) for t in (1.0, 2.0, 4.0)])
    theirs = Series(samples=[Sample(t, 1.0, 1.0) for t in (3.0, 6.0, 12.0)])
    assert timing.ratios(theirs, ours) == Spread(3.0, 3.0, 3.0)
    assert timing.spread([1.0, 2.0, 3.0, 4.0, 5.0]) == Spread(2.0, 3.0, 4.0)


def measured(seconds: float, compile: list[float]) -> Series:
    peak = 4 * WORKLOADS["mnist"].flops / 1e-3
    return Series(compile, [Sample(seconds, peak, peak / 2)] * 3, {"package": "1.0"})


def some_results() -> Results:
    group = {
        "Chainrule, llvm": measured(0.5e-3, [0.5, 0.05]),
        "jax": measured(1e-3, [0.9]),
        "torch": Series(skipped="torch is not installed"),
    }
    threads = {
        "Chainrule, llvm": measured(0.5e-3, [0.5]),
        "Chainrule, llvm, 2 threads": measured(0.25e-3, [0.5]),
    }
    starts = {"Chainrule, llvm": Start([0.5, 0.6, 0.7], [0.1, 0.1, 0.1], [100 * 2**20])}
    return Results("a machine", "Chainrule, llvm", {"mnist": group}, threads, starts, 12_345)


def test_the_page_says_what_was_measured() -> None:
    page = report.page(some_results())
    assert "| Chainrule, llvm | 500 (500, 500) | 50.0% | 100.0% | 1 | 0.50 s | 0.05 s |" in page
    assert "| jax | 1,000 (1,000, 1,000) | 25.0% | 50.0% | 2.00 (2.00, 2.00) | 0.90 s | – |" in page
    assert "Left out: torch (torch is not installed)." in page
    assert "| Chainrule, llvm, 2 threads | 250 (250, 250) | 2.00 (2.00, 2.00) |" in page
    assert "| 0.600 (0.550, 0.650) s | 0.100 (0.100, 0.100) s | 100 MiB |" in page
    assert "12,345 bytes" in page
    assert "package 1.0" in page


def test_the_page_of_a_machine_with_one_core_says_so() -> None:
    alone = replace(some_results(), threads={}, starts={}, library=None)
    page = report.page(alone)
    assert "Not measured: the machine has one core." in page
    assert "bytes." not in page


def test_results_survive_their_file(tmp_path: Path) -> None:
    some_results().save(tmp_path / "kept.json")
    assert Results.load(tmp_path / "kept.json") == some_results()
    assert machine().count(",") >= 2


def test_the_plot_names_every_contender(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plot needs matplotlib: pip install '.[plot]'")
    chart.draw(some_results(), tmp_path / "plot.svg")
    text = (tmp_path / "plot.svg").read_text(encoding="utf-8")
    for words in ("Chainrule, llvm", "jax", "1,000 µs  (2×)", "500 µs", "peak"):
        assert words in text
    assert "torch" not in text
    chart.draw(some_results(), tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "plot.svg").read_bytes()


# --- accuracy


def test_digits_that_can_be_told_apart_are_learned(tmp_path: Path) -> None:
    labels = np.arange(400) % 10
    images = np.random.default_rng(0).integers(0, 50, (400, 10, 10))
    images[np.arange(400), labels] = 255  # the row of its label is white
    for name, array in (("images-idx3", images), ("labels-idx1", labels)):
        (tmp_path / f"t10k-{name}-ubyte.gz").write_bytes(gzip.compress(idx(array)))
    share, seconds = accuracy.train(tmp_path, "numpy", epochs=6)
    assert share == 1.0
    assert seconds > 0


def test_accuracy_declares_the_network_it_promises() -> None:
    training = accuracy.declared(784, epochs=3, seed=1)
    assert isinstance(training, cr.Training)
    assert (training.epochs, training.batch_size, training.seed) == (3, accuracy.BATCH, 1)
    weights = [p.shape for p in training.step.parameters if len(p.shape) == 2]
    assert weights == [(784, 256), (256, 128), (128, 10)]
