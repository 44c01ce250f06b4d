"""Minibatches as they come: the steps of a training that visits its rows in order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from tests.chainrule.fitting.classifiers import Floats, Labels, blobs, network, trainer

import chainrule as cr
from chainrule import losses, metrics, nn, optim

TARGETS = pytest.mark.parametrize("target", ["llvm", "numpy"])
X, Y = blobs(70)
BATCHES = [(X[k : k + 16], Y[k : k + 16]) for k in range(0, 70, 16)]


class Loader:
    """Begins anew each time, as loaders do, and counts how often."""

    def __init__(self) -> None:
        self.walks = 0

    def __iter__(self) -> Iterator[tuple[Floats, Labels]]:
        self.walks += 1
        return iter(BATCHES)


@TARGETS
def test_batches_are_steps_of_a_training_in_order(target: str) -> None:
    streamed, whole = trainer(target), trainer(target, shuffle=False)
    loader = Loader()
    history = streamed.fit(loader, epochs=3, validation=(X[:10], Y[:10]))
    expected = whole.fit(X, Y, epochs=3, batch_size=16, validation=(X[:10], Y[:10]))
    assert loader.walks == 3
    assert set(history) == set(expected)
    for name in ("loss", "accuracy", "val_loss", "val_accuracy", "val_f1_macro"):
        np.testing.assert_allclose(history[name], expected[name], rtol=1e-4)
    for name, value in whole.state.items():
        assert streamed.state[name] == pytest.approx(value, rel=1e-4, abs=1e-6)


@TARGETS
def test_layers_that_differ_by_mode_do_so(target: str) -> None:
    def declared() -> cr.Trainer:
        model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 3))
        return cr.Trainer(
            model, losses.cross_entropy, optim.SGD(lr=0.1), shuffle=False, target=target
        )

    streamed, whole = declared(), declared()
    streamed.fit(BATCHES, epochs=2)
    whole.fit(X, Y, epochs=2, batch_size=16)
    for name, value in whole.state.items():
        assert streamed.state[name] == pytest.approx(value, rel=1e-4, abs=1e-6)


@TARGETS
def test_evaluation_is_that_of_all_rows(target: str) -> None:
    one = trainer(target)
    one.fit(BATCHES, epochs=1)
    found, expected = one.evaluate(iter(BATCHES)), one.evaluate(X, Y)
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-5)


def test_fits_on_batches_and_on_arrays_follow_each_other() -> None:
    one = trainer()
    one.fit(BATCHES, epochs=2)
    one.fit(X, Y, epochs=1)
    one.fit(iter(BATCHES), epochs=1)
    assert int(one.state["step"]) == 2 * 5 + 3 + 5


def test_batches_may_have_weights_and_losses_may_read_parameters() -> None:
    model = network()
    weights = [p for p in model.parameters() if p.ndim > 1]

    def loss(z: cr.Node, y: cr.Node, weights: cr.Node | None = None) -> cr.Node:
        return losses.cross_entropy(z, y, weights=weights) + penalty

    penalty = 0.01 * cr.sum(cr.square(weights[0]))
    one = cr.Trainer(model, loss, optim.SGD(lr=0.1), metrics=metrics.accuracy, target="numpy")
    history = one.fit([(x, y, np.ones(len(x))) for x, y in BATCHES], epochs=2)
    assert history["loss"][1] < history["loss"][0]


def test_what_are_no_batches_is_refused() -> None:
    one = trainer()
    with pytest.raises(cr.InputError, match=r"there is no y, and x holds a ndarray, not batches"):
        one.fit(X)
    with pytest.raises(cr.InputError, match=r"there is no y, and a int holds no batches"):
        one.fit(3)
    with pytest.raises(cr.InputError, match=r"^fit: there are no batches(.|\n)*try: give at least"):
        one.fit([])
    with pytest.raises(cr.InputError, match=r"walked once only, and there are 2 epochs(.|\n)*list"):
        one.fit(iter(BATCHES), epochs=2)
    with pytest.raises(cr.InputError, match=r"validation=0.2 cannot be held out of an iterable"):
        one.fit(BATCHES, validation=0.2)
    with pytest.raises(cr.InputError, match=r"class_weight is for arrays(.|\n)*\(x, y, weights\)"):
        one.fit(BATCHES, class_weight="balanced")
    with pytest.raises(cr.InputError, match=r"^fit: epochs must be a whole number, at least 1"):
        one.fit(BATCHES, epochs=0)
    with pytest.raises(cr.InputError, match=r"rows differ: x has 3, y has 2"):
        one.fit([(X[:3], Y[:2])])
    assert one.result is None
