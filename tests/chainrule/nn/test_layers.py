"""What all layers keep: gradients of both modes, summaries, files, both targets, threads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from tests.exported import BATCH, EPOCHS, OK, SEED, Exported, Library, data, job_struct
from tests.layers import at_point
from tests.trainings import digest

import chainrule as cr
from chainc.ir.types import static
from chainc.ops.runs.modes import Mode
from chainrule import datasets, losses, metrics, nn, optim

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "Dropout": lambda: nn.Dropout(0.4),
    "BatchNorm1d": lambda: nn.BatchNorm1d(6),
    "BatchNorm1d plain": lambda: nn.BatchNorm1d(6, affine=False),
    "LayerNorm": lambda: nn.LayerNorm(6),
    "Residual": lambda: nn.Residual(nn.Linear(6, 6), nn.Tanh()),
    "Residual with a shortcut": lambda: nn.Residual(nn.Linear(6, 4), shortcut=nn.Linear(6, 4)),
    "Concat": lambda: nn.Concat(nn.Linear(6, 2), nn.Sequential(nn.Linear(6, 3), nn.Tanh())),
    "PReLU": nn.PReLU,
    "PReLU of features": lambda: nn.PReLU(6),
    "Maxout": lambda: nn.Maxout(6, 3, pieces=2),
    "GELU": nn.GELU,
    "GELU by tanh": lambda: nn.GELU("tanh"),
    "SiLU": nn.SiLU,
    "LogSoftmax": nn.LogSoftmax,
    "Lambda": lambda: nn.Lambda(lambda x: cr.sin(x) * x),
    "Reshape": lambda: nn.Sequential(nn.Reshape(2, 3), nn.Flatten()),
    "MLP": lambda: nn.MLP(6, 5, 3, dropout=0.3, batch_norm=True, activation=nn.Tanh),
}
MODES: tuple[Mode, Mode] = ("train", "infer")

random = np.random.default_rng(5)
X: npt.NDArray[np.float32] = random.standard_normal((7, 6)).astype(np.float32)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_the_limits_of_difference_quotients(name: str, mode: Mode) -> None:
    x, layer = cr.input("x", (7, 6)), LAYERS[name]()
    applied = at_point(layer(x), [x, *layer.parameters()], mode, {"x": X})
    for found, wanted in zip(applied.gradients(), applied.quotients(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=2e-7)


@pytest.mark.parametrize("name", LAYERS)
def test_both_targets_compute_both_modes_alike(name: str) -> None:
    x, layer = cr.input("x", ("batch", 6)), LAYERS[name]()
    y = layer(x)
    wanted = [y, *cr.grad(cr.sum(cr.square(y)), [x, *layer.parameters()])]
    for mode in MODES:
        results = []
        for target in ("numpy", "llvm"):
            function = cr.compile(wanted, target=target, mode=mode)
            results.append(function.bind(function.initial_state(2))(x=X))
        for a, b in zip(*results, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_a_training_has_the_same_bits_on_any_number_of_threads(name: str) -> None:
    x, y = cr.input("x", ("batch", 6)), cr.input("y", ("batch",))
    layer = nn.Sequential(nn.Linear(6, 6), LAYERS[name]())(x)
    loss = losses.squared_error(cr.sum(cr.tanh(layer), 1), y)
    rows = {"x": random.standard_normal((90, 6)).astype(np.float32), "y": np.ones(90, np.float32)}
    loop = cr.training(optim.SGD(0.001).minimize(loss), epochs=2, batch_size=32)
    states = [cr.compile(loop, threads=threads).run(rows).state for threads in (1, 2)]
    assert digest(states[0]) == digest(states[1])
    other = cr.compile(loop, target="numpy").run(rows).state
    for key, value in states[0].items():
        wanted = np.asarray(value, float)
        np.testing.assert_allclose(np.asarray(other[key], float), wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", LAYERS)
def test_states_are_saved_and_loaded_and_layers_have_a_line_in_a_summary(
    name: str, tmp_path: Path
) -> None:
    layer = LAYERS[name]()
    x = cr.input("x", ("batch", 6))
    function = cr.compile(layer(x))
    state = function.initial_state(1)
    state.save(tmp_path / "state.safetensors")
    again = cr.State.load(tmp_path / "state.safetensors")
    assert digest(again) == digest(state)
    assert np.array_equal(function.bind(again)(x=X), function.bind(state)(x=X))
    summary = layer.summary(x, batch=7)
    assert summary.total.kind == type(layer).__name__
    assert summary.total.output_shape == layer(x).shape
    counts = [np.prod(static(p.shape), dtype=int) for p in layer.parameters()]
    assert summary.total.parameters == sum(counts)
    assert type(layer).__name__ in repr(layer) or name == "Reshape"


class Regularised:
    """The network of the lectures' digits: batch norm and dropout between two linear layers."""

    def __init__(self) -> None:
        self.x, self.y = cr.input("x", ("batch", 64)), cr.input("y", ("batch",), dtype="int32")
        self.model = nn.Sequential(
            nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 10)
        )
        self.logits = self.model(self.x)
        self.loss = losses.cross_entropy(self.logits, self.y)
        self.step = optim.SGD(0.1, momentum=0.9).minimize(self.loss)

    def program(self) -> cr.TrainingProgram:
        return cr.compile(cr.training(self.step, epochs=EPOCHS, batch_size=BATCH, seed=SEED))


def test_an_exported_library_trains_and_predicts_with_dropout_and_batch_norm(
    tmp_path: Path,
) -> None:
    declared, rows = Regularised(), data()
    program = declared.program()
    program.export(tmp_path, name="digits", predict=declared.logits, processor="native")
    exported = Exported(program, declared.logits, tmp_path)
    library = Library(exported)
    assert library.call("train", job_struct(rows, EPOCHS, np.zeros(EPOCHS * 6))) == OK
    result = program.run(rows)
    for key, value in result.state.items():
        word = key.upper().replace("/", "_")
        assert library.get(word, value.shape, str(value.dtype)).tobytes() == value.tobytes()
    scores = np.zeros((len(rows["x"]), 10), np.float32)
    assert library.call("predict", rows["x"], len(rows["x"]), scores) == OK
    predict = cr.compile(declared.logits).bind(result)
    np.testing.assert_allclose(scores, predict(x=rows["x"]), rtol=1e-4, atol=1e-4)


def test_an_exported_library_refuses_a_last_batch_of_one_row(tmp_path: Path) -> None:
    declared = Regularised()
    program = declared.program()
    program.export(tmp_path, name="digits", processor="native")
    exported = Exported(program, declared.logits, tmp_path)
    assert exported.number("LEAST_ROWS") == 2
    library, before = Library(exported), Library(exported).state()
    for rows, fine in ((BATCH + 1, False), (1, False), (BATCH + 2, True), (BATCH, True)):
        result = library.call("train", job_struct(data(rows), 1, np.zeros(12)))
        assert (result == OK) == fine
        assert fine or library.state() == before


def test_digits_are_learned_with_what_helps() -> None:
    digits = datasets.digits()
    x, y = cr.input("x", ("batch", 64)), cr.input("y", ("batch",), dtype="int32")
    model = nn.Sequential(
        nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 10)
    )
    logits = model(x)
    step = optim.SGD(0.1, momentum=0.9).minimize(losses.cross_entropy(logits, y))
    found = {"accuracy": metrics.accuracy(logits, y)}
    program = cr.compile(cr.training(step, epochs=20, batch_size=32, metrics=found))
    result = program.run([digits.train.x, digits.train.y])
    scores = cr.compile(logits).bind(result)(digits.test.x)
    share = float((np.argmax(scores, axis=1) == digits.test.y).mean())
    held_out = program.evaluate([digits.test.x, digits.test.y], result.state)
    assert share == pytest.approx(held_out["accuracy"], abs=1e-6)
    assert share > 0.975
