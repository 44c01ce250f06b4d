"""A trainer is what a training and functions give: the same numbers, in fewer lines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.chainrule.fitting.classifiers import blobs, network, trainer

import chainrule as cr
from chainc import driver
from chainrule import losses, metrics, nn, optim

TARGETS = pytest.mark.parametrize("target", ["llvm", "numpy"])
X, Y = blobs()


@TARGETS
def test_fit_is_a_run_of_the_training(target: str) -> None:
    history = trainer(target).fit(X, Y, epochs=3, batch_size=16)
    x, y = cr.input("x", ("batch", 4)), cr.input("y", ("batch",), dtype="int64")
    logits = network()(x)
    step = optim.Adam(lr=0.02).minimize(losses.cross_entropy(logits, y))
    watched = {"accuracy": metrics.accuracy(logits, y), "f1_macro": metrics.f1_macro(logits, y)}
    declared = cr.training(step, epochs=3, batch_size=16, metrics=watched)
    expected = cr.compile(declared, target=target).run({"x": X, "y": Y}).history
    assert history == expected


@TARGETS
def test_fit_goes_on_where_the_last_one_ended(target: str) -> None:
    twice, once = trainer(target), trainer(target)
    first = twice.fit(X, Y, epochs=2)
    second = twice.fit(X, Y, epochs=3)
    whole = once.fit(X, Y, epochs=5)
    assert {name: (*first[name], *second[name]) for name in first} == whole
    assert twice.state == once.state


def test_fits_of_one_batch_size_share_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[object] = []
    compile_training = driver.compile_training

    def counted(*given: object, **named: object) -> object:
        compiled.append(given)
        return compile_training(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(driver, "compile_training", counted)
    one = trainer()
    for _ in range(3):
        one.fit(X, Y, epochs=1, batch_size=16, validation=0.2)
    one.evaluate(X, Y)
    assert len(compiled) == 1
    one.fit(X, Y, epochs=1, batch_size=8)
    assert len(compiled) == 2


@TARGETS
def test_evaluate_and_predict_agree(target: str) -> None:
    one = trainer(target)
    one.fit(X, Y, epochs=5)
    found = one.evaluate(X, Y)
    labels, shares = np.asarray(one.predict(X)), np.asarray(one.predict_proba(X))
    assert labels.dtype == np.int64
    assert found["accuracy"] == pytest.approx((labels == Y).mean())
    np.testing.assert_array_equal(labels, shares.argmax(axis=1))
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
    assert found["loss"] == pytest.approx(
        np.mean([-np.log(row[label]) for row, label in zip(shares, Y, strict=True)]), rel=1e-5
    )


def test_many_rows_are_predicted_part_by_part() -> None:
    one = trainer("llvm")
    one.fit(X, Y, epochs=1)
    many = np.tile(X, (101, 1))
    np.testing.assert_array_equal(one.predict(many), np.tile(np.asarray(one.predict(X)), 101))


@TARGETS
def test_what_is_saved_is_loaded_by_another_trainer(target: str, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    one = trainer(target)
    one.fit(X, Y, epochs=2)
    one.save(file)
    other = trainer(target)
    other.load(file)
    np.testing.assert_array_equal(other.predict(X), one.predict(X))
    assert other.evaluate(X, Y) == one.evaluate(X, Y)
    assert other.fit(X, Y, epochs=2) == one.fit(X, Y, epochs=2)
    assert other.state == one.state


def test_values_alone_are_enough_to_load(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    one = trainer()
    one.fit(X, Y, epochs=1)
    weights = {name: value for name, value in one.state.items() if name.startswith("net/")}
    cr.State({key: weights[key] for key in weights if key.count("/") == 2}).save(file)
    other = trainer()
    other.load(file)
    np.testing.assert_array_equal(other.predict(X), one.predict(X))
    assert other.fit(X, Y, epochs=1)["loss"][0] < 2


@pytest.mark.parametrize(
    ("y", "dtype"),
    [(Y > 0, "bool"), ((Y > 0).astype(int), "int"), ((Y > 0).astype(float)[:, None], "a column")],
)
def test_a_single_logit_tells_two_classes(y: object, dtype: str) -> None:
    one = cr.Trainer(
        network(1),
        losses.binary_cross_entropy,
        optim.Adam(lr=0.05),
        metrics=[metrics.binary_accuracy, metrics.auc],
        target="numpy",
    )
    history = one.fit(X, y, epochs=30)
    assert history["binary_accuracy"][-1] > 0.9
    labels, shares = np.asarray(one.predict(X)), np.asarray(one.predict_proba(X))
    assert labels.shape == shares.shape == (90,), dtype
    np.testing.assert_array_equal(labels, shares > 0.5)


def test_numbers_are_predicted_as_they_are() -> None:
    targets = X @ np.array([1.0, -2.0, 0.5, 3.0], np.float32) + 1
    linear = cr.Trainer(nn.Linear(4, 1), losses.squared_error, optim.Adam(lr=0.1),
                        metrics=[metrics.r2], target="numpy")  # fmt: skip
    assert linear.fit(X, targets, epochs=60)["r2"][-1] > 0.99
    found = linear.predict(X)
    assert isinstance(found, np.ndarray)
    assert found.shape == (90,)
    assert np.abs(found - targets).mean() < 0.3
    with pytest.raises(cr.InputError, match=r"^predict_proba: the loss of the trainer is none"):
        linear.predict_proba(X)


@pytest.mark.parametrize(
    "loss",
    [
        losses.cross_entropy,
        partial(losses.cross_entropy, label_smoothing=0.1),
        lambda z, y: losses.cross_entropy(z, y) + 0.0,
        losses.focal,
        losses.hinge,
    ],
)
def test_losses_of_labels_are_told_from_others(loss: Callable[..., cr.Node]) -> None:
    one = cr.Trainer(network(), loss, optim.Adam(lr=0.02), target="numpy")
    one.fit(X, Y, epochs=10)
    assert (np.asarray(one.predict(X)) == Y).mean() > 0.8


def test_hyperparameters_can_be_changed_for_a_fit() -> None:
    one, other = trainer(), trainer()
    assert one.fit(X, Y, epochs=1, lr=0.5) != other.fit(X, Y, epochs=1)


def test_several_optimizers_may_share_a_model() -> None:
    model = network()
    first, last = (model[k].parameters() for k in (0, 2))
    both = optim.groups((first, optim.SGD(lr=0.1)), (last, optim.Adam(lr=0.02)))
    one = cr.Trainer(model, losses.cross_entropy, both, target="numpy")
    assert one.fit(X, Y, epochs=20)["loss"][-1] < 0.5


def test_what_cannot_be_a_trainer_is_refused() -> None:
    with pytest.raises(cr.InputError, match=r"^Trainer: 3 is no model(.|\n)*try: begin with"):
        cr.Trainer(3, losses.hinge, optim.Adam(0.1))  # type: ignore[arg-type]
    with pytest.raises(cr.InputError, match=r"^Trainer: 'adam' is no optimizer(.|\n)*try: begin"):
        cr.Trainer(network(), losses.hinge, "adam")  # type: ignore[arg-type]
    with pytest.raises(cr.InputError, match=r"^Trainer: seed must be a whole number"):
        cr.Trainer(network(), losses.hinge, optim.Adam(0.1), seed=-1)
    with pytest.raises(cr.InputError, match=r"^Trainer: 'mse' is no loss(.|\n)*losses.cross_entro"):
        cr.Trainer(network(), "mse", optim.Adam(0.1)).fit(X, Y)  # type: ignore[arg-type]
    with pytest.raises(cr.InputError, match=r"^Trainer: the loss <lambda> gives .*, not a scalar"):
        cr.Trainer(network(), lambda z, _: z, optim.Adam(0.1)).fit(X, Y)

    def named(*watched: object) -> None:
        trainer(metrics=list(watched)).fit(X, Y)

    with pytest.raises(cr.InputError, match=r"^Trainer: two metrics are called 'accuracy'"):
        named(metrics.accuracy, metrics.accuracy)
    with pytest.raises(
        cr.InputError, match=r"^Trainer: a metric is called '<lambda>'(.|\n)*name them"
    ):
        named(lambda z, y: metrics.top_k(z, y, 2))
    with pytest.raises(cr.InputError, match=r"^Trainer: 'f1' is no metric(.|\n)*try: give functi"):
        trainer(metrics={"f1": "f1"}).fit(X, Y)


def test_a_summary_needs_no_data_where_the_model_tells_its_input() -> None:
    assert trainer().summary().total.parameters == 67
    model = network()
    of_a_function = cr.Trainer(
        lambda x: cr.relu(model(x)), losses.cross_entropy, optim.Adam(0.1), target="numpy"
    )
    with pytest.raises(cr.InputError, match=r"^summary: the shapes .* not known(.|\n)*try: call"):
        of_a_function.summary()
    of_a_function.fit(X, Y, epochs=1)
    assert of_a_function.summary().total.parameters == 67


def test_a_trainer_that_knows_nothing_yet_says_so(tmp_path: Path) -> None:
    one = trainer()
    for call in (
        partial(one.predict, X),
        partial(one.predict_proba, X),
        partial(one.evaluate, X, Y),
        partial(one.save, tmp_path / "file"),
    ):
        with pytest.raises(cr.StateError, match=r"nothing has been trained yet(.|\n)*try: call tr"):
            call()


def test_a_state_of_another_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    cr.State({"other": np.zeros(3)}).save(file)
    one = trainer()
    one.fit(X, Y, epochs=1)
    before = one.state
    with pytest.raises(cr.StateError, match=r"no value for net/linear1/weight"):
        one.load(file)
    assert one.state == before
