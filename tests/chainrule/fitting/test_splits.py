"""Rows held out, and folds: shares of classes, seeds, and what leaves no row."""

from __future__ import annotations

import numpy as np
import pytest
from tests.chainrule.fitting.classifiers import blobs, trainer

import chainrule as cr
from chainc.ir.types import Array
from chainrule.fitting.parts import Parts, arrays_in
from chainrule.fitting.splits import folds_of, held_out

LABELS = np.repeat([0, 1, 2], [60, 30, 10])


def parts(y: object) -> Parts[Array]:
    return arrays_in("fit", "y", y)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 0.33])
def test_each_class_is_held_out_in_its_share(share: float) -> None:
    seen, others = held_out(parts(LABELS), share, 0, in_order=False)
    assert isinstance(seen, np.ndarray)
    assert isinstance(others, np.ndarray)
    assert sorted([*seen, *others]) == list(range(100))
    assert len(others) == round(share * 100)
    counts = np.bincount(LABELS[others], minlength=3)
    assert np.abs(counts - share * np.array([60, 30, 10])).max() < 1


def test_rows_are_drawn_and_the_seed_decides() -> None:
    first, again, other = (
        held_out(parts(LABELS), 0.2, seed, in_order=False)[1] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(np.asarray(first), np.asarray(other))
    inside = np.asarray(first)[np.asarray(first) < 60]
    assert not np.array_equal(inside, np.arange(60)[::5])


@pytest.mark.parametrize("y", [np.linspace(0, 1, 50), (np.arange(50), np.ones(50))])
def test_what_are_no_labels_is_only_drawn(y: object) -> None:
    seen, others = held_out(parts(y), 0.3, 0, in_order=False)
    assert sorted([*np.asarray(seen), *np.asarray(others)]) == list(range(50))
    assert len(np.asarray(others)) == 15


def test_folds_test_each_row_once_and_each_class_in_its_share() -> None:
    pairs = list(folds_of(parts(LABELS), 5, 0))
    assert sorted(np.concatenate([tested for _, tested in pairs])) == list(range(100))
    for seen, tested in pairs:
        assert sorted([*seen, *tested]) == list(range(100))
        np.testing.assert_array_equal(np.bincount(LABELS[tested]), [12, 6, 2])


def test_what_leaves_no_row_is_refused() -> None:
    x, y = blobs(10)
    one = trainer()
    with pytest.raises(cr.InputError, match=r"validation=0.01 of 10 rows leaves none to validate "):
        one.fit(x, y, validation=0.01)
    with pytest.raises(cr.InputError, match=r"leaves none to train on(.|\n)*try: hold out a share"):
        one.fit(x, y, validation=0.99)
    for wrong in (0, 1.0, -0.1, "0.2", True):
        with pytest.raises(cr.InputError, match=r"^fit: validation must be a finite number"):
            one.fit(x, y, validation=wrong)
    with pytest.raises(cr.InputError, match=r"^fit: validation has 1 parts(.|\n)*try: give valida"):
        one.fit(x, y, validation=(x,))
    with pytest.raises(cr.InputError, match=r"^fit: rows differ: x has 10, y has 9"):
        one.fit(x, y, validation=(x, y[1:]))
    with pytest.raises(cr.InputError, match=r"^fit: there are no rows(.|\n)*try: give at least"):
        one.fit(x[:0], y[:0])
    assert one.result is None


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_a_cross_validation_measures_each_fold_on_what_it_has_not_seen(target: str) -> None:
    x, y = blobs(60)
    one = trainer(target)
    one.fit(x, y, epochs=1)
    before = one.state
    found = one.cross_validate(x, y, folds=3, epochs=4, batch_size=10)
    assert one.state == before
    for (seen, tested), values in zip(folds_of(parts(y), 3, 0), found.folds, strict=True):
        alone = trainer(target)
        alone.fit(x[seen], y[seen], epochs=4, batch_size=10)
        assert values == alone.evaluate(x[tested], y[tested])
    accuracies = [fold["accuracy"] for fold in found.folds]
    assert found.mean["accuracy"] == pytest.approx(np.mean(accuracies))
    assert found.deviation["accuracy"] == pytest.approx(np.std(accuracies, ddof=1))
    assert f"accuracy {np.mean(accuracies):.4f} ±" in repr(found)
    assert "<table" in found._repr_html_()


def test_folds_that_cannot_be_are_refused() -> None:
    x, y = blobs(4)
    with pytest.raises(cr.InputError, match=r"^cross_validate: folds must be a whole number"):
        trainer().cross_validate(x, y, folds=1)
    with pytest.raises(cr.InputError, match=r"^cross_validate: 4 rows make no 5 folds(.|\n)*try"):
        trainer().cross_validate(x, y, folds=5)
