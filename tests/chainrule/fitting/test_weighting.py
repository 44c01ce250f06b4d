"""Weights of classes and of rows: those of the loss, and the same as repeated rows."""

from __future__ import annotations

import numpy as np
import pytest
from tests.chainrule.fitting.classifiers import blobs, network, trainer

import chainrule as cr
from chainrule import losses, metrics, optim

X, Y = blobs(60)
RARE = np.where(np.arange(60) % 4, 0, Y)  # of class 0 more than three quarters
COUNTS = np.bincount(RARE, minlength=3)


def fitted(y: object, **weights: object) -> dict[str, tuple[float, ...]]:
    options = {"metrics": [], "shuffle": False}
    return trainer(**options).fit(X, y, epochs=3, batch_size=20, **weights)  # type: ignore[arg-type]


def explicitly(classes: object) -> dict[str, tuple[float, ...]]:
    x, y = cr.input("x", ("batch", 4)), cr.input("y", ("batch",), dtype="int64")
    loss = losses.cross_entropy(network()(x), y, weights=classes)  # type: ignore[arg-type]
    step = optim.Adam(lr=0.02).minimize(loss)
    declared = cr.training(step, epochs=3, batch_size=20, shuffle=False)
    return cr.compile(declared, target="numpy").run({"x": X, "y": RARE}).history


def test_weights_of_classes_are_those_of_the_loss() -> None:
    balanced = 60 / (3 * COUNTS)
    assert fitted(RARE, class_weight="balanced") == explicitly(balanced)
    assert fitted(RARE, class_weight={2: 5.0}) == explicitly([1.0, 1.0, 5.0])
    assert fitted(RARE, class_weight={2: 5.0}) != fitted(RARE)


def test_weights_of_rows_are_those_of_their_classes() -> None:
    of_rows = np.array([1.0, 1.0, 5.0])[RARE]
    expected = explicitly([1.0, 1.0, 5.0])["loss"]
    np.testing.assert_allclose(fitted(RARE, sample_weight=of_rows)["loss"], expected, rtol=1e-5)
    both = fitted(RARE, sample_weight=np.full(60, 2.0), class_weight={2: 5.0})["loss"]
    np.testing.assert_allclose(both, expected, rtol=1e-5)


def test_a_weight_of_two_is_a_row_that_is_there_twice() -> None:
    weights = np.where(np.arange(60) < 20, 2.0, 1.0)
    one, other = trainer(), trainer()
    one.fit(X, Y, epochs=4, batch_size=60, sample_weight=weights)
    other.fit(np.concatenate([X[:20], X]), np.concatenate([Y[:20], Y]), epochs=4, batch_size=80)
    for name, value in other.state.items():
        assert one.state[name] == pytest.approx(value, rel=1e-3, abs=1e-5)
    assert one.evaluate(X, Y, sample_weight=weights)["loss"] != one.evaluate(X, Y)["loss"]


@pytest.mark.parametrize("dtype", ["int64", "bool", "float32"])
def test_weights_of_two_classes(dtype: str) -> None:
    rare = (RARE > 0).astype(dtype)

    def recall(**weights: object) -> float:
        one = cr.Trainer(network(1), losses.binary_cross_entropy, optim.Adam(lr=0.02),
                         metrics=[metrics.binary_recall], target="numpy")  # fmt: skip
        return one.fit(X, rare, epochs=5, **weights)["binary_recall"][-1]  # type: ignore[arg-type]

    assert recall(class_weight={1: 50.0}) > recall(class_weight={1: 0.02})
    both = recall(class_weight={1: 50.0}, sample_weight=np.ones(60))
    assert both == recall(class_weight={1: 50.0})
    assert 0 <= recall(class_weight="balanced") <= 1


def test_validation_rows_may_have_weights() -> None:
    one = trainer()
    weights = np.linspace(0, 1, 60)
    history = one.fit(X, Y, epochs=1, sample_weight=weights, validation=(X, Y, weights))
    expected = one.evaluate(X, Y, sample_weight=weights)["loss"]
    assert history["val_loss"][-1] == pytest.approx(expected)


def test_what_are_no_weights_is_refused() -> None:
    with pytest.raises(cr.InputError, match=r"sample_weight has shape \[59\](.|\n)*try: give one"):
        fitted(Y, sample_weight=np.ones(59))
    with pytest.raises(cr.InputError, match=r"sample_weight holds numbers that are not finite"):
        fitted(Y, sample_weight=np.full(60, -1.0))
    with pytest.raises(cr.InputError, match=r"sample_weight holds numbers that are not finite"):
        fitted(Y, sample_weight=np.zeros(60))
    with pytest.raises(cr.InputError, match=r"class_weight='even' is no weighting(.|\n)*balanced"):
        fitted(Y, class_weight="even")
    with pytest.raises(cr.InputError, match=r"class_weight is of 3, which is no class(.|\n)*to 2"):
        fitted(Y, class_weight={3: 1.0})
    with pytest.raises(cr.InputError, match=r"^fit: the weight of 1 must be a finite number"):
        fitted(Y, class_weight={1: -1.0})
    with pytest.raises(cr.InputError, match=r"class 2 never occurs(.|\n)*try: give weights by cla"):
        fitted(np.minimum(Y, 1), class_weight="balanced")
    with pytest.raises(cr.InputError, match=r"y holds 7, and there are 3 classes"):
        fitted(np.full(60, 7), class_weight="balanced")
    several = cr.Trainer(lambda x: (x, x), (losses.hinge, losses.hinge), optim.Adam(0.1))
    with pytest.raises(cr.InputError, match=r"class_weight is for one output(.|\n)*sample_weight="):
        several.fit(X, (Y, Y), class_weight="balanced")
    own = cr.Trainer(network(), lambda z, y: 2 * losses.hinge(z, y), optim.Adam(0.1))
    with pytest.raises(cr.InputError, match=r"the loss <lambda> takes no weights(.|\n)*`weights`"):
        own.fit(X, Y, sample_weight=np.ones(60))
