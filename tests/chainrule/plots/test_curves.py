"""Histories and comparisons: the numbers in the lines, and what is marked."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from tests.chainrule.plots.legible import assert_legible, curve, texts
from tests.chainrule.plots.problems import trained

import chainrule as cr
from chainrule.compiled.history import History

OVERFITTING = {
    "loss": (0.9, 0.5, 0.3, 0.2, 0.1),
    "val_loss": (1.0, 0.7, 0.6, 0.8, 1.1),
    "accuracy": (0.5, 0.7, 0.8, 0.9, 1.0),
    "val_accuracy": (0.5, 0.6, 0.7, 0.6, 0.6),
}


def test_a_history_shows_both_curves_and_marks_the_best_epoch() -> None:
    plot = cr.plots.history(OVERFITTING)
    for panel, name in enumerate(("loss", "accuracy")):
        training, validation, best = (curve(plot, panel, k) for k in range(3))
        assert list(training.x) == [1, 2, 3, 4, 5]
        assert tuple(training.y) == OVERFITTING[name]
        assert tuple(validation.y) == OVERFITTING[f"val_{name}"]
        assert not set(training.look) & set(validation.look)
        assert list(best.x) == [3, 3]
        (span,) = plot.figure.axes[panel].patches
        box = span.get_path().get_extents(span.get_patch_transform())
        assert (box.x0, box.x1) == (3, 5.5)
    assert {"lowest validation loss: epoch 3", "after that epoch"} <= set(texts(plot))
    assert_legible(plot)


def test_without_validation_nothing_is_marked() -> None:
    plot = cr.plots.history({"loss": [3.0]}, unit="step")
    assert len(plot.figure.axes[0].lines) == 1
    assert not plot.figure.axes[0].patches
    assert "step" in texts(plot)
    assert_legible(plot)


def test_a_run_a_recording_and_a_mapping_give_the_same_plot() -> None:
    _, recording = trained()
    result = cr.Result(recording.states[-1], History(recording.history))
    assert cr.plots.history(recording).svg() == cr.plots.history(result).svg()
    assert cr.plots.history(result).svg() == cr.plots.history(result.history).svg()
    assert_legible(cr.plots.history(recording))


def test_values_that_are_not_finite_leave_gaps_and_are_counted() -> None:
    plot = cr.plots.history({"loss": [1.0, 5.0, np.inf, np.nan], "val_loss": [np.nan] * 4})
    assert np.isnan(curve(plot, 0, 0).y[2:]).all()
    assert "loss (not finite: 2 of 4) (not finite: 4 of 4)" in texts(plot)
    assert len(plot.figure.axes[0].lines) == 2  # no best epoch
    assert_legible(plot)


def test_a_logarithmic_loss_has_labels_and_leaves_out_what_is_not_positive() -> None:
    plot = cr.plots.history(
        {"loss": [2.0, 1.0, 0.5, 0.0], "accuracy": [0.1, 0.2, 0.3, 1]}, log=True
    )
    loss, accuracy = plot.figure.axes
    assert (loss.get_yscale(), accuracy.get_yscale()) == ("log", "linear")
    assert np.isnan(curve(plot, 0, 0).y[3])
    assert {"0.5", "1", "2"} <= set(texts(plot))
    assert_legible(plot)


def test_a_comparison_tells_many_runs_apart() -> None:
    runs = {f"lr = {k / 10:g}": {"loss": [1.0 / k, 0.5 / k]} for k in range(1, 13)}
    plot = cr.plots.comparison(runs, log=True)
    lines = [curve(plot, 0, k) for k in range(12)]
    assert [tuple(line.y) for line in lines] == [(1 / k, 0.5 / k) for k in range(1, 13)]
    assert len({line.look for line in lines}) == 12
    assert [text for text in texts(plot) if text.startswith("lr")] == list(runs)
    assert_legible(plot)


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ({}, "there is no history in a dict"),
        (3, "there is no history in a int"),
        ({"loss": 3.0}, "'loss' is no sequence of numbers"),
        ({"loss": ["a"]}, "'loss' is no sequence of numbers"),
        ({"loss": []}, "try: give one number an epoch"),
        ({f"m{k}": [1.0] for k in range(7)}, "7 metrics, not from 1 to 6"),
    ],
)
def test_what_is_no_history_is_refused(history: Any, message: str) -> None:
    with pytest.raises(cr.InputError, match=message):
        cr.plots.history(history)


def test_runs_that_cannot_be_compared_are_refused() -> None:
    several: Any = [{"loss": [1.0]}]
    with pytest.raises(cr.InputError, match="runs is a list, not a mapping"):
        cr.plots.comparison(several)
    with pytest.raises(cr.InputError, match="the run 'a' has no 'accuracy'"):
        cr.plots.comparison({"a": {"loss": [1.0]}}, of="accuracy")
    with pytest.raises(cr.InputError, match="0 runs, not from 1 to 12"):
        cr.plots.comparison({})


CURVE = ((0.0, 0.1, 0.9, 0.5), (0.001, 0.3, 0.5, 0.7), (1.0, 1.0, 1.1, 0.8))


def test_a_validation_curve_shows_the_last_values_over_a_setting() -> None:
    runs: dict[float, dict[str, list[float]]] = {
        strength: {"loss": [9, seen], "val_loss": [9, unseen], "auc": [0, 1], "val_auc": [0, area]}
        for strength, seen, unseen, area in CURVE
    }
    plot = cr.plots.validation_curve(runs, over="strength")
    training, validation, best = (curve(plot, 0, k) for k in range(3))
    assert (list(training.x), list(training.y)) == ([1, 2, 3], [0.1, 0.3, 1.0])
    assert list(validation.y) == [0.9, 0.5, 1.1]
    assert list(best.x) == [2, 2]
    words = {"0.0", "0.001", "1.0", "strength", "loss", "lowest on validation data: 0.001"}
    assert words <= set(texts(plot))
    assert_legible(plot)
    of_auc = cr.plots.validation_curve(runs, of="auc", best="highest", log=True)
    assert "highest on validation data: 1.0" in texts(of_auc)
    assert_legible(of_auc)


def test_a_validation_curve_with_gaps() -> None:
    runs = {"a": {"loss": [1.0], "val_loss": [np.nan]}, "b": {"loss": [2.0], "val_loss": [np.inf]}}
    plot = cr.plots.validation_curve(runs)
    assert "validation data (not finite: 2 of 2)" in texts(plot)
    assert len(plot.figure.axes[0].lines) == 2
    assert_legible(plot)


def test_what_a_validation_curve_refuses() -> None:
    only_seen: dict[float, dict[str, list[float]]] = {1: {"loss": [1.0]}}
    with pytest.raises(cr.InputError, match=r"the run '1' has no 'val_loss'(.|\n)*it has loss"):
        cr.plots.validation_curve(only_seen)
    with pytest.raises(cr.InputError, match=r"validation_curve: runs is a list(.|\n)*0.001: other"):
        cast("Any", cr.plots).validation_curve([only_seen])
    with pytest.raises(cr.InputError, match=r"best is 'most'(.|\n)*\"lowest\", as for a loss"):
        cr.plots.validation_curve(only_seen, best="most")
    with pytest.raises(cr.InputError, match="validation_curve"):
        cr.plots.validation_curve({})
