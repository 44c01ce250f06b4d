"""Training runs against a loop written by hand, and what must hold around them."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainc.ops.families.philox import permutation
from chainc.ops.runs.random import stream_of
from chainrule import losses, metrics, nn, optim, schedules

Floats = npt.NDArray[np.float32]


def problem(rows: int = 50) -> tuple[Floats, npt.NDArray[np.int32]]:
    random = np.random.default_rng(7)
    x = random.standard_normal((rows, 4)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] > 0).astype(np.int32)


class Classifier:
    """A small declared network, for several tests."""

    def __init__(self, lr: float | schedules.Schedule = 0.1, momentum: float = 0.9) -> None:
        self.x = cr.input("x", ("batch", 4))
        self.y = cr.input("y", ("batch",), dtype="int32")
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2), name="classifier")
        self.logits = self.model(self.x)
        self.loss = losses.cross_entropy(self.logits, self.y)
        self.step = optim.SGD(lr=lr, momentum=momentum).minimize(self.loss)

    def training(self, epochs: int = 3, batch_size: int = 16, *, shuffle: bool = True,
                 seed: int = 0) -> cr.Training:  # fmt: skip
        accuracy = metrics.accuracy(self.logits, self.y)
        return cr.training(
            self.step,
            epochs=epochs,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            metrics={"accuracy": accuracy},
        )

    def program(
        self, epochs: int = 3, *, shuffle: bool = True, seed: int = 0
    ) -> cr.TrainingProgram:
        return cr.compile(self.training(epochs, shuffle=shuffle, seed=seed))


def by_hand(
    state: cr.State, x: Floats, y: npt.NDArray[np.int32], epochs: int
) -> tuple[dict[str, Floats], list[float]]:
    """The same training in plain NumPy, float64."""
    names = ["classifier/linear1/weight", "classifier/linear1/bias",
             "classifier/linear2/weight", "classifier/linear2/bias"]  # fmt: skip
    w1, b1, w2, b2 = (np.array(state[name], np.float64) for name in names)
    velocity = [np.zeros_like(p) for p in (w1, b1, w2, b2)]
    history = []
    for epoch in range(epochs):
        order = permutation(len(x), stream_of("training/order"), 0, epoch)
        total = 0.0
        for start in range(0, len(x), 16):
            rows = order[start : start + 16]
            hidden = np.tanh(x[rows] @ w1 + b1)
            z = hidden @ w2 + b2
            e = np.exp(z - z.max(1, keepdims=True))
            p = e / e.sum(1, keepdims=True)
            total += -np.log(p[np.arange(len(rows)), y[rows]]).sum()
            dz = p.copy()
            dz[np.arange(len(rows)), y[rows]] -= 1
            dz /= len(rows)
            dh = dz @ w2.T * (1 - hidden**2)
            gradients = [x[rows].T @ dh, dh.sum(0), hidden.T @ dz, dz.sum(0)]
            velocity = [0.9 * v + g for v, g in zip(velocity, gradients, strict=True)]
            w1, b1, w2, b2 = (p - 0.1 * v for p, v in zip((w1, b1, w2, b2), velocity, strict=True))
        history.append(total / len(x))
    values = (w1, b1, w2, b2)
    return {n: v.astype(np.float32) for n, v in zip(names, values, strict=True)}, history


def test_a_run_is_the_loop_written_by_hand_partial_batch_included() -> None:
    x, y = problem(50)  # 50 = 3 batches of 16 and one of 2
    declared = Classifier()
    program = declared.program(epochs=3)
    start = program.initial_state()
    result = program.run({declared.x: x, declared.y: y})
    weights, history = by_hand(start, x, y, 3)
    for name, expected in weights.items():
        weight = result.state[name].astype(np.float32)
        np.testing.assert_allclose(weight, expected, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(result.history["loss"], history, rtol=1e-4)


def digest(state: cr.State) -> str:
    joined = b"".join(name.encode() + state[name].tobytes() for name in sorted(state))
    return hashlib.sha256(joined).hexdigest()


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not() -> None:
    x, y = problem()
    runs = []
    for seed in (0, 0, 1):
        declared = Classifier()
        runs.append(digest(declared.program(seed=seed).run({"x": x, "y": y}).state))
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_resumed_run_has_the_bits_of_one_long_run(cut: int) -> None:
    x, y = problem()
    program = Classifier(lr=schedules.cosine(0.1, steps=20)).program(epochs=4)
    data = {"x": x, "y": y}
    whole = program.run(data)
    first = program.run(data, epochs=cut)
    second = program.run(data, epochs=4 - cut, state=first.state) if cut < 4 else first
    assert digest(second.state) == digest(whole.state)
    assert first.history["loss"] + second.history["loss"] == whole.history["loss"]


def test_a_run_stopped_within_an_epoch_goes_on_where_it_was() -> None:
    x, y = problem()
    program = cr.compile(Classifier().training(epochs=2), target="numpy")
    values = {name: np.array(value) for name, value in program.initial_state().items()}
    polls = iter([False, False, True])
    arrays = {"x": x, "y": y, "lr": np.asarray(0.1, np.float32),
              "momentum": np.asarray(0.9, np.float32)}  # fmt: skip
    runner = program._compiled.executable.runner
    epochs = list(runner.run(arrays, None, values, 2, lambda: next(polls)))
    assert [finished.seen.tolist() for finished in epochs] == [[32]]
    assert int(values["step"]) == 2
    resumed = program.run({"x": x, "y": y}, state=cr.State(values), epochs=2)
    assert digest(resumed.state) == digest(program.run({"x": x, "y": y}).state)


@pytest.mark.parametrize("target", ["llvm", "numpy"])
@pytest.mark.parametrize("then", [8, 12, 10, 1000, 3])
def test_other_data_is_passed_over_from_its_first_row_to_its_last(target: str, then: int) -> None:
    x, y = cr.input("x", ("batch", 1)), cr.input("y", ("batch", 1))
    loss = losses.squared_error(x @ cr.parameter("w", (1, 1), 0.0), y)
    step = optim.SGD(lr=1e-9).minimize(loss)
    declared = cr.training(
        step, epochs=1, batch_size=2, shuffle=False, metrics={"mean": cr.mean(x)}
    )
    program = cr.compile(declared, target=target)
    before, after = (np.arange(n, dtype=np.float32).reshape(n, 1) for n in (10, then))
    start = program.run({x: before, y: before}).state
    result = program.run({x: after, y: after}, state=start, epochs=2)
    assert int(result.state["step"]) == 5 + 2 * -(-then // 2)
    np.testing.assert_allclose(result.history["mean"], [after.mean()] * 2)
    first = program.run({x: after, y: after}, state=start)
    second = program.run({x: after, y: after}, state=first.state)
    assert second.state == result.state
    assert "epoch_start" not in result.state


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_a_state_says_where_its_epoch_began_if_it_has_not_ended(target: str) -> None:
    program = cr.compile(Classifier().training(epochs=1), target=target)
    x, y = problem(50)
    other = {"x": x[:24], "y": y[:24]}  # 2 steps an epoch instead of 4
    start = dict(program.run(other).state)
    middle = cr.State({**start, "step": np.int64(3), "epoch_start": np.int64(2)})
    result = program.run({"x": x, "y": y}, state=middle)
    assert int(result.state["step"]) == 6
    long_ago = cr.State({**start, "step": np.int64(5), "epoch_start": np.int64(2)})
    assert int(program.run(other, state=long_ago).state["step"]) == 7
    with pytest.raises(cr.StateError, match="'epoch_start' is no whole number from 0 to 2"):
        program.run(other, state=cr.State({**start, "epoch_start": np.int64(3)}))


def test_what_is_given_is_not_changed() -> None:
    x, y = problem()
    program = Classifier().program(epochs=1)
    start = program.initial_state()
    before, rows = digest(start), x.copy()
    program.run({"x": x, "y": y}, state=start)
    assert digest(start) == before
    np.testing.assert_array_equal(x, rows)


def test_without_shuffling_the_rows_keep_their_order() -> None:
    x, y = problem(32)
    first = Classifier().program(epochs=1, shuffle=False).run({"x": x, "y": y})
    again = Classifier().program(epochs=1, shuffle=False, seed=0).run({"x": x, "y": y})
    other = Classifier().program(epochs=1, shuffle=True).run({"x": x, "y": y})
    assert digest(first.state) == digest(again.state) != digest(other.state)


def test_hyperparameters_change_without_compiling_again() -> None:
    x, y = problem()
    program = Classifier(lr=0.1).program(epochs=1)
    slow = program.run({"x": x, "y": y}, lr=0.01)
    baked = cr.compile(Classifier(lr=0.01).training(1), bake_in=["lr"])
    assert "lr" not in [node.op.label for node in baked.graph.leaves("input")]
    expected = baked.run({"x": x, "y": y})
    name = "classifier/linear1/weight"
    slow_weight, expected_weight = slow.state[name], expected.state[name]
    assert (
        np.max(np.abs(slow_weight.astype(np.float64) - expected_weight.astype(np.float64))) < 1e-6
    )

    change = slow_weight.astype(np.float64) - expected_weight.astype(np.float64)
    assert np.max(np.abs(change)) < 1e-6


def test_evaluate_reports_and_changes_nothing() -> None:
    x, y = problem(1100)  # more than one chunk
    declared = Classifier()
    program = declared.program(epochs=1)
    result = program.run({"x": x, "y": y}, validation={"x": x, "y": y})
    before = digest(result.state)
    report = program.evaluate({"x": x, "y": y}, result.state)
    assert report["loss"] == pytest.approx(result.history["val_loss"][-1])
    predict = cr.compile(declared.logits).bind(result.state)
    assert report["accuracy"] == pytest.approx(np.mean(predict(x=x).argmax(axis=1) == y))
    assert digest(result.state) == before


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_ctrl_c_returns_the_state_after_the_last_whole_step(target: str) -> None:
    x, y = problem(4096)
    data = {"x": x, "y": y}
    program = cr.compile(Classifier().training(epochs=100_000), target=target)
    previous = signal.getsignal(signal.SIGINT)
    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    result = program.run(data, progress=False)
    assert time.monotonic() - started < 30
    assert result.interrupted
    assert signal.getsignal(signal.SIGINT) is previous
    steps = int(result.state["step"])
    assert 0 < steps < 100_000 * 256
    assert len(result.history["loss"]) == -(-steps // 256)
    resumed = program.run(data, state=result.state, epochs=1)
    whole = program.run(data, epochs=steps // 256 + 1)
    assert digest(resumed.state) == digest(whole.state)


def test_a_run_outside_the_main_thread_works() -> None:
    x, y = problem()
    program = Classifier().program(epochs=1)
    results: list[cr.Result] = []
    thread = threading.Thread(target=lambda: results.append(program.run({"x": x, "y": y})))
    thread.start()
    thread.join()
    assert digest(results[0].state) == digest(program.run({"x": x, "y": y}).state)


def test_progress_is_silent_where_there_is_no_terminal() -> None:
    code = (
        "import numpy as np, chainrule as cr\n"
        "from chainrule import nn, losses, optim\n"
        "x = cr.input('x', ('batch', 2))\n"
        "loss = losses.squared_error(nn.Linear(2, 2)(x), x)\n"
        "t = cr.training(optim.SGD(lr=0.1).minimize(loss), epochs=3, batch_size=2)\n"
        "cr.compile(t).run({x: np.ones((4, 2), np.float32)})\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, timeout=60, check=True
    )
    assert done.stdout == b""
    assert done.stderr == b""


def test_a_long_training_leaves_the_floating_point_errors_of_the_caller_alone() -> None:
    x, y = problem()
    with np.errstate(all="raise"):
        before = np.geterr()
        Classifier(lr=1e30).program(epochs=2).run({"x": x, "y": y})
        assert np.geterr() == before


def test_adam_trains_too() -> None:
    x, y = problem(200)
    declared = Classifier()
    step = optim.Adam(lr=0.05).minimize(declared.loss)
    accuracy = metrics.accuracy(declared.logits, declared.y)
    loop = cr.training(step, epochs=40, batch_size=32, metrics={"accuracy": accuracy})
    result = cr.compile(loop).run({"x": x, "y": y})
    assert result.history["accuracy"][-1] > 0.95


def test_native_code_reads_bytes_as_they_are_and_gives_the_bits_of_floats() -> None:
    x, y = problem()
    as_bytes = np.clip(x * 20 + 128, 0, 255).astype(np.uint8)
    program = cr.compile(Classifier(lr=0.001).training(2), target="llvm")
    held_out = {"x": as_bytes[:7].astype(np.float32), "y": y[:7]}
    found = program.run({"x": as_bytes, "y": y}, validation=held_out)
    expected = program.run({"x": as_bytes.astype(np.float32), "y": y}, validation=held_out)
    assert digest(found.state) == digest(expected.state)
    assert found.history == expected.history
    assert np.shares_memory(program._check({"x": as_bytes, "y": y}, {})["x"], as_bytes)
