"""Whole training runs in machine code: the numbers of the NumPy target, the same bits for all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from tests.guarded import Guarded, in_a_child
from tests.trainings import Case, digest, random_training

import chainrule as cr
from chainc.backends.llvm.host import training as host
from chainc.ir.types import Array
from chainrule import losses, metrics, nn, optim, regularize, schedules

# of a state's values after 200 steps and of the histories, relative to the largest, or to 1
BOUNDS = {np.dtype(np.float32): 1e-4, np.dtype(np.float64): 1e-11}


@pytest.fixture(autouse=True)
def more_threads_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many threads as wanted, on any machine."""
    monkeypatch.setattr(host, "threads_for", lambda wanted: wanted or 1)


def close(found: Array, expected: Array) -> None:
    bound = BOUNDS.get(expected.dtype, 0.0)
    scale = np.max(np.abs(expected), initial=1.0)
    left, right = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    np.testing.assert_allclose(left, right, rtol=0, atol=bound * float(scale))


def compare(found: cr.Result, expected: cr.Result) -> None:
    """The same state and histories, within the bound."""
    for name, value in expected.state.items():
        assert np.all(np.isfinite(value))
        close(found.state[name], value)
    assert found.history.keys() == expected.history.keys()
    kinds = {value.dtype for value in expected.state.values()}
    kind = np.dtype(np.float64 if np.dtype(np.float64) in kinds else np.float32)
    for name, numbers in expected.history.items():
        rounding = 0 if "accuracy" in name or kind == np.float32 else 1e-6  # metrics are float32
        np.testing.assert_allclose(
            found.history[name], numbers, rtol=0, atol=BOUNDS[kind] + rounding
        )


@pytest.mark.parametrize("seed", range(12))
def test_random_trainings_agree_with_numpy_for_any_number_of_threads(seed: int) -> None:
    case = random_training(seed)
    reference = cr.compile(case.declared, target="numpy")
    start = reference.initial_state()
    expected = reference.run(case.data, validation=case.validation, state=start)
    results = [
        cr.compile(case.declared, threads=threads).run(
            case.data, validation=case.validation, state=start
        )
        for threads in (1, 2, 3)
    ]
    compare(results[0], expected)
    for result in results[1:]:
        assert digest(result.state) == digest(results[0].state)
        assert result.history == results[0].history


@pytest.mark.parametrize("seed", range(12, 18))
def test_random_trainings_agree_without_passes(seed: int) -> None:
    case = random_training(seed)
    reference = cr.compile(case.declared, target="numpy", passes=())
    start = reference.initial_state()
    found = cr.compile(case.declared, passes=()).run(case.data, state=start)
    compare(found, reference.run(case.data, state=start))


Data = dict[str, Array]


@dataclass(frozen=True)
class Clipped(optim.SGD):
    """Every element of a gradient is held between -0.01 and 0.01."""

    def updates(
        self, parameter: cr.Node, gradient: cr.Node, scalars: Mapping[str, cr.Node]
    ) -> Mapping[cr.Node, cr.Node]:
        clipped = cr.maximum(cr.minimum(gradient, 0.01), -0.01)
        return super().updates(parameter, clipped, scalars)


def scaled_by_norm(loss: cr.Node) -> optim.Step:
    """All gradients together have a norm of at most 0.1."""
    plain = optim.SGD(lr=1.0).minimize(loss)
    norm = cr.sqrt(sum((cr.sum(cr.square(g)) for g in plain.gradients), start=cr.constant(0.0)))
    scale = 0.1 / cr.maximum(norm, 0.1)
    new = {p: p - scale * g for p, g in zip(plain.parameters, plain.gradients, strict=True)}
    return optim.Step(loss, {**plain.updates, **new}, plain.parameters, plain.gradients)


def classified(rows: int, features: int, classes: int) -> Data:
    random = np.random.default_rng(rows)
    x = random.standard_normal((rows, features)).astype(np.float32)
    y = np.argmax(x @ random.standard_normal((features, classes)), axis=1).astype(np.int32)
    return {"x": x, "y": y}


def classifier(
    minimize: Callable[[cr.Node], optim.Step], sizes: tuple[int, int, int], batch: int, rows: int
) -> tuple[cr.Training, Data]:
    features, hidden, classes = sizes
    x, y = cr.input("x", ("batch", features)), cr.input("y", ("batch",), dtype="int32")
    logits = nn.Sequential(
        nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, classes), name="model"
    )(x)
    step = minimize(losses.cross_entropy(logits, y))
    measured = {"accuracy": metrics.accuracy(logits, y)}
    epochs = 200 // -(-rows // batch)
    declared = cr.training(step, epochs=epochs, batch_size=batch, metrics=measured)
    return declared, classified(rows, features, classes)


def regression(dtype: str, shuffle: bool, decay: float = 0.0) -> tuple[cr.Training, Data]:
    """tanh(tanh(x w) w) v: one parameter used twice, thrice with a penalty on its square."""
    x = cr.input("x", ("batch", 12), dtype=dtype)
    y = cr.input("y", ("batch", 3), dtype=dtype)
    w = cr.parameter("w", (12, 12), "xavier_normal", dtype=dtype)
    v = cr.parameter("v", (12, 3), "xavier_normal", dtype=dtype)
    loss = losses.squared_error(cr.tanh(cr.tanh(x @ w) @ w) @ v, y)
    if decay:
        loss = loss + decay * cr.sum(cr.square(w))
    step = optim.Adam(lr=0.01).minimize(loss)
    declared = cr.training(step, epochs=40, batch_size=16, shuffle=shuffle)
    random = np.random.default_rng(3)
    given = random.standard_normal((70, 12)).astype(dtype)  # four batches of 16 and one of 6
    return declared, {"x": given, "y": np.sin(given[:, :3])}


def with_a_chain(loss: cr.Node) -> optim.Step:
    """A penalty, noise, a common norm, two batches an update, an average, a plateau."""
    parameters = optim.SGD(0.1).minimize(loss).parameters
    decay = regularize.l2(1e-3, parameters)
    clip = optim.clip.by_global_norm(0.5)
    rate = schedules.plateau(0.01, loss, every=6, factor=0.5, patience=2)
    return optim.AdamW(
        rate,
        signal=[decay, optim.noise(0.01), clip, optim.accumulate(2)],
        average=optim.averages.swa(20),
    ).minimize(loss)


def in_groups(loss: cr.Node) -> optim.Step:
    first, *others = optim.SGD(0.1).minimize(loss).parameters
    parts = ([first], optim.RMSProp(0.002, momentum=0.5, centered=True)), optim.NAdam(0.003)
    assert others
    return optim.groups(*parts, signal=[optim.clip.by_norm(0.5)]).minimize(loss)


DIGITS, SMALL = (64, 32, 10), (20, 12, 4)
TRAININGS: Mapping[str, Callable[[], tuple[cr.Training, Data]]] = {
    "digits, momentum": lambda: classifier(
        optim.SGD(lr=0.1, momentum=0.9).minimize, DIGITS, 32, 320
    ),
    "digits, Adam, last batch of 7": lambda: classifier(
        optim.Adam(lr=0.003).minimize, DIGITS, 32, 135
    ),
    "schedule": lambda: classifier(
        optim.SGD(lr=schedules.warmup(20, schedules.cosine(0.2, steps=200))).minimize, SMALL, 10, 96
    ),
    "clipped elements": lambda: classifier(Clipped(lr=0.5).minimize, SMALL, 16, 90),
    "clipped norm": lambda: classifier(scaled_by_norm, SMALL, 16, 90),
    "a chain, an average, a plateau": lambda: classifier(with_a_chain, SMALL, 16, 90),
    "groups": lambda: classifier(in_groups, DIGITS, 32, 135),
    "tanh regression, a parameter used twice": lambda: regression("float32", True),
    "in order": lambda: regression("float32", False),
    "float64": lambda: regression("float64", True),
    "float64 with a penalty": lambda: regression("float64", True, 0.01),
}


@pytest.mark.parametrize("name", TRAININGS)
def test_two_hundred_steps_agree_with_numpy(name: str) -> None:
    declared, data = TRAININGS[name]()
    reference = cr.compile(declared, target="numpy")
    start = reference.initial_state()
    validation = {key: values[:33] for key, values in data.items()}
    expected = reference.run(data, validation=validation, state=start)
    found = cr.compile(declared, threads=1).run(data, validation=validation, state=start)
    assert int(expected.state["step"]) >= 190
    compare(found, expected)
    both = cr.compile(declared, threads=2).run(data, validation=validation, state=start)
    assert digest(both.state) == digest(found.state)
    assert both.history == found.history


def thousand_steps(threads: int) -> str:
    """What is left of 200 epochs of five batches, the last of them smaller."""
    declared, data = classifier(optim.Adam(lr=0.003).minimize, DIGITS, 32, 135)
    program = cr.compile(declared, threads=threads)
    return digest(program.run(data, epochs=200).state)


def test_a_thousand_steps_leave_the_same_bits_in_any_process_for_any_number_of_threads() -> None:
    expected = thousand_steps(1)
    assert thousand_steps(2) == expected
    code = "from tests.conformance.test_trainings import thousand_steps; print(thousand_steps(2))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.strip() == expected


@pytest.mark.parametrize("cut", [1, 17, 39])
def test_two_runs_have_the_bits_of_one(cut: int) -> None:
    declared, data = regression("float32", True)
    program = cr.compile(declared)
    whole = program.run(data, epochs=40)
    first = program.run(data, epochs=cut)
    second = program.run(data, epochs=40 - cut, state=first.state)
    assert digest(second.state) == digest(whole.state)
    assert first.history["loss"] + second.history["loss"] == whole.history["loss"]


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_state_from_the_middle_of_an_epoch_goes_on_as_with_numpy(shuffle: bool) -> None:
    declared, data = regression("float32", shuffle)
    numpy_program = cr.compile(declared, target="numpy")
    values = {name: np.array(value) for name, value in numpy_program.initial_state().items()}
    polls = iter([False, False, False, True])  # before each of the first steps
    arrays = numpy_program._check(data, {})
    runner = numpy_program._compiled.executable.runner
    list(runner.run(arrays, None, values, 1, polls.__next__))
    assert int(values["step"]) == 3
    state = cr.State(values)
    found = cr.compile(declared).run(data, epochs=2, state=state)
    assert int(found.state["step"]) == 10
    compare(found, numpy_program.run(data, epochs=2, state=state))


def guarded(case: Case, *, last: bool) -> Case:
    """The same with every array beside a page that cannot be touched."""
    pages = Guarded(last=last)
    data = {key: pages.copy(values) for key, values in case.data.items()}
    held_out = None
    if case.validation is not None:
        held_out = {key: pages.copy(values) for key, values in case.validation.items()}
    return Case(case.declared, data, held_out)


@pytest.mark.skipif(sys.platform != "linux", reason="needs fork and mprotect")
def test_trainings_read_nothing_beside_their_data() -> None:
    def train() -> None:
        for seed in range(12):
            case = random_training(seed)
            program = cr.compile(case.declared, threads=1)
            expected = digest(program.run(case.data, validation=case.validation).state)
            for last in (False, True):
                placed = guarded(case, last=last)
                found = program.run(placed.data, validation=placed.validation)
                assert digest(found.state) == expected

    assert in_a_child(train) == 0
