"""Indices of every integer type, and of rows of the batch."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import losses, optim

TARGETS = pytest.mark.parametrize("target", ["numpy", "llvm"])


@TARGETS
@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_labels_of_every_integer_type_name_classes(target: str, dtype: str) -> None:
    labels, logits = cr.input("labels", ("n",), dtype), cr.input("logits", ("n", 300))
    nodes = [
        cr.one_hot(labels, 300),
        losses.cross_entropy(logits, labels),
        cr.take(logits, labels, axis=1),
        cr.scatter_add(np.zeros(300, dtype), labels, labels),
    ]
    given = np.array([2, 0, 255], dtype)
    scores = np.random.default_rng(0).normal(size=(3, 300)).astype(np.float32)
    code, loss, taken, added = cr.compile(nodes, target=target)(labels=given, logits=scores)
    np.testing.assert_array_equal(code, np.eye(300)[given])
    chosen = scores[range(3), given] - np.log(np.exp(scores.astype(float)).sum(1))
    np.testing.assert_allclose(loss, -chosen.mean(), rtol=1e-6)
    np.testing.assert_array_equal(taken, scores[:, given])
    np.testing.assert_array_equal(added[[0, 2, 255]], [0, 2, 255])


@TARGETS
def test_a_range_of_every_element_type(target: str) -> None:
    for dtype in ("uint8", "int32", "int64", "float32", "float64"):
        found = cr.compile(cr.arange(5, dtype) + 0, target=target)()
        assert found.dtype == dtype
        assert found.tolist() == [0, 1, 2, 3, 4]


@TARGETS
@pytest.mark.parametrize("kind", ["take", "scatter_add"])
def test_an_index_beyond_the_batch_is_refused_though_the_data_has_it(
    target: str, kind: str
) -> None:
    rows, index = cr.input("rows", ("batch", 1)), cr.input("index", (2,), "int32")
    updates = cr.constant(np.ones((2, 1), np.float32))
    used = cr.take(rows, index) if kind == "take" else cr.scatter_add(rows, index, updates)
    step = optim.SGD(lr=1e-9).minimize(cr.parameter("w", (), 1.0) * cr.mean(used))
    training = cr.training(step, epochs=1, batch_size=8, shuffle=False)
    program = cr.compile(training, target=target)
    data = np.arange(16, dtype=np.float32)[:, None]
    history = program.run({"rows": data, "index": np.array([0, 7], np.int32)}).history
    assert history["loss"] == pytest.approx((7.5,) if kind == "take" else (7.75,), rel=1e-5)
    with pytest.raises(cr.InputError, match=r"out of range for an axis of size (8|batch)"):
        program.run({"rows": data, "index": np.array([0, 8], np.int32)})
    with pytest.raises(cr.InputError, match=r"index 16.*out of range"):
        program.run({"rows": data, "index": np.array([0, 16], np.int32)})


@TARGETS
def test_indices_of_a_metric_alone_are_checked(target: str) -> None:
    x, labels = cr.input("x", ("batch", 1)), cr.input("labels", ("batch",), "int32")
    step = optim.SGD(lr=1e-9).minimize(cr.parameter("w", (), 1.0) * cr.mean(x))
    metric = cr.mean(cr.one_hot(labels, 3))
    training = cr.training(step, epochs=1, batch_size=2, metrics={"code": metric})
    with pytest.raises(cr.InputError, match=r"index 3.*out of range"):
        cr.compile(training, target=target).run(
            {"x": np.zeros((2, 1), np.float32), "labels": np.array([0, 3], np.int32)}
        )
