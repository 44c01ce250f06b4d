"""Decision boundaries lie where the classes are equally likely; the data stand in front."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.contour import QuadContourSet
from numpy.typing import NDArray
from tests.chainrule.plots.legible import assert_legible, texts
from tests.chainrule.plots.problems import DATA, forward, trained

import chainrule as cr
from chainrule import datasets

Floats = NDArray[np.float64]
SQUARE = (np.array([[-1.0, -1], [1, -1], [-1, 1], [1, 1]]), np.array([0, 1, 0, 1]))


def lines(plot: cr.plots.Plot, panel: int = 0) -> list[QuadContourSet]:
    found = [c for c in plot.figure.axes[panel].collections if isinstance(c, QuadContourSet)]
    return [c for c in found if not c.filled]


def points(plot: cr.plots.Plot, panel: int = 0) -> list[Floats]:
    """The places of the data, by class."""
    found = [c for c in plot.figure.axes[panel].collections if isinstance(c, PathCollection)]
    return [np.asarray(c.get_offsets(), np.float64) for c in found]


def vertices(contour: QuadContourSet) -> Floats:
    return np.concatenate([np.asarray(path.vertices, np.float64) for path in contour.get_paths()])


def test_a_trained_network_is_undecided_on_its_boundary() -> None:
    classifier, recording = trained()
    state = recording.states[-1]
    predict = cr.compile(cr.sigmoid(classifier.logits), target="numpy").bind(state)
    plot = cr.plots.decision_boundary(predict, DATA)
    (line,) = lines(plot)
    _, logits = forward(state, vertices(line).astype(np.float32))
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), 0.5, atol=0.01)
    for label, places in enumerate(points(plot)):
        np.testing.assert_array_equal(places, DATA.train.x[DATA.train.y == label])
    assert {"upper", "lower", "x₁", "x₂"} <= set(texts(plot))
    assert_legible(plot)
    logits_plot = cr.plots.decision_boundary(
        cr.compile(classifier.logits, target="numpy").bind(state), DATA.train, threshold=0
    )
    _, logits = forward(state, vertices(lines(logits_plot)[0]).astype(np.float32))
    np.testing.assert_allclose(logits, 0, atol=0.02)
    assert_legible(logits_plot)


def test_a_strip_shows_one_boundary_an_epoch() -> None:
    classifier, recording = trained()
    predict = cr.compile(cr.sigmoid(classifier.logits), target="numpy")
    epochs = (0, 1, 4, 8, 12)
    strip = {f"epoch {e}": predict.bind(recording.states[e]) for e in epochs}
    plot = cr.plots.decision_boundary(strip, DATA)
    assert len(plot.figure.axes) == 5
    for panel, epoch in enumerate(epochs):
        for line in lines(plot, panel):
            _, logits = forward(recording.states[epoch], vertices(line).astype(np.float32))
            np.testing.assert_allclose(logits, 0, atol=0.05)
        assert f"epoch {epoch}" in texts(plot)
    assert_legible(plot)


def test_three_classes_meet_where_their_scores_are_equal() -> None:
    directions = np.array([[0, 1], [-1, -1], [1, -1]])
    x = np.array([[0.0, 2], [-2, -2], [2, -2]])
    plot = cr.plots.decision_boundary(lambda p: p @ directions.T, (x, np.arange(3)))
    for k, line in enumerate(lines(plot)):
        scores = vertices(line) @ directions.T
        others = np.delete(scores, k, axis=1).max(axis=1)
        np.testing.assert_allclose(scores[:, k], others, atol=0.06)
    assert {"class 0", "class 1", "class 2"} <= set(texts(plot))
    assert_legible(plot)


def test_a_model_that_always_says_the_same_has_no_boundary() -> None:
    plot = cr.plots.decision_boundary(lambda p: np.full(len(p), 0.9), SQUARE)
    assert not lines(plot)
    certain = cr.plots.decision_boundary(lambda p: np.full((len(p), 1), -3.0), SQUARE, threshold=0)
    assert not lines(certain)
    assert_legible(certain)


@pytest.mark.parametrize(
    ("predict", "data", "message"),
    [
        (lambda p: p[:, 0], datasets.digits(), r"x \[1433, 64\] and y \[1433\] are not points"),
        (lambda p: p[:, 0], (SQUARE[0], SQUARE[1][:3]), "are not points of the plane"),
        (lambda p: p[:, 0], (SQUARE[0] * np.nan, SQUARE[1]), "x holds NaN"),
        (lambda p: p[:, 0], (SQUARE[0], SQUARE[1] - 1), "a class below 0"),
        (lambda p: p[:, 0], (SQUARE[0], SQUARE[1] + 8), "10 classes, not from 1 to 8"),
        (lambda p: p[:, 0], [1, 2], "a list is no data set"),
        (lambda p: p[:3, 0], SQUARE, r"predict gave \[3\] for 10000 points"),
        (lambda _: "a", SQUARE, "predict gave a str"),
        (3, SQUARE, "predict gave a int"),
        ({}, SQUARE, "0 predictions, not from 1 to 12"),
        (lambda p: np.zeros((len(p), 9)), SQUARE, "9 classes, not from 1 to 8"),
    ],
)
def test_what_has_no_boundary_is_refused(predict: Any, data: Any, message: str) -> None:
    with pytest.raises(cr.InputError, match=message):
        cr.plots.decision_boundary(predict, data)


def test_a_function_of_two_inputs_is_refused() -> None:
    classifier, recording = trained()
    loss = cast(Any, cr.compile(classifier.loss, target="numpy").bind(recording.states[0]))
    with pytest.raises(cr.InputError, match="a function of the inputs x, y"):
        cr.plots.decision_boundary(loss, DATA)
