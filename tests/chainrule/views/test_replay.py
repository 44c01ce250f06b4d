"""A step again, against what the compiled loop itself has done."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainc.ir.types import Array
from chainrule import losses, metrics, nn, optim, regularize
from chainrule.compiled.training import TrainingProgram
from chainrule.evaluation.values import Floats

HERE = Path(__file__).name
TARGETS = ["llvm", "numpy"]
RANDOM = np.random.default_rng(7)
X = RANDOM.standard_normal((22, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)
DATA = {"x": X, "y": Y}

x = cr.input("x", ("batch", 4))
y = cr.input("y", ("batch",), dtype="int32")


def dropping(**others: object) -> cr.Training:
    """A network with all that differs by mode; five steps an epoch, the last of two rows."""
    # a bias before batch norm would have a gradient of 0 but for rounding, which Adam scales up
    first = nn.Linear(4, 6, bias=False)
    model = nn.Sequential(
        first, nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 2), name="m"
    )
    logits = model(x)
    loss = losses.cross_entropy(logits, y)
    step = optim.Adam(0.05, signal=[optim.clip.by_global_norm(1.0)]).minimize(
        loss + regularize.l2(1e-3, model.parameters())
    )
    reported = {"accuracy": metrics.accuracy(logits, y)}
    chosen = {"epochs": 4, "batch_size": 5, "seed": 3, "metrics": reported, **others}
    return cr.training(step, **chosen)  # type: ignore[arg-type]


def floats(array: Array) -> Floats:
    return array.astype(np.float64)


@cache
def program_for(target: str) -> TrainingProgram:
    return cr.compile(dropping(), target=target)


def with_a_logarithm() -> tuple[cr.Training, cr.Node]:
    w = cr.parameter("w", (4,), 1.0)
    inside = cr.log(x @ w)
    step = optim.SGD(lr=0.0001).minimize(cr.mean(inside) + 0.0 * cr.mean(cr.astype(y, "float32")))
    return cr.training(step, epochs=2, batch_size=4, shuffle=True), inside


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("shuffle", [True, False])
def test_the_updates_of_every_step_lead_to_the_state_of_the_next(
    target: str, shuffle: bool
) -> None:
    program = cr.compile(dropping(shuffle=shuffle), target=target)
    for step in (0, 1, 4, 5, 12):
        now, following = (program.replay(DATA, step=n) for n in (step, step + 1))
        assert now.step == int(now.state["step"]) == step
        assert set(now.updates) <= set(following.state)
        for name, value in now.updates.items():
            np.testing.assert_allclose(
                floats(following.state[name]), floats(value), rtol=2e-4, atol=2e-5, err_msg=name
            )


@pytest.mark.parametrize("target", TARGETS)
def test_the_state_before_a_step_is_that_of_the_run_bit_for_bit(target: str) -> None:
    program = program_for(target)
    left = program.run(DATA, epochs=2).state
    found = program.replay(DATA, step=10).state
    assert {n: found[n].tobytes() for n in left} == {n: left[n].tobytes() for n in left}
    again = program.replay(DATA, step=13, state=left)
    assert cr.State(again.state) == cr.State(program.replay(DATA, step=13).state)
    middle = program.replay(DATA, step=14, state=again)  # from the middle of an epoch
    assert cr.State(middle.state) == cr.State(program.replay(DATA, step=14).state)
    whole = program.run(DATA, state=again.state, epochs=2).state
    assert whole == program.run(DATA, epochs=4).state


def test_steps_are_counted_over_runs_of_few_epochs_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """The native loop has room for so many epochs of history at a time."""
    program = program_for("llvm")
    whole = [cr.State(program.replay(DATA, step=step).state) for step in (9, 10, 13)]
    monkeypatch.setattr("chainc.backends.llvm.host.training.MOST_EPOCHS", 1)
    assert [cr.State(program.replay(DATA, step=step).state) for step in (9, 10, 13)] == whole


@pytest.mark.parametrize("target", TARGETS)
def test_losses_and_metrics_of_an_epoch_are_those_of_its_steps(target: str) -> None:
    """So the masks are those that the compiled steps drew: the loss knows them."""
    program = program_for(target)
    history = program.run(DATA).history
    for epoch in (0, 2):
        steps = [program.replay(DATA, step=5 * epoch + n) for n in range(5)]
        weights = [len(replay.rows) for replay in steps]
        assert weights == [5, 5, 5, 5, 2]
        visited = np.concatenate([replay.rows for replay in steps])
        assert sorted(visited) == list(range(22))
        assert list(visited) != list(range(22))
        for name in ("loss", "accuracy"):
            found = np.average([float(each.reported[name]) for each in steps], weights=weights)
            assert found == pytest.approx(history[name][epoch], rel=2e-5)


def test_rows_are_those_that_the_loop_visits() -> None:
    """A training whose state says which rows a step has read."""
    number = cr.input("number", ("batch",))
    kept = cr.parameter("kept", (), 0.0, trainable=False)
    w = cr.parameter("w", (), 0.0)
    loss = cr.mean(cr.updating(number * w, {kept: cr.sum(cr.pow(2.0, number))}))
    training = cr.training(optim.SGD(lr=0.1).minimize(loss), epochs=3, batch_size=4)
    program = cr.compile(training)
    rows = np.arange(11, dtype=np.float32)
    for step in (0, 2, 4, 8):
        replay = program.replay({"number": rows}, step=step)
        following = program.replay({"number": rows}, step=step + 1) if step < 8 else None
        state = following.state if following else program.run({"number": rows}).state
        assert float(state["kept"]) == sum(2.0**row for row in replay.rows)
        assert list(replay.batch["number"]) == list(replay.rows)


def test_values_and_gradients_are_found_by_what_was_declared() -> None:
    w = cr.parameter("w", (4, 2), cr.init.normal(1.0))
    hidden = nn.Dropout(0.5)(x @ w)
    loss = losses.cross_entropy(hidden, y)
    program = cr.compile(cr.training(optim.SGD(lr=0.1).minimize(loss), epochs=2, batch_size=8))
    replay = program.replay(DATA, step=2)
    assert replay.values[hidden].dtype == np.float32
    logits = floats(replay.batch["x"]) @ floats(replay.state["w"])
    masked = floats(replay.values[hidden])
    dropped = masked == 0.0
    assert 0 < dropped.sum() < dropped.size
    np.testing.assert_allclose(masked, np.where(dropped, 0, 2 * logits), rtol=1e-5)
    probabilities = np.exp(masked) / np.exp(masked).sum(1, keepdims=True)
    picked = probabilities[np.arange(len(masked)), replay.batch["y"]]
    assert float(replay.values[loss]) == pytest.approx(-np.log(picked).mean(), rel=1e-5)
    error = probabilities - np.eye(2)[replay.batch["y"]]
    by_hand = floats(replay.batch["x"]).T @ np.where(dropped, 0, 2 * error) / len(masked)
    np.testing.assert_allclose(floats(replay.gradients[w]), by_hand, rtol=1e-4, atol=1e-6)
    flowing = replay.backpropagation
    np.testing.assert_allclose(floats(flowing.gradients[w]), by_hand, rtol=1e-4, atol=1e-6)


def test_it_is_a_point_for_circuits_and_the_stepper(tmp_path: Path) -> None:
    w = cr.parameter("w", (4,), 0.25)
    loss = cr.mean(cr.square(x @ w - cr.astype(y, "float32")))
    program = cr.compile(cr.training(optim.SGD(lr=0.1).minimize(loss), epochs=3, batch_size=2))
    replay = program.replay(DATA, step=7)
    assert replay.loss is loss
    assert set(replay.point()) == {"x", "y", "w"}
    circuit = cr.draw(loss, cr.grad(loss, w), values=replay.point())
    assert f"{float(replay.reported['loss']):.4g}"[:5] in circuit.dot
    page = cr.step_through(replay.loss, replay.point(), path=tmp_path / "step.html")
    assert page.stat().st_size > 1000
    cr.check_grad(loss, w, at=replay.point(loss))
    dropping_replay = program_for("llvm").replay(DATA, step=3)
    cr.step_through(dropping_replay.loss, dropping_replay.point(), path=tmp_path / "d.html")
    assert float(dropping_replay.backpropagation.values[dropping_replay.loss]) == pytest.approx(
        float(dropping_replay.reported["loss"]), rel=1e-5
    )


def test_a_point_of_something_else_is_refused() -> None:
    replay = program_for("numpy").replay(DATA, step=0)
    with pytest.raises(cr.InputError, match="point: the step does not read 'other'") as caught:
        replay.point(cr.input("other"))
    assert f"{HERE}:" in str(caught.value)
    assert "try: it reads" in str(caught.value)


@pytest.mark.parametrize("target", TARGETS)
def test_the_first_strange_number_is_found_with_its_line_and_row(target: str) -> None:
    training, inside = with_a_logarithm()
    program = cr.compile(training, target=target)
    positive = np.abs(X) + 0.1
    assert program.replay({"x": positive, "y": Y}, step=3).first_strange() is None
    planted = positive.copy()
    planted[17] = 0.0
    replay = next(
        replay
        for replay in (program.replay({"x": planted, "y": Y}, step=n) for n in range(6))
        if 17 in replay.rows
    )
    found = replay.first_strange()
    assert found is not None
    assert found.row == 17
    assert found.node.op.name == inside.op.name == "log"
    assert found.value[found.index] == -np.inf
    assert str(found).startswith("log f32[batch]")
    assert f"{HERE}:" in str(found)
    assert str(found).endswith(f"holds −inf at [{found.index[0]}], of row 17 of the data")
    assert "the first strange number: log" in replay._repr_html_()


def test_what_the_passes_have_made_stable_is_not_strange() -> None:
    """Log of a softmax that is 0 in float32: the program computes another form of it."""
    w = cr.parameter("w", (4, 2), 1.0)
    loss = -cr.mean(cr.log(cr.softmax(400.0 * (x @ w) * np.array([1.0, -1.0], np.float32))))
    program = cr.compile(cr.training(optim.SGD(lr=0.01).minimize(loss), epochs=1, batch_size=22))
    replay = program.replay({"x": X}, step=0)
    assert replay.first_strange() is None
    assert float(replay.values[loss]) == pytest.approx(program.run({"x": X}).history["loss"][0])


@pytest.mark.parametrize("target", TARGETS)
def test_of_several_steps_the_later_reads_what_the_one_before_wrote(target: str) -> None:
    w, v = (cr.parameter(name, (4,), first) for name, first in (("w", 0.5), ("v", -0.25)))
    gap = cr.mean(cr.square(x @ w - x @ v))
    chase = optim.SGD(lr=0.1).minimize(gap, [v])
    flee = optim.SGD(lr=0.2, maximize=True).minimize(gap + cr.mean(x @ w), [w])
    program = cr.compile(cr.training([chase, flee], epochs=2, batch_size=8), target=target)
    replay = program.replay({"x": X}, step=4)
    rows, old = floats(replay.batch["x"]), floats(replay.state["w"])
    mover = floats(replay.state["v"])
    error = rows @ old - rows @ mover
    assert float(replay.values[gap]) == pytest.approx(float((error**2).mean()), rel=1e-5)
    np.testing.assert_allclose(
        floats(replay.gradients[v]), -2 * rows.T @ error / len(rows), rtol=1e-4
    )
    new = mover + 0.1 * 2 * rows.T @ error / len(rows)
    after = float(((rows @ old - rows @ new) ** 2).mean() + (rows @ old).mean())
    assert float(replay.reported["flee_loss"]) == pytest.approx(after, rel=1e-4)
    following = program.replay({"x": X}, step=5).state["v"]
    np.testing.assert_allclose(floats(following), floats(replay.updates["v"]), rtol=1e-5)


def test_rules_that_end_a_training_are_followed() -> None:
    training = dropping(stop=cr.TargetValue("val_loss", 100.0), epochs=9)
    program = cr.compile(training)
    assert program.run(DATA, validation=DATA).stopped
    assert program.replay(DATA, validation=DATA, step=4).step == 4
    for step in (5, 7):
        with pytest.raises(cr.InputError, match=f"after 5 steps, so there is no step {step}"):
            program.replay(DATA, validation=DATA, step=step)
    with pytest.raises(cr.InputError, match="there are no validation data"):
        program.replay(DATA, step=4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"step": -1}, "replay: step must be a whole number, at least 0"),
        ({"step": 1.5}, "replay: step must be a whole number"),
        ({"step": 20}, "replay: the run has no step 20: it does the steps 0 to 19"),
        ({"step": 5, "epochs": 1}, "replay: the run has no step 5: it does the steps 0 to 4"),
        ({"step": 0, "epochs": 0}, "replay: epochs must be a whole number"),
        ({"step": 0, "rate": 0.1}, "there is no hyperparameter 'rate'"),
        ({"step": 0, "data": {"x": X}}, "no value for the input y"),
        ({"step": 0, "data": {"x": X[:3], "y": Y[:3]}}, "fewer than one batch of 5"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, object], message: str) -> None:
    program = program_for("numpy")
    with pytest.raises(cr.InputError, match=message) as caught:
        program.replay(**{"data": DATA, **given})  # type: ignore[arg-type]
    assert f"{HERE}:" in str(caught.value)
    assert "try:" in str(caught.value)


def test_a_state_that_does_not_fit_is_refused() -> None:
    program = program_for("numpy")
    with pytest.raises(cr.StateError, match="the state has no value for"):
        program.replay(DATA, step=0, state={"w": np.ones(3)})  # type: ignore[arg-type]
    later = program.run(DATA, epochs=1).state
    with pytest.raises(cr.InputError, match="has no step 3: it does the steps 5 to 24") as caught:
        program.replay(DATA, step=3, state=later)
    assert "another state" in str(caught.value)


def test_it_says_what_it_is() -> None:
    replay = program_for("numpy").replay(DATA, step=4)
    assert repr(replay).startswith("<Replay of step 4 over 2 rows: loss ")
    assert "norm of its gradient" in replay._repr_html_()
    assert "m/linear1/weight" in replay._repr_html_()


def test_bytes_and_other_rates_are_those_of_the_run() -> None:
    program = program_for("llvm")
    raw = RANDOM.integers(0, 255, X.shape).astype(np.uint8)
    kept, converted = (
        program.replay({"x": array, "y": Y}, step=3, lr=0.001)
        for array in (raw, raw.astype(np.float32))
    )
    assert cr.State(kept.state) == cr.State(converted.state)
    assert kept.reported["loss"] == converted.reported["loss"]
    slow = program.run({"x": raw, "y": Y}, epochs=1, lr=0.001).state
    assert cr.State(program.replay({"x": raw, "y": Y}, step=5, lr=0.001).state) == slow
    assert cr.State(program.replay({"x": raw, "y": Y}, step=5).state) != slow
    assert float(kept.batch["lr"]) == np.float32(0.001)
