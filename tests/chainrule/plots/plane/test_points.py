"""Points stand where they are, in front of the data; a density is dark where it is high."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.contour import QuadContourSet
from numpy.typing import NDArray
from tests.chainrule.plots.legible import assert_legible, texts

import chainrule as cr

Floats = NDArray[np.float64]
RING: Floats = np.stack([np.cos(np.arange(8.0)), np.sin(np.arange(8.0))], axis=1)


def dots(plot: cr.plots.Plot, panel: int = 0) -> list[Floats]:
    found = [c for c in plot.figure.axes[panel].collections if isinstance(c, PathCollection)]
    return [np.asarray(c.get_offsets(), np.float64) for c in found]


def test_groups_stand_side_by_side_before_the_data() -> None:
    plot = cr.plots.points({"one": RING[:3], "other": 2 * RING}, behind=RING)
    assert len(plot.figure.axes) == 2
    for panel, rows in enumerate((RING[:3], 2 * RING)):
        behind, shown = dots(plot, panel)
        np.testing.assert_array_equal(behind, RING)
        np.testing.assert_array_equal(shown, rows)
    assert {"one", "other", "data", "x₁", "x₂"} <= set(texts(plot))
    low, high = plot.figure.axes[0].get_xlim()
    assert low < -2 * 0.99 < 2 < high
    assert_legible(plot)


def test_what_stands_behind_has_a_name() -> None:
    plot = cr.plots.points(RING[:3], behind={"all of them": RING})
    assert "all of them" in texts(plot)
    assert "data" not in texts(plot)


def test_one_group_needs_no_legend() -> None:
    plot = cr.plots.points(RING)
    (rows,) = dots(plot)
    np.testing.assert_array_equal(rows, RING)
    assert not plot.figure.legends
    assert_legible(plot)


def normal(places: NDArray[np.generic]) -> Floats:
    found: Floats = -(np.asarray(places, np.float64) ** 2).sum(1) / 2 - np.log(2 * np.pi)
    return found


def test_a_density_reaches_its_highest_value() -> None:
    plot = cr.plots.density({"normal": normal, "half": lambda p: normal(p) - np.log(2)}, RING)
    first, second, _ = plot.figure.axes
    filled = [
        c for axes in (first, second) for c in axes.collections if isinstance(c, QuadContourSet)
    ]
    assert len(filled) == 2
    for contours in filled:  # both on one scale
        assert float(list(contours.levels)[-1]) == pytest.approx(1 / (2 * np.pi), rel=1e-3)
    np.testing.assert_array_equal(dots(plot)[0], RING)
    assert {"normal", "half", "density", "data"} <= set(texts(plot))
    assert_legible(plot)


def test_a_compiled_density_and_one_that_is_0_are_shown() -> None:
    x = cr.input("x", ("batch", 2))
    declared = -cr.sum(cr.square(x), axis=1)
    assert_legible(cr.plots.density(cr.compile(declared, target="numpy"), RING))
    assert_legible(cr.plots.density(lambda p: np.full(len(p), -np.inf), RING))


@pytest.mark.parametrize(
    ("groups", "behind", "message"),
    [
        ({}, None, "points: 0 groups, not from 1 to 12"),
        (np.zeros((3, 3)), None, r"points: groups \[3, 3\] are no points of the plane"),
        (np.zeros(3), None, r"points: groups has shape \[3\]"),
        (np.full((2, 2), np.nan), None, "groups holds NaN"),
        (RING, {"a": RING, "b": RING}, "points: 2 groups behind, not from 1 to 1"),
        (RING, np.zeros((2, 1)), r"points: behind \[2, 1\] are no points"),
    ],
)
def test_what_is_no_points_is_refused(groups: Any, behind: Any, message: str) -> None:
    with pytest.raises(cr.InputError, match=message):
        cr.plots.points(groups, behind=behind)


@pytest.mark.parametrize(
    ("function", "data", "message"),
    [
        (lambda p: np.full(len(p), np.nan), RING, "gives no logarithm of a density"),
        (lambda p: np.full(len(p), np.inf), RING, "gives no logarithm of a density"),
        (lambda p: p, RING, "gives no logarithm of a density"),
        (lambda p: p[:3, 0], RING, r"density: predict gave \[3\] for 10000 points"),
        (3, RING, "density: predict gave a int"),
        (normal, np.zeros((3, 3)), "density: data .* are no points of the plane"),
    ],
)
def test_what_is_no_density_is_refused(function: Any, data: Any, message: str) -> None:
    with pytest.raises(cr.InputError, match=message):
        cr.plots.density(function, data)
