"""Metrics against scikit-learn's, where it is installed, over epochs of uneven batches."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import losses, metrics, optim

sklearn = pytest.importorskip(
    "sklearn.metrics", reason="scikit-learn is not installed: pip install scikit-learn"
)

ROWS, CLASSES = 301, 7
random = np.random.default_rng(17)
Y = random.integers(0, CLASSES - 2, ROWS).astype(np.int32)  # two classes never occur
Z = (np.eye(CLASSES)[Y] + random.standard_normal((ROWS, CLASSES))).astype(np.float32)
C = random.integers(0, 2, ROWS).astype(np.int32)
S = (C + 2 * random.standard_normal(ROWS)).astype(np.float32)
T = (random.standard_normal((ROWS, 3)) + 10).astype(np.float32)
P = (T + random.standard_normal((ROWS, 3))).astype(np.float32)
DATA = {"z": Z, "y": Y, "s": S, "c": C, "p": P, "t": T}

z, y = cr.input("z", ("batch", CLASSES)), cr.input("y", ("batch",), dtype="int32")
s, c = cr.input("s", ("batch",)), cr.input("c", ("batch",), dtype="int32")
p, t = cr.input("p", ("batch", 3)), cr.input("t", ("batch", 3))


def of_classes() -> dict[str, tuple[cr.Node, float]]:
    theirs = {"precision": sklearn.precision_score, "recall": sklearn.recall_score,
              "f1": sklearn.f1_score, "iou": sklearn.jaccard_score}  # fmt: skip
    predicted = Z.argmax(1)
    pairs = {
        f"{name}_{average}": (
            getattr(metrics, f"{name}_{average}")(z, y),
            score(Y, predicted, average=average, zero_division=0),
        )
        for name, score in theirs.items()
        for average in ("macro", "micro", "weighted")
    }
    for name, score in theirs.items():
        ours = getattr(metrics, f"binary_{name}")(s, c)
        pairs[f"binary_{name}"] = (ours, score(C, S > 0, zero_division=0))
    return pairs


def of_scores() -> dict[str, tuple[cr.Node, float]]:
    rounded, few = cr.floor(s), np.floor(S)  # each has a bin of its own
    return {
        "auc": (metrics.auc(rounded, c), sklearn.roc_auc_score(C, few)),
        "exact_auc": (metrics.auc(s, c, exact=True), sklearn.roc_auc_score(C, S)),
        "average_precision": (
            metrics.average_precision(rounded, c), sklearn.average_precision_score(C, few)),
        "exact_average_precision": (
            metrics.average_precision(s, c, exact=True), sklearn.average_precision_score(C, S)),
    }  # fmt: skip


def of_numbers() -> dict[str, tuple[cr.Node, float]]:
    a, b = T.astype(float), P.astype(float)
    return {
        "accuracy": (metrics.accuracy(z, y), sklearn.accuracy_score(Y, Z.argmax(1))),
        "top_3": (metrics.top_k(z, y, 3),
                  sklearn.top_k_accuracy_score(Y, Z, k=3, labels=range(CLASSES))),
        "r2": (metrics.r2(p, t), sklearn.r2_score(a, b)),
        "rmse": (metrics.rmse(p, t), sklearn.root_mean_squared_error(a, b)),
        "mse": (metrics.mean_squared_error(p, t), sklearn.mean_squared_error(a, b)),
        "mae": (metrics.mean_absolute_error(p, t), sklearn.mean_absolute_error(a, b)),
    }  # fmt: skip


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_those_of_an_epoch_of_uneven_batches_are_theirs(target: str) -> None:
    pairs = {**of_classes(), **of_scores(), **of_numbers()}
    loss = losses.cross_entropy(z + cr.parameter("w", (CLASSES,), 0.0), y)
    declared = cr.training(
        optim.SGD(lr=1e-30).minimize(loss),
        epochs=1,
        batch_size=32,
        metrics={name: ours for name, (ours, _) in pairs.items()},
    )
    history = cr.compile(declared, target=target).run(DATA, validation=DATA).history
    for name, (_, theirs) in pairs.items():
        assert history[name][-1] == pytest.approx(theirs, abs=1e-6), name
        assert history[f"val_{name}"][-1] == pytest.approx(theirs, abs=1e-6), name


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_matrices_and_curves_are_theirs(target: str) -> None:
    function = cr.compile([metrics.confusion_matrix(z, y), metrics.roc(s, c)], target=target)
    matrix, points = function(z=Z, y=Y, s=S, c=C)
    counted = sklearn.confusion_matrix(Y, Z.argmax(1), labels=range(CLASSES))
    np.testing.assert_array_equal(matrix, counted)
    assert sklearn.auc(*points.T) == pytest.approx(sklearn.roc_auc_score(C, S), abs=1e-3)
    false_rates, true_rates, _ = sklearn.roc_curve(C, S, drop_intermediate=False)
    theirs = np.stack([false_rates, true_rates], axis=1)
    nearest = np.abs(points[:, None] - theirs).max(axis=2).min(axis=1)
    assert nearest.max() < 1e-6  # every point of ours is one of theirs


@pytest.mark.parametrize("name", ["constant", "perfect", "constant and perfect"])
def test_the_edges_of_r2_are_theirs(name: str) -> None:
    targets = T[:, 0] if name == "perfect" else np.full(ROWS, 0.3, np.float32)
    given = P[:, 0] if name == "constant" else targets
    a, b = cr.input("a", ("batch",)), cr.input("b", ("batch",))
    found = cr.compile(metrics.r2(a, b), target="numpy")(a=given, b=targets)
    assert found == sklearn.r2_score(targets.astype(float), given.astype(float))
