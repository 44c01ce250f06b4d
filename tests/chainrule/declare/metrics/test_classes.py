"""Metrics of classes against loops over the classes, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from tests.chainrule.declare.metrics import expected

import chainrule as cr
from chainc.ir.types import TensorType, float32
from chainrule import metrics

RANDOM = np.random.default_rng(5)
LOGITS = RANDOM.standard_normal((61, 6)).astype(np.float32)
LABELS = RANDOM.integers(0, 4, 61).astype(np.int32)  # two of the classes never occur
LOGITS[:, 5] = -9.0  # and one of them is never predicted
NAMES = [f"{of}_{by}" for of in ("precision", "recall", "f1", "iou")
         for by in ("macro", "micro", "weighted")]  # fmt: skip
TARGETS = pytest.mark.parametrize("target", ["llvm", "numpy"])

z, y = cr.input("z", ("batch", 6)), cr.input("y", ("batch",), dtype="int32")
s, t = cr.input("s", ("batch",)), cr.input("t", ("batch",))


@TARGETS
def test_quotients_of_classes_are_those_of_a_loop(target: str) -> None:
    nodes = [getattr(metrics, name)(z, y) for name in NAMES]
    assert {node.type for node in nodes} == {TensorType((), float32)}
    found = cr.compile(nodes, target=target)(z=LOGITS, y=LABELS)
    by_hand = expected.of_classes(LOGITS, LABELS)
    for name, value in zip(NAMES, found, strict=True):
        assert value == pytest.approx(by_hand[name], abs=1e-6), name


def test_the_average_of_a_name_is_that_of_its_argument() -> None:
    for of in (metrics.precision, metrics.recall, metrics.f1, metrics.iou):
        for average in ("macro", "micro", "weighted"):
            named = getattr(metrics, f"{of.__name__}_{average}")
            both = cr.compile([of(z, y, average), named(z, y)], target="numpy")
            ours, theirs = both(z=LOGITS, y=LABELS)
            assert ours == theirs


@TARGETS
def test_the_confusion_matrix_counts_predictions_in_the_row_of_the_label(target: str) -> None:
    function = cr.compile(metrics.confusion_matrix(z, y), target=target)
    np.testing.assert_array_equal(function(z=LOGITS, y=LABELS), expected.confusion(LOGITS, LABELS))
    one = function(z=np.eye(6, dtype=np.float32)[[2]], y=np.array([4], np.int32))
    assert one[4, 2] == one.sum() == 1


@TARGETS
def test_more_axes_than_one_of_rows_count_alike(target: str) -> None:
    logits, labels = LOGITS[:60].reshape(4, 15, 6), LABELS[:60].reshape(4, 15)
    a, b = cr.input("a", ("batch", "time", 6)), cr.input("b", ("batch", "time"), dtype="int64")
    nodes = [metrics.confusion_matrix(a, b), metrics.f1(a, b), metrics.top_k(a, b, 2)]
    counts, f1, top = cr.compile(nodes, target=target)(a=logits, b=labels.astype(np.int64))
    np.testing.assert_array_equal(counts, expected.confusion(LOGITS[:60], LABELS[:60]))
    assert f1 == pytest.approx(expected.of_classes(LOGITS[:60], LABELS[:60])["f1_macro"], abs=1e-6)
    assert top == pytest.approx(top_k(LOGITS[:60], LABELS[:60], 2), abs=1e-6)


def top_k(logits: expected.Numbers, labels: expected.Numbers, k: int) -> float:
    order = np.argsort(-logits.astype(float), axis=1, kind="stable")[:, :k]
    return float(np.mean([label in row for row, label in zip(order, labels, strict=True)]))


@TARGETS
@pytest.mark.parametrize("k", [1, 2, 5, 6])
def test_top_k_is_that_of_sorted_logits(k: int, target: str) -> None:
    rounded = np.round(LOGITS)  # many are equal: the first of them count
    function = cr.compile([metrics.top_k(z, y, k), metrics.accuracy(z, y)], target=target)
    found, accuracy = function(z=rounded, y=LABELS)
    assert found == pytest.approx(top_k(rounded, LABELS, k), abs=1e-6)
    assert bool(found == accuracy) is (k == 1)


def test_a_label_whose_logit_is_nan_is_not_among_the_largest() -> None:
    function = cr.compile(metrics.top_k(z, y, 3), target="numpy")
    assert function(z=np.full((1, 6), np.nan), y=[0]) == 0
    assert function(z=[[np.nan, 1, 2, 3, 4, 5]], y=[5]) == 1


@TARGETS
def test_two_classes_count_positives(target: str) -> None:
    nodes = [metrics.binary_precision(s, t), metrics.binary_recall(s, t),
             metrics.binary_f1(s, t), metrics.binary_iou(s, t)]  # fmt: skip
    function = cr.compile(nodes, target=target)
    found = function(s=[-1.0, 2.0, 3.0, 0.0, 5.0], t=[1.0, 1.0, 0.0, 1.0, 1.0])
    np.testing.assert_allclose(found, [2 / 3, 2 / 4, 4 / 7, 2 / 5], rtol=1e-6)
    np.testing.assert_array_equal(function(s=[-1.0], t=[0.0]), [0, 0, 0, 0])


@pytest.mark.parametrize("dtype", ["bool", "int32", "uint8", "float64"])
def test_positives_are_of_any_type(dtype: str) -> None:
    given = cr.input("t", ("batch",), dtype=dtype)
    function = cr.compile(metrics.binary_recall(s, given), target="numpy")
    assert function(s=[1.0, -1.0, 1.0], t=np.array([1, 1, 0], dtype)) == 0.5


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(cr.InputError, match=r"^f1: there is no average 'mean'(.|\n)*try: give av"):
        metrics.f1(z, y, "mean")
    with pytest.raises(cr.InputError, match=r"^top_k: k=7 of 6 classes(.|\n)*try: give k=5 or"):
        metrics.top_k(z, y, 7)
    with pytest.raises(cr.InputError, match=r"^top_k: k must be a whole number, at least 1, got 0"):
        metrics.top_k(z, y, 0)
    with pytest.raises(cr.ShapeError, match=r"^recall: labels \[batch,6\] do not fit"):
        metrics.recall(z, cr.input("y", ("batch", 6), dtype="int32"))
    with pytest.raises(cr.DTypeError, match=r"^confusion_matrix: the labels are f32\[batch\]"):
        metrics.confusion_matrix(z, t)
    with pytest.raises(cr.ShapeError, match=r"^iou: the number of classes is the named size n"):
        metrics.iou(cr.input("a", ("batch", "n")), y)
    with pytest.raises(
        cr.ShapeError, match=r"^binary_f1: logits \[batch\] and targets \[batch,1\]"
    ):
        metrics.binary_f1(s, cr.input("t", ("batch", 1)))
    with pytest.raises(cr.DTypeError, match=r"^binary_iou: the logits are i32"):
        metrics.binary_iou(y, t)
