"""What differs by mode in compiled programs: steps, evaluations, functions, exported libraries."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest
from tests.exported import BATCH, EPOCHS, OK, SEED, Exported, Library, data, job_struct

import chainrule as cr
from chainc.driver import optimize
from chainc.interpreters.reference import evaluate
from chainc.ir.types import Array
from chainrule import losses, metrics, optim

TARGETS = ["numpy", "llvm"]


def floats(array: Array) -> npt.NDArray[np.float32]:
    return cast("npt.NDArray[np.float32]", array)


class Noisy:
    """A linear classifier that drops inputs while it trains, and keeps their mean."""

    def __init__(self) -> None:
        self.x, self.y = cr.input("x", ("batch", 64)), cr.input("y", ("batch",), dtype="int32")
        self.weight = cr.parameter("weight", (64, 10), "he_normal")
        self.mean = cr.parameter("mean", (64,), "zeros", trainable=False)
        kept = cr.where(cr.bernoulli(self.x.shape, 0.75), self.x / 0.75, 0)
        form = cr.by_mode(train=kept, infer=self.x - self.mean)
        seen = {self.mean: 0.9 * self.mean + 0.1 * cr.mean(self.x, axis=0)}
        self.logits = cr.updating(form, seen) @ self.weight
        self.loss = losses.cross_entropy(self.logits, self.y)
        self.step = optim.SGD(lr=0.1).minimize(self.loss)

    def program(self, target: str = "llvm", threads: int | None = None) -> cr.TrainingProgram:
        accuracy = {"accuracy": metrics.accuracy(self.logits, self.y)}
        loop = cr.training(
            self.step, epochs=EPOCHS, batch_size=BATCH, seed=SEED, metrics=accuracy, shuffle=False
        )
        return cr.compile(loop, target=target, threads=threads)


@pytest.mark.parametrize("target", TARGETS)
def test_a_training_has_one_form_in_its_step_and_the_other_in_its_evaluation(target: str) -> None:
    noisy = Noisy()
    program = noisy.program(target)
    rows = data()
    result = program.run(rows, validation=rows, epochs=1)
    state = {name: np.array(value) for name, value in program.initial_state().items()}
    total = 0.0
    for start in range(0, len(rows["x"]), BATCH):
        batch = {key: array[start : start + BATCH] for key, array in rows.items()}
        done = evaluate(noisy.step.graph, {**batch, "lr": 0.1}, state)
        total += float(done.outputs[0]) * len(batch["x"])
        state |= {key: np.asarray(value) for key, value in done.updates.items()}
    assert result.history["loss"][0] == pytest.approx(total / len(rows["x"]), rel=1e-5)
    for name in ("weight", "mean"):
        np.testing.assert_allclose(floats(result.state[name]), floats(state[name]), atol=1e-6)
    kept = {name: state[name] for name in ("weight", "mean")}
    held_out = evaluate(cr.Graph([noisy.loss]), rows, {**kept, "step": 0, "seed": 0}).outputs[0]
    assert result.history["val_loss"][0] == pytest.approx(float(held_out), rel=1e-5)
    assert program.evaluate(rows, result.state)["loss"] == pytest.approx(float(held_out), rel=1e-5)


def test_each_step_draws_anew_and_any_number_of_threads_the_same() -> None:
    noisy, rows = Noisy(), data()
    one, two = (noisy.program(threads=threads).run(rows).state for threads in (1, 2))
    assert {name: one[name].tobytes() for name in one} == {
        name: two[name].tobytes() for name in two
    }
    drawn = cr.compile(cr.bernoulli((64,), 0.5), mode="train")
    at = [
        drawn.bind(cr.State({"seed": np.array(3), "step": np.array(step)}))() for step in (0, 1, 0)
    ]
    assert np.array_equal(at[0], at[2])
    assert not np.array_equal(at[0], at[1])


@pytest.mark.parametrize("target", TARGETS)
def test_a_run_in_two_parts_draws_what_one_run_draws(target: str) -> None:
    noisy, rows = Noisy(), data()
    program = noisy.program(target)
    whole = program.run(rows, epochs=2).state
    part = program.run(rows, epochs=1).state
    assert int(part["seed"]) == SEED
    continued = program.run(rows, state=part, epochs=1).state
    without_seed = {name: part[name] for name in part if name != "seed"}
    again = program.run(rows, state=cr.State(without_seed), epochs=1).state
    other = program.run(rows, state=cr.State({**without_seed, "seed": np.array(9)}), epochs=1).state
    for name in whole:
        assert whole[name].tobytes() == continued[name].tobytes() == again[name].tobytes()
    assert not np.array_equal(other["weight"], whole["weight"])


@pytest.mark.parametrize("target", TARGETS)
def test_functions_infer_unless_told_otherwise(target: str) -> None:
    noisy, x = Noisy(), floats(data()["x"])
    predict = cr.compile(noisy.logits, target=target)
    assert {slot.op.label for slot in predict.slots} == {"weight", "mean"}
    start = noisy.program().initial_state()
    np.testing.assert_allclose(predict.bind(start)(x=x), x @ floats(start["weight"]), atol=1e-5)
    trained = cr.compile(noisy.logits, target=target, mode="train").bind(start)
    assert not np.allclose(trained(x=x), x @ floats(start["weight"]))
    np.testing.assert_allclose(floats(trained.state["mean"]), 0.1 * x.mean(0), atol=1e-6)
    step = cr.compile(noisy.step, target=target, mode="infer").bind(start)
    step(data())
    assert np.array_equal(step.state["weight"], start["weight"])


def test_a_mode_that_is_none_or_is_for_a_training_is_refused() -> None:
    noisy = Noisy()
    with pytest.raises(cr.InputError, match=r"(?s)no mode 'test'.*try: give mode=\"train\" or"):
        cr.compile(noisy.logits, mode="test")  # type: ignore[call-overload]
    loop = cr.training(noisy.step, epochs=1, batch_size=2)
    with pytest.raises(cr.InputError, match=r"(?s)a training has both modes.*try: leave mode out"):
        cr.compile(loop, mode="train")  # type: ignore[call-overload]


def test_a_graph_without_a_mode_does_not_reach_the_passes() -> None:
    noisy = Noisy()
    message = r"(?s)no mode has been chosen for by_mode f32.*where: .*test_modes.py.*try: compile"
    with pytest.raises(cr.VerifyError, match=message):
        optimize(cr.Graph([noisy.logits]), ())


def test_a_state_that_two_layers_update_is_refused_when_compiled() -> None:
    noisy = Noisy()
    more = cr.updating(noisy.loss, {noisy.mean: noisy.mean * 2})
    with pytest.raises(cr.GraphError, match=r"(?s)'mean' is written twice.*try: use a layer"):
        cr.compile(cr.training(optim.SGD(0.1).minimize(more), epochs=1, batch_size=2))


def test_an_exported_library_trains_and_predicts_with_the_bits_of_a_run(tmp_path: Path) -> None:
    noisy, rows = Noisy(), data()
    program = noisy.program()
    program.export(tmp_path, name="digits", predict=noisy.logits, processor="native")
    library = Library(Exported(program, noisy.logits, tmp_path))
    history = np.zeros(EPOCHS * 6)
    assert library.call("train", job_struct(rows, EPOCHS, history)) == OK
    result = program.run(rows)
    for name in ("weight", "mean"):
        found = library.get(name.upper(), result.state[name].shape)
        assert found.tobytes() == result.state[name].tobytes()
    assert library.get("SEED", (), "int64") == SEED
    scores = np.zeros((len(rows["x"]), 10), np.float32)
    assert library.call("predict", rows["x"], len(rows["x"]), scores) == OK
    predict = cr.compile(noisy.logits).bind(result)
    np.testing.assert_allclose(scores, predict(x=rows["x"]), atol=1e-5)


def test_another_seed_of_an_exported_library_draws_other_numbers(tmp_path: Path) -> None:
    noisy, rows = Noisy(), data()
    program = noisy.program()
    program.export(tmp_path, name="digits", processor="native")
    exported = Exported(program, noisy.logits, tmp_path)
    library, again = Library(exported, seed=9), Library(exported)
    start = program.initial_state(9)
    assert again.call("set", exported.tensor("WEIGHT"), np.array(start["weight"])) == OK
    assert again.call("set", exported.tensor("SEED"), np.array(9, np.int64)) == OK
    history = np.zeros(EPOCHS * 6)
    for each in (library, again):
        assert each.call("train", job_struct(rows, EPOCHS, history)) == OK
    assert library.state() == again.state()


def test_a_picture_marks_what_differs_and_shows_both_forms_on_request() -> None:
    noisy = Noisy()
    shown = {
        "train": cr.draw(noisy.logits, mode="train").dot,
        "infer": cr.draw(noisy.logits, mode="infer").dot,
        "both": cr.draw(noisy.logits, mode="both").dot,
    }
    marks = {"train": "train_form", "infer": "infer_form", "both": "by_mode"}
    for mode, mark in marks.items():
        assert [other for other in marks.values() if other in shown[mode]] == [mark]
    assert cr.draw(noisy.logits).dot == shown["infer"]
    point = {"x": np.ones((2, 64)), "y": np.zeros(2, np.int32)}
    circuit = cr.draw(noisy.loss, cr.grad(noisy.loss, noisy.weight), values=point).dot
    assert "infer_form" in circuit
    assert "random_bits" not in circuit
    assert "random_bits" not in shown["infer"]
    assert "random_bits" in shown["train"]
    assert "−" in shown["infer"]
    assert "updating" in shown["both"]
    assert cr.Graph([noisy.logits]).draw(mode="train").dot == shown["train"]
    assert "random" in cr.draw(noisy.logits, mode="train", detail="kernels").dot
    with pytest.raises(cr.InputError, match=r"(?s)draw: kernels are made for one.*try: draw them"):
        cr.draw(noisy.logits, mode="both", detail="kernels")
    with pytest.raises(cr.InputError, match=r"(?s)draw: there is no mode 'test'.*try: give"):
        cr.draw(noisy.logits, mode="test")  # type: ignore[arg-type]
