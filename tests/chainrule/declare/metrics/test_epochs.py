"""Metrics of an epoch are those of all its rows, whatever its batches are."""

from __future__ import annotations

import numpy as np
import pytest
from tests.chainrule.declare.metrics import expected

import chainrule as cr
from chainrule import losses, metrics, optim

RANDOM = np.random.default_rng(3)


def data(rows: int) -> dict[str, expected.Numbers]:
    labels = RANDOM.integers(0, 4, rows).astype(np.int32)
    targets = RANDOM.standard_normal((rows, 2)).astype(np.float32) + 100
    return {
        "z": (np.eye(4)[labels] + RANDOM.standard_normal((rows, 4))).astype(np.float32),
        "y": labels,
        "p": targets + RANDOM.standard_normal((rows, 2)).astype(np.float32),
        "t": targets,
        "s": np.round(4 * RANDOM.standard_normal(rows)).astype(np.float32),
        "c": RANDOM.integers(0, 2, rows).astype(np.float32),
    }


def declared(batch_size: int, *rules: cr.TargetValue) -> cr.Training:
    z, y = cr.input("z", ("batch", 4)), cr.input("y", ("batch",), dtype="int32")
    p, t = cr.input("p", ("batch", 2)), cr.input("t", ("batch", 2))
    s, c = cr.input("s", ("batch",)), cr.input("c", ("batch",))
    loss = losses.cross_entropy(z + cr.parameter("w", (4,), 0.0), y)
    by_class = [f"{of}_{by}" for of in ("precision", "recall", "f1", "iou")
                for by in ("macro", "micro", "weighted")]  # fmt: skip
    watched = {
        **{name: getattr(metrics, name)(z, y) for name in by_class},
        "r2": metrics.r2(p, t),
        "rmse": metrics.rmse(p, t),
        "auc": metrics.auc(s, c),
        "exact_auc": metrics.auc(s, c, exact=True),
        "average_precision": metrics.average_precision(s, c),
        "top_k": metrics.top_k(z, y, 2),
        "binary_f1": metrics.binary_f1(s, c),
        "confusion": metrics.confusion_matrix(z, y),
        "roc": metrics.roc(s, c, 20),
    }
    step = optim.SGD(lr=1e-30).minimize(loss)
    return cr.training(step, epochs=1, batch_size=batch_size, metrics=watched, stop=rules or None)


def wanted(given: dict[str, expected.Numbers]) -> dict[str, float]:
    return {
        **expected.of_classes(given["z"], given["y"]),
        "r2": expected.r2(given["p"], given["t"]),
        "rmse": expected.rmse(given["p"], given["t"]),
        "auc": expected.auc(given["s"], given["c"]),
        "exact_auc": expected.auc(given["s"], given["c"]),
        "average_precision": expected.average_precision(given["s"], given["c"]),
    }


@pytest.mark.parametrize("target", ["llvm", "numpy"])
@pytest.mark.parametrize("batch_size", [7, 16])
def test_uneven_batches_change_nothing(batch_size: int, target: str) -> None:
    program = cr.compile(declared(batch_size), target=target)
    seen, held_out = data(45), data(31)
    result = program.run(seen, validation=held_out)
    evaluated = program.evaluate(held_out, result.state)
    for name, value in wanted(seen).items():
        assert result.history[name][-1] == pytest.approx(value, rel=1e-6), name
    for name, value in wanted(held_out).items():
        assert result.history[f"val_{name}"][-1] == pytest.approx(value, rel=1e-6), name
        assert evaluated[name] == pytest.approx(value, rel=1e-6), name


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_matrices_and_curves_are_of_all_rows(target: str) -> None:
    program = cr.compile(declared(7), target=target)
    seen, held_out = data(45), data(31)
    found = program.run(seen, validation=held_out).metrics
    for prefix, given in (("", seen), ("val_", held_out)):
        counts = expected.confusion(given["z"], given["y"])
        np.testing.assert_array_equal(found[f"{prefix}confusion"], counts)
        s, c = cr.input("s", ("batch",)), cr.input("c", ("batch",))
        points = cr.compile(metrics.roc(s, c, 20), target="numpy")(s=given["s"], c=given["c"])
        assert found[f"{prefix}roc"] == pytest.approx(points, rel=1e-6)


def test_all_but_the_exact_ones_follow_from_sums() -> None:
    """So the compiled loop knows them after each epoch, and a rule can read them."""
    scalars = {*wanted(data(9)), "top_k", "binary_f1"}
    rules = [cr.TargetValue(name, 2.0, mode="max") for name in sorted(scalars - {"exact_auc"})]
    cr.compile(declared(4, *rules), target="numpy")
    with pytest.raises(cr.GraphError, match="exact_auc"):
        cr.compile(declared(4, cr.TargetValue("exact_auc", 2.0, mode="max")), target="numpy")


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_targets_that_do_not_vary(target: str) -> None:
    p, t = cr.input("p", ("batch",)), cr.input("t", ("batch",))
    function = cr.compile(metrics.r2(p, t), target=target)
    assert function(p=[0.1, 0.1, 0.1], t=[0.1, 0.1, 0.1]) == 1
    assert function(p=[0.1, 0.2, 0.1], t=[0.1, 0.1, 0.1]) == 0
    assert function(p=[0.0, 0.0], t=[0.0, 0.0]) == 1
    assert function(p=[1000.0, 1002.0], t=[1000.0, 1001.0]) == -1  # 1 - 1 / 0.5


def test_outputs_that_differ_in_shape_are_refused() -> None:
    p = cr.input("p", ("batch",))
    for metric in (metrics.r2, metrics.rmse):
        with pytest.raises(cr.ShapeError, match=rf"^{metric.__name__}: predictions .* differ"):
            metric(p, cr.input("t", ("batch", 1)))
