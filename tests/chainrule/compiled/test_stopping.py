"""Rules that the compiled loop follows after each epoch, against a loop in Python."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.exported import CC

import chainrule as cr
from chainc.ir import Node
from chainc.ir.types import Array
from chainrule import losses, metrics, nn, optim

HERE = Path(__file__).name
TARGETS = [("llvm", 1), ("llvm", 2), ("numpy", 1)]


def data(rows: int, seed: int = 0) -> dict[str, Array]:
    random = np.random.default_rng(seed)
    x = random.standard_normal((rows, 6)).astype(np.float32)
    noise = random.standard_normal(rows)
    return {"x": x, "y": (x[:, 0] + 0.5 * noise > 0).astype(np.int32)}


TRAIN, HELD_OUT = data(40), data(37, 1)


def declared(
    stop: object = None, epochs: int = 60, more: dict[str, Node] | None = None
) -> cr.Training:
    x, y = cr.input("x", ("batch", 6)), cr.input("y", ("batch",), dtype="int32")
    model = nn.Sequential(nn.Linear(6, 24), nn.BatchNorm1d(24), nn.Tanh(), nn.Linear(24, 2))
    logits = model(x)
    step = optim.Adam(lr=0.05).minimize(losses.cross_entropy(logits, y))
    named = {"accuracy": metrics.accuracy(logits, y), "largest": cr.max(x), **(more or {})}
    kept = {name: node for name, node in named.items() if name != "largest" or more is not None}
    return cr.training(step, epochs=epochs, batch_size=16, metrics=kept, stop=stop)  # type: ignore[arg-type]


def stops_after(values: Sequence[float], patience: int, min_delta: float = 0.0) -> int:
    best, waited = math.inf, 0
    for epoch, value in enumerate(values, start=1):
        better = value < best - min_delta
        best, waited = (value, 0) if better else (best, waited + 1)
        if waited >= patience:
            return epoch
    return len(values)


@pytest.mark.parametrize(("target", "threads"), TARGETS)
def test_early_stopping_ends_where_a_python_loop_would(target: str, threads: int) -> None:
    whole = cr.compile(declared(), target=target, threads=threads)
    history = whole.run(TRAIN, validation=HELD_OUT).history["val_loss"]
    rule = cr.EarlyStopping("val_loss", patience=4, min_delta=0.003)
    program = cr.compile(declared(rule), target=target, threads=threads)
    result = program.run(TRAIN, validation=HELD_OUT)
    ends = stops_after(history, 4, 0.003)
    assert 4 < ends < len(history)
    assert result.history["val_loss"] == history[:ends]
    assert result.stopped
    after = whole.run(TRAIN, validation=HELD_OUT, epochs=ends).state
    assert {name: result.state[name].tobytes() for name in after} == {
        name: value.tobytes() for name, value in after.items()
    }


@pytest.mark.parametrize(("target", "threads"), TARGETS)
@pytest.mark.parametrize("patience", [3, 1000])
def test_the_best_epoch_is_restored_whenever_a_run_ends(
    target: str, threads: int, patience: int
) -> None:
    rule = cr.EarlyStopping("val_accuracy", patience=patience, restore_best=True)
    program = cr.compile(declared(rule, epochs=30), target=target, threads=threads)
    result = program.run(TRAIN, validation=HELD_OUT)
    history = result.history["val_accuracy"]
    assert history[-1] < max(history)
    assert program.evaluate(HELD_OUT, result)["accuracy"] == max(history)
    plain = cr.compile(declared(), target=target, threads=threads)
    best = plain.run(TRAIN, validation=HELD_OUT, epochs=1 + history.index(max(history))).state
    slots = [name for name in best if not name.startswith("adam/") and name != "step"]
    assert any("running" in name for name in slots), slots
    for name in slots:
        np.testing.assert_array_equal(result.state[name], best[name])
    assert result.state["step"] == 3 * len(history)


@pytest.mark.parametrize(("target", "threads"), TARGETS)
def test_a_run_in_parts_stops_where_one_run_stops(target: str, threads: int) -> None:
    rule = cr.EarlyStopping("val_loss", patience=4)
    program = cr.compile(declared(rule), target=target, threads=threads)
    whole = program.run(TRAIN, validation=HELD_OUT)
    part = program.run(TRAIN, validation=HELD_OUT, epochs=5)
    rest = program.run(TRAIN, validation=HELD_OUT, state=part)
    assert part.history["loss"] + rest.history["loss"] == whole.history["loss"]
    assert rest.state == whole.state


def test_a_state_from_a_run_without_rules_will_do() -> None:
    state = cr.compile(declared()).run(TRAIN, epochs=2).state
    program = cr.compile(declared(cr.EarlyStopping("val_loss", patience=3)))
    assert program.run(TRAIN, validation=HELD_OUT, state=state, epochs=1).stopped is False


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_a_target_value_ends_a_training(target: str) -> None:
    program = cr.compile(declared(cr.TargetValue("loss", 0.3)), target=target)
    losses_seen = program.run(TRAIN).history["loss"]
    assert losses_seen[-1] <= 0.3 < losses_seen[-2]


@pytest.mark.parametrize("target", ["llvm", "numpy"])
@pytest.mark.filterwarnings("ignore::chainrule.NonFiniteWarning")
def test_a_guard_ends_a_training_that_diverges(target: str) -> None:
    x = cr.input("x", ("batch", 6))
    loss = cr.mean(cr.square(x * cr.parameter("w", (6,), 1.0)))
    step = optim.SGD(lr=1e9).minimize(loss)
    rules = (cr.NaNGuard(), cr.EarlyStopping("loss", patience=1000))
    program = cr.compile(cr.training(step, epochs=50, batch_size=20, stop=rules), target=target)
    result = program.run({"x": TRAIN["x"]})
    assert not np.isfinite(result.history["loss"][-1])
    assert np.isfinite(result.history["loss"][:-1]).all()
    assert 1 < len(result.history["loss"]) < 50


@pytest.mark.skipif(CC is None, reason="there is no C compiler")
def test_an_exported_program_stops_and_restores_too(tmp_path: Path) -> None:
    rule = cr.EarlyStopping("val_loss", patience=3, restore_best=True)
    program = cr.compile(declared(rule))
    result = program.run(TRAIN, validation=HELD_OUT)
    program.export(tmp_path, name="early", processor="native")
    content = b"CHAINDAT" + np.array([40, 37, 0], "<i8").tobytes()
    for part in (TRAIN, HELD_OUT):
        content += part["x"].tobytes() + part["y"].tobytes()
    (tmp_path / "data").write_bytes(content)
    compiler = [str(CC), "-std=c11", "-Wall", "-Wextra", "-Werror", "main.c", "early.o"]
    subprocess.run([*compiler, "-o", "early"], cwd=tmp_path, check=True)
    told = subprocess.run(
        ["./early", "data", "state"], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert len(told) == len(result.history["loss"]) < 60
    assert (
        result.state["early_stopping/val_loss/best"].tobytes() in (tmp_path / "state").read_bytes()
    )
    weights = [name for name in result.state if name.endswith("weight")]
    written = (tmp_path / "state").read_bytes()
    assert all(result.state[name].tobytes() in written for name in weights)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cr.EarlyStopping(patience=0), "EarlyStopping: patience"),
        (lambda: cr.EarlyStopping(min_delta=-1), "EarlyStopping: min_delta"),
        (lambda: cr.EarlyStopping("val_loss", mode="best"), "EarlyStopping: mode is 'best'"),
        (lambda: cr.EarlyStopping("val_bleu"), "is a larger or a smaller 'val_bleu' better"),
        (lambda: cr.EarlyStopping(3), "3 is no name of a value"),  # type: ignore[arg-type]
        (lambda: cr.TargetValue("loss", math.nan), "TargetValue: value"),
        (lambda: declared(cr.EarlyStopping("val_mae")), "stop reads 'val_mae', which"),
        (lambda: declared(5), "5 does not say when to stop"),
        (
            lambda: declared(cr.NaNGuard("square"), more={"square": cr.constant([[1.0]])}),
            "stop reads 'square', which is no scalar",
        ),
        (
            lambda: cr.compile(declared(cr.NaNGuard("largest"), more={})),
            "stop reads 'largest', which does not follow from sums",
        ),
        (
            lambda: cr.compile(declared(cr.EarlyStopping("val_loss"))).run(TRAIN),
            "stops by 'val_loss', and there are no validation data",
        ),
    ],
)
def test_what_cannot_be_followed_is_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(cr.ChainruleError, match=rf"{message}[\s\S]*{HERE}"):
        make()
