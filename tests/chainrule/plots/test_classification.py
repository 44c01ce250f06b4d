"""Confusion matrices and ROC curves: the numbers in the cells and lines."""

from __future__ import annotations

import numpy as np
import pytest
from tests.chainrule.plots.legible import assert_legible, curve, texts

import chainrule as cr

COUNTS = np.array([[50, 2, 0], [3, 4000, 1], [0, 0, 0]])


def test_a_confusion_matrix_shows_each_count_and_the_share_of_its_row() -> None:
    plot = cr.plots.confusion(COUNTS)
    assert {"50", "2", "3", "4000", "predicted", "true"} <= set(texts(plot))
    assert plot.title == "Confusion of 3 classes, 99.9% right"
    shares = np.asarray(plot.figure.axes[0].images[0].get_array())
    np.testing.assert_allclose(shares[0], [50 / 52, 2 / 52, 0])
    np.testing.assert_array_equal(shares[2], 0)  # a class that never occurs
    assert_legible(plot)


@pytest.mark.parametrize("count", [2, 10, 20])
def test_the_names_of_classes_have_room(count: int) -> None:
    random = np.random.default_rng(count)
    counts = random.integers(0, 99999, (count, count)).astype(np.float32)
    plot = cr.plots.confusion(counts, [f"a long name of {k}" for k in range(count)])
    assert texts(plot).count("a long name of 1") == 2
    assert_legible(plot)


def test_a_curve_has_its_area_and_chance_beside_it() -> None:
    points = np.array([[0, 0], [0, 0.5], [0.5, 1], [1, 1]])
    plot = cr.plots.roc(points)
    drawn = curve(plot, 0, 1)
    np.testing.assert_array_equal(np.stack([drawn.x, drawn.y], axis=1), points)
    assert {"area 0.875", "chance: area 0.5"} <= set(texts(plot))
    assert_legible(plot)


def test_several_curves_have_names_and_looks_of_their_own() -> None:
    points = np.array([[0, 0], [1, 1]])
    plot = cr.plots.roc({"first": points, "second": points})
    assert {"first: area 0.500", "second: area 0.500"} <= set(texts(plot))
    assert curve(plot, 0, 1).look != curve(plot, 0, 2).look
    assert_legible(plot)


def test_what_is_no_matrix_of_counts_or_no_curve_is_refused() -> None:
    with pytest.raises(cr.InputError, match=r"^confusion: the matrix has shape \[2, 3\](.|\n)*try"):
        cr.plots.confusion(np.ones((2, 3)))
    with pytest.raises(cr.InputError, match=r"^confusion: the matrix has a negative number"):
        cr.plots.confusion(-np.ones((2, 2)))
    with pytest.raises(cr.InputError, match=r"^confusion: 1 names of 2 classes(.|\n)*try: give on"):
        cr.plots.confusion(np.ones((2, 2)), ["a"])
    with pytest.raises(cr.InputError, match=r"^confusion: 21 classes, not from 1 to 20"):
        cr.plots.confusion(np.ones((21, 21)))
    with pytest.raises(cr.InputError, match=r"^roc: points of shape \[3, 3\](.|\n)*try: give a va"):
        cr.plots.roc(np.eye(3))
    with pytest.raises(cr.InputError, match=r"^roc: points holds NaN"):
        cr.plots.roc([[0.0, np.nan]])
    with pytest.raises(cr.InputError, match=r"^roc: 0 curves"):
        cr.plots.roc({})
