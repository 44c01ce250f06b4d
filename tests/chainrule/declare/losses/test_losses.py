"""Losses against their textbook formulas, stable far out, and strict about what they are given."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from chainc.autodiff import grad
from chainc.interpreters.reference import evaluate
from chainc.ir import Graph, Node
from chainc.ir.errors import DTypeError, InputError, ShapeError
from chainc.ops.functions import Exp
from chainrule import losses
from chainrule.declare.leaves import input
from chainrule.teaching.gradient_check import check_grad

Given = dict[str, npt.ArrayLike]
LINE = r".*test_losses\.py:\d+"
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(6, 4))
LABELS = RNG.integers(0, 4, 6).astype(np.int32)
P, T = RNG.normal(size=(5, 2)), RNG.random((5, 2))


def test_cross_entropy_is_the_mean_of_minus_log_probability() -> None:
    logits, labels = input("z", ("batch", 4)), input("y", ("batch",), dtype="int32")
    loss = losses.cross_entropy(logits, labels)
    probabilities = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    graph = Graph((loss, grad(loss, logits)))
    value, gradient = evaluate(graph, {"z": LOGITS, "y": LABELS}).outputs
    assert value == pytest.approx(-np.log(probabilities[np.arange(6), LABELS]).mean(), rel=1e-12)
    assert np.allclose(gradient, (probabilities - np.eye(4)[LABELS]) / 6, atol=1e-14)


def test_cross_entropy_shares_its_exponential_with_the_gradient() -> None:
    logits, labels = input("z", ("batch", 4)), input("y", ("batch",), dtype="int32")
    loss = losses.cross_entropy(logits, labels)
    nodes = Graph((loss, grad(loss, logits))).nodes
    assert len([node for node in nodes if isinstance(node.op, Exp)]) == 1


def test_cross_entropy_takes_one_row_and_many_axes() -> None:
    row = losses.cross_entropy(input("z", (4,)), input("y", (), dtype="int64"))
    assert evaluate(Graph((row,)), {"z": [0.0] * 4, "y": 2}).outputs[0] == pytest.approx(np.log(4))
    logits = input("z", ("batch", "time", 4))
    tower = losses.cross_entropy(logits, input("y", ("batch", "time"), dtype="uint8"))
    given: Given = {"z": np.zeros((2, 3, 4)), "y": np.zeros((2, 3), np.uint8)}
    assert evaluate(Graph((tower,)), given).outputs[0] == pytest.approx(np.log(4))


def test_cross_entropy_is_exact_far_out() -> None:
    logits, labels = input("z", ("batch", 2)), input("y", ("batch",), dtype="int32")
    loss = losses.cross_entropy(logits, labels)
    given: Given = {"z": [[1e4, 0.0], [1e4, 0.0]], "y": [0, 1]}
    value, gradient = evaluate(Graph((loss, grad(loss, logits))), given).outputs
    assert value == 5000
    assert gradient.tolist() == [[0, 0], [0.5, -0.5]]


def test_cross_entropy_refuses_a_label_out_of_range_when_it_runs() -> None:
    loss = losses.cross_entropy(input("z", (1, 2)), input("y", (1,), dtype="int32"))
    with pytest.raises(InputError, match=r"index 2 is out of range for 2 positions"):
        evaluate(Graph((loss,)), {"z": [[0.0, 0.0]], "y": np.array([2], np.int32)})


def test_binary_cross_entropy_is_the_textbook_formula() -> None:
    logits, targets = input("z", ("batch", 2)), input("t", ("batch", 2))
    loss = losses.binary_cross_entropy(logits, targets)
    sigma = 1 / (1 + np.exp(-P))
    graph = Graph((loss, grad(loss, logits)))
    value, gradient = evaluate(graph, {"z": P, "t": T}).outputs
    expected = -(T * np.log(sigma) + (1 - T) * np.log(1 - sigma)).mean()
    assert value == pytest.approx(expected, rel=1e-12)
    assert np.allclose(gradient, (sigma - T) / P.size, atol=1e-14)


def test_binary_cross_entropy_is_exact_far_out() -> None:
    logits, targets = input("z", (4,)), input("t", (4,))
    loss = losses.binary_cross_entropy(logits, targets)
    given = {"z": [1000.0, -1000.0, 1000.0, -1000.0], "t": [1.0, 0.0, 0.0, 1.0]}
    value, gradient = evaluate(Graph((loss, grad(loss, logits))), given).outputs
    assert value == 500
    assert gradient.tolist() == [0, 0, 0.25, -0.25]


@pytest.mark.parametrize(
    ("loss", "formula"),
    [
        (losses.squared_error, lambda p, t: ((p - t) ** 2).mean()),
        (losses.absolute_error, lambda p, t: np.abs(p - t).mean()),
    ],
)
def test_errors_are_means_over_all_elements(
    loss: Callable[[Node, Node], Node],
    formula: Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], float],
) -> None:
    p, t = input("p", ("batch", 2)), input("t", ("batch", 2))
    value = evaluate(Graph((loss(p, t),)), {"p": P, "t": T}).outputs[0]
    assert value == pytest.approx(formula(P, T), rel=1e-12)
    assert check_grad(loss(p, t), [p, t], {p: P, t: T}).passed


def test_each_loss_is_a_box_with_its_name() -> None:
    z, y, t = input("z", (3, 2)), input("y", (3,), dtype="int32"), input("t", (3, 2))
    assert losses.cross_entropy(z, y).origin.scope == "cross_entropy"
    assert losses.binary_cross_entropy(z, t).origin.scope == "binary_cross_entropy"
    assert losses.squared_error(z, t).origin.scope == "squared_error"
    assert losses.absolute_error(z, t).origin.scope == "absolute_error"


def test_cross_entropy_refuses_labels_that_do_not_fit() -> None:
    z = input("z", ("batch", 4))
    onehot, other = input("y", ("batch", 4), dtype="int32"), input("y", ("rows",), dtype="int32")
    with pytest.raises(
        ShapeError,
        match=rf"^cross_entropy: labels \[batch,4\] do not fit logits \[batch,4\]: there must be "
        rf"one label for each row of logits\n  where: {LINE}"
        rf"\n         logits: z f32\[batch,4\] \({LINE}\)"
        rf"\n         labels: y i32\[batch,4\] \({LINE}\)"
        r"\n  try: give labels of shape \[batch\]: class numbers, not one-hot rows$",
    ):
        losses.cross_entropy(z, onehot)
    with pytest.raises(ShapeError, match=r"labels \[rows\] do not fit logits \[batch,4\]"):
        losses.cross_entropy(z, other)
    with pytest.raises(ShapeError, match=r"labels \[\] do not fit logits \[\]"):
        losses.cross_entropy(input("s"), input("n", dtype="int32"))


def test_cross_entropy_refuses_wrong_element_types_and_unknown_class_counts() -> None:
    z = input("z", ("batch", 4))
    with pytest.raises(DTypeError, match=r"the labels are f32\[batch\], not integers(?s:.*)int32"):
        losses.cross_entropy(z, input("y", ("batch",)))
    with pytest.raises(DTypeError, match=r"the logits are i32\[batch,4\], not floating-point"):
        losses.cross_entropy(input("z", ("batch", 4), "int32"), input("y", ("batch",), "int32"))
    with pytest.raises(ShapeError, match=r"number of classes is the named size classes(?s:.*)know"):
        losses.cross_entropy(input("z", ("batch", "classes")), input("y", ("batch",), "int32"))


@pytest.mark.parametrize(
    "loss", [losses.binary_cross_entropy, losses.squared_error, losses.absolute_error]
)
def test_pairs_that_would_broadcast_are_refused(loss: Callable[[Node, Node], Node]) -> None:
    column, row = input("p", ("batch", 1)), input("t", ("batch",))
    with pytest.raises(
        ShapeError,
        match=rf"^{loss.__name__}: \w+ \[batch,1\] and targets \[batch\] differ\n  where: {LINE}"
        rf"\n .*: p f32.*\n .*: t f32.*\n  try: give targets of shape \[batch,1\]",
    ):
        loss(column, row)
    with pytest.raises(DTypeError, match=r"the targets are bool\[batch,1\](?s:.*)cr.astype"):
        loss(column, input("t", ("batch", 1), dtype="bool"))
