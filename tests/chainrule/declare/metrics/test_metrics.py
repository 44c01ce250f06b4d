"""Metrics against NumPy."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from chainc.interpreters.reference import evaluate
from chainc.ir import Graph, Node
from chainc.ir.errors import DTypeError, ShapeError
from chainc.ir.types import TensorType, float32
from chainrule import metrics
from chainrule.declare.leaves import input

RNG = np.random.default_rng(0)


def test_accuracy_is_the_share_of_rows_whose_largest_logit_is_the_label() -> None:
    logits, labels = RNG.normal(size=(50, 3)), RNG.integers(0, 3, 50).astype(np.int32)
    node = metrics.accuracy(input("z", ("batch", 3)), input("y", ("batch",), dtype="int32"))
    value = evaluate(Graph((node,)), {"z": logits, "y": labels}).outputs[0]
    assert value == pytest.approx((logits.argmax(1) == labels).mean())
    assert node.type == TensorType((), float32)


def test_of_equal_logits_the_first_counts() -> None:
    node = metrics.accuracy(input("z", (2, 3)), input("y", (2,), dtype="uint8"))
    given: dict[str, npt.ArrayLike] = {"z": np.zeros((2, 3)), "y": np.array([0, 1], np.uint8)}
    assert evaluate(Graph((node,)), given).outputs[0] == 0.5


def test_binary_accuracy_compares_the_signs() -> None:
    node = metrics.binary_accuracy(input("z", ("batch",)), input("t", ("batch",)))
    given = {"z": [-2.0, 3.0, 0.0, 1.0], "t": [0.0, 1.0, 1.0, 0.2]}
    assert evaluate(Graph((node,)), given).outputs[0] == 0.5
    assert node.type == TensorType((), float32)


@pytest.mark.parametrize(
    ("metric", "expected"), [(metrics.mean_squared_error, 2.5), (metrics.mean_absolute_error, 1.5)]
)
def test_errors_are_means(metric: Callable[[Node, Node], Node], expected: float) -> None:
    node = metric(input("p", (2,), "float64"), input("t", (2,), "float64"))
    assert evaluate(Graph((node,)), {"p": [1.0, 2.0], "t": [2.0, 4.0]}).outputs[0] == expected
    assert node.type == TensorType((), float32)


def test_misfits_are_refused_under_the_metric_s_name() -> None:
    z = input("z", ("batch", 3))
    with pytest.raises(ShapeError, match=r"^accuracy: labels \[batch,3\] do not fit"):
        metrics.accuracy(z, input("y", ("batch", 3), dtype="int32"))
    with pytest.raises(DTypeError, match=r"^binary_accuracy: the targets are i32"):
        metrics.binary_accuracy(z, input("t", ("batch", 3), dtype="int32"))
    with pytest.raises(ShapeError, match=r"^mean_squared_error: predictions .* differ"):
        metrics.mean_squared_error(z, input("t", ("batch",)))
    with pytest.raises(ShapeError, match=r"^mean_absolute_error: predictions .* differ"):
        metrics.mean_absolute_error(z, input("t", ("batch",)))
