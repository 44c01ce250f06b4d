"""Areas under curves: exact ones against all pairs, binned ones within the bounds they state."""

from __future__ import annotations

import numpy as np
import pytest
from tests.chainrule.declare.metrics import expected

import chainrule as cr
from chainrule import metrics
from chainrule.declare.metrics.histogram import bin_number

TARGETS = pytest.mark.parametrize("target", ["llvm", "numpy"])
RANDOM = np.random.default_rng(8)
T = RANDOM.integers(0, 2, 90).astype(np.float32)
SCORES = {
    "logits": T + 2 * RANDOM.standard_normal(90),
    "probabilities": np.clip(T / 4 + RANDOM.random(90) / 2, 0, 1),
    "many equal": np.round(T + RANDOM.standard_normal(90)),
    "all equal": np.zeros(90),
    "large": 1e30 * (T + RANDOM.standard_normal(90)),
    "infinite": np.where(RANDOM.random(90) < 0.5, np.inf, -np.inf),
}
s, t = cr.input("s", ("batch",)), cr.input("t", ("batch",))


def bins_of(scores: expected.Numbers, bins: int) -> expected.Numbers:
    return np.asarray(cr.compile(bin_number(s, bins), target="numpy")(s=scores))


@TARGETS
@pytest.mark.parametrize("name", SCORES)
def test_the_exact_ones_are_those_of_all_pairs(name: str, target: str) -> None:
    scores = SCORES[name].astype(np.float32)
    nodes = [metrics.auc(s, t, exact=True), metrics.average_precision(s, t, exact=True)]
    auc, precision = cr.compile(nodes, target=target)(s=scores, t=T)
    assert auc == pytest.approx(expected.auc(scores, T), abs=1e-6)
    assert precision == pytest.approx(expected.average_precision(scores, T), abs=1e-6)


@TARGETS
@pytest.mark.parametrize("bins", [2, 10, 200, 1024])
@pytest.mark.parametrize("name", SCORES)
def test_the_binned_ones_keep_to_their_bounds(name: str, bins: int, target: str) -> None:
    scores = SCORES[name].astype(np.float32)
    nodes = [metrics.auc(s, t, bins), metrics.average_precision(s, t, bins)]
    auc, precision = cr.compile(nodes, target=target)(s=scores, t=T)
    binned = bins_of(scores, bins)
    # what they compute is exact for the bins as scores
    assert auc == pytest.approx(expected.auc(binned, T), abs=1e-6)
    assert precision == pytest.approx(expected.average_precision(binned, T), abs=1e-6)
    shared = binned[T == 1][:, None] == binned[T == 0]
    unlike = scores[T == 1][:, None] != scores[T == 0]
    assert abs(auc - expected.auc(scores, T)) <= (shared & unlike).mean() / 2 + 1e-6
    error = abs(precision - expected.average_precision(scores, T))
    assert error <= shared.any(axis=1).mean() + 1e-6


@pytest.mark.parametrize("bins", [2, 3, 1000, 1024])
def test_larger_scores_are_in_no_smaller_bin(bins: int) -> None:
    powers = np.logspace(-30, 30, 4001)
    scores = np.concatenate([[-np.inf], -powers[::-1], [-0.0, 0.0], powers, [np.inf]])
    found = bins_of(scores.astype(np.float32), bins)
    assert (np.diff(found) >= 0).all()
    assert found.min() == 0
    assert found.max() == bins - 1


def test_scores_as_far_apart_as_stated_share_no_bin() -> None:
    bins = 500
    x = np.linspace(-3, 3, 997)
    apart = x + 2 * (1 + np.maximum(abs(x), abs(x) + 0.1)) ** 2 / bins
    assert (bins_of(x.astype(np.float32), bins) < bins_of(apart.astype(np.float32), bins)).all()


@TARGETS
def test_the_curve_has_the_area(target: str) -> None:
    scores = SCORES["logits"].astype(np.float32)
    function = cr.compile([metrics.roc(s, t, 50), metrics.auc(s, t, 50)], target=target)
    points, auc = function(s=scores, t=T)
    assert points.shape == (51, 2)
    np.testing.assert_array_equal(points[[0, -1]], [[0, 0], [1, 1]])
    assert (np.diff(points, axis=0) >= 0).all()
    assert np.trapezoid(points[:, 1], points[:, 0]) == pytest.approx(auc, abs=1e-6)
    binned = bins_of(scores, 50)
    for upper in (1, 7, 30):
        chosen = binned >= 50 - upper
        rates = [chosen[T == 0].mean(), chosen[T == 1].mean()]
        np.testing.assert_allclose(points[upper], rates, atol=1e-6)


@TARGETS
def test_scores_of_more_axes_count_alike(target: str) -> None:
    a, b = cr.input("a", ("batch", 3)), cr.input("b", ("batch", 3), dtype="bool")
    scores = SCORES["many equal"].astype(np.float32)
    for exact in (False, True):
        nodes = [metrics.auc(a, b, exact=exact), metrics.average_precision(a, b, exact=exact)]
        found = cr.compile(nodes, target=target)(a=scores.reshape(-1, 3), b=T.reshape(-1, 3) > 0)
        wanted = [expected.auc(scores, T), expected.average_precision(scores, T)]
        np.testing.assert_allclose(found, wanted, atol=1e-6)


@TARGETS
@pytest.mark.parametrize("exact", [False, True])
def test_what_is_not_defined_is_no_number(exact: bool, target: str) -> None:
    nodes = [metrics.auc(s, t, exact=exact), metrics.average_precision(s, t, exact=exact)]
    function = cr.compile(nodes, target=target)
    np.testing.assert_array_equal(function(s=[1.0, 2.0], t=[0.0, 0.0]), [np.nan, 0])
    np.testing.assert_array_equal(function(s=[1.0, 2.0], t=[1.0, 1.0]), [np.nan, 1])
    np.testing.assert_array_equal(function(s=[1.0, np.nan], t=[1.0, 0.0]), [np.nan, np.nan])


def test_what_cannot_be_ranked_is_refused() -> None:
    for metric in (metrics.auc, metrics.average_precision, metrics.roc):
        name = metric.__name__
        with pytest.raises(cr.InputError, match=rf"^{name}: bins must be a whole number, at leas"):
            metric(s, t, 1)
        with pytest.raises(cr.ShapeError, match=rf"^{name}: scores \[batch\] and targets"):
            metric(s, cr.input("t", ("batch", 1)))
        with pytest.raises(cr.DTypeError, match=rf"^{name}: the scores are i32"):
            metric(cr.input("s", ("batch",), dtype="int32"), t)
