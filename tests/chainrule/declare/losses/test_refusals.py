"""What a loss refuses, at the line of its call and before anything is built."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import chainrule as cr
from chainrule import losses

HERE = Path(__file__).name
free = cast("Any", losses)  # for arguments that type checkers refuse

z, t, v = (cr.input(name, ("batch", 4)) for name in "ztv")
y, y8 = cr.input("y", ("batch",), "int32"), cr.input("y8", ("batch",), "uint8")
whole, other = cr.input("whole", ("batch",), "int32"), cr.input("other", ("rows",))
square, of_square = cr.input("square", (4, 4)), cr.input("of_square", (4,), "int32")
four = cr.input("four", (4,))


def refused(call: Callable[[], object], what: str, hint: str) -> None:
    with pytest.raises(cr.ChainruleError) as caught:
        call()
    told, _, rest = str(caught.value).partition("\n  where: ")
    where, _, tried = rest.partition("\n  try: ")
    assert re.search(what, told), told
    assert HERE in where
    assert re.search(hint, tried), tried


BY_LABEL: list[Any] = [losses.cross_entropy, losses.focal, losses.hinge]
BY_TARGET: list[Any] = [losses.binary_cross_entropy, losses.binary_focal, losses.binary_hinge]
OF_NUMBERS: list[Any] = [losses.squared_error, losses.absolute_error, losses.huber, losses.quantile]


@pytest.mark.parametrize("loss", BY_LABEL)
def test_weights_of_the_wrong_length(loss: Any) -> None:
    name = loss.__name__
    what = rf"^{name}: weights \[3\] for 4 classes$"
    refused(lambda: loss(z, y, weights=[1, 2, 3]), what, r"give 4 numbers.*of rows, give a node")
    refused(lambda: loss(z, y, weights=np.ones((4, 1))), r"weights \[4,1\] for 4", r"4 numbers")
    what = rf"^{name}: weights \[rows\] fit neither rows \[batch\] nor 4 classes$"
    refused(lambda: loss(z, y, weights=other), what, r"of classes, give a list.*of rows, a node")
    what = r"weights \[4\] fit both rows \[4\] and 4 classes"
    refused(lambda: loss(square, of_square, weights=four), what, r"give a list or an array")


@pytest.mark.parametrize("loss", BY_TARGET)
def test_weights_of_two_classes(loss: Any) -> None:
    what = rf"^{loss.__name__}: weights \[4\] for 2 classes$"
    refused(lambda: loss(z, t, weights=[1, 2, 3, 4]), what, r"give 2 numbers")
    refused(lambda: loss(z, t, weights=other), r"fit neither rows \[batch,4\] nor 2", r"first of")


@pytest.mark.parametrize("loss", OF_NUMBERS)
def test_weights_of_columns(loss: Any) -> None:
    what = rf"^{loss.__name__}: weights \[2\] for 4 columns$"
    refused(lambda: loss(z, t, weights=[1, 2]), what, r"one for each of the columns")
    a, b = cr.input("a", ("batch",)), cr.input("b", ("batch",))
    what = r"weights \[2\], and there are no columns to weigh"
    refused(lambda: loss(a, b, weights=[1, 2]), what, r'of rows, give a node: cr.input\("weights"')
    refused(lambda: loss(a, b, weights=other), r"weights \[rows\] fit no rows \[batch\]", r"node")


@pytest.mark.parametrize("wrong", [[1, -1, 1, 1], [0, 0, 0, 0], [1, np.nan, 1, 1], [np.inf] * 4])
def test_weights_that_are_none(wrong: list[float]) -> None:
    what = r"^cross_entropy: the weights \[.*\] are not all finite and"
    refused(lambda: losses.cross_entropy(z, y, weights=wrong), what, r"such as 1 for all")


def test_weights_that_are_no_numbers() -> None:
    what = r"^cross_entropy: the weights are i32\[batch\], not floating-point"
    refused(lambda: losses.cross_entropy(z, y, weights=whole), what, r"cr.astype\(weights")
    refused(
        lambda: free.cross_entropy(z, y, weights={"k": 1}),
        r"the value of weights is a dict",
        r"array",
    )
    refused(lambda: free.cross_entropy(z, y, weights=2.0), r"weights \[\] for 4 classes", r"4 num")
    what = r"^kl_divergence: weights \[4\], and there are no classes to weigh"
    refused(lambda: free.kl_divergence(z, t, weights=[1, 2, 3, 4]), what, r"of rows, give a node")


@pytest.mark.parametrize("wrong", ["average", "Mean", None, ["mean"], 3])
def test_a_reduction_that_is_none(wrong: object) -> None:
    calls: list[Any] = [partial(each, z, y) for each in BY_LABEL]
    calls += [partial(each, z, t) for each in (*BY_TARGET, *OF_NUMBERS, losses.kl_divergence)]
    for call in calls:
        what = rf"^{call.func.__name__}: there is no reduction {re.escape(repr(wrong))}$"
        refused(partial(call, reduction=wrong), what, r'give "mean", "sum", or')
    refused(lambda: free.gaussian_nll(z, t, v, reduction=wrong), r"no reduction", r'"mean", "sum"')


@pytest.mark.parametrize("wrong", [-0.1, 1, 1.5, "0.1", np.nan, True, None])
def test_a_smoothing_outside_0_and_1(wrong: object) -> None:
    what = r"entropy: label_smoothing must be a finite number and at least 0 and below 1, got"
    hint = r"such as 0.1, or 0 for none"
    refused(lambda: free.cross_entropy(z, y, label_smoothing=wrong), what, hint)
    refused(lambda: free.cross_entropy(z, t, label_smoothing=wrong), what, hint)
    refused(lambda: free.binary_cross_entropy(z, t, label_smoothing=wrong), what, hint)


@pytest.mark.parametrize("wrong", [1.5, "1", True, [1], 2**31])
def test_an_index_to_ignore_that_is_none(wrong: object) -> None:
    what = r"^cross_entropy: ignore_index must be a whole number of the labels' type, int32, got"
    refused(lambda: free.cross_entropy(z, y, ignore_index=wrong), what, r"ignore_index=-100")


def test_an_index_to_ignore_where_it_cannot_be() -> None:
    what = r"a whole number of the labels' type, uint8, got -100"
    refused(lambda: losses.cross_entropy(z, y8, ignore_index=-100), what, r"the label of rows")
    what = r"^cross_entropy: ignore_index is for labels, and these are probabilities$"
    refused(
        lambda: losses.cross_entropy(z, t, ignore_index=1), what, r"give such rows the weight 0"
    )


@pytest.mark.parametrize("wrong", [0, 1, -0.5, 2, "0.5", np.nan])
def test_a_quantile_outside_0_and_1(wrong: object) -> None:
    what = r"^quantile: q must be a finite number and above 0 and below 1, got"
    refused(lambda: free.quantile(z, t, wrong), what, r"q=0.9")


@pytest.mark.parametrize("wrong", [-1, np.inf, "1", None])
def test_numbers_of_a_loss_that_are_out_of_range(wrong: object) -> None:
    refused(lambda: free.huber(z, t, wrong), r"^huber: delta must be .*above 0", r"positive")
    refused(lambda: free.hinge(z, y, wrong), r"^hinge: margin must be .*above 0", r"margin=1")
    refused(lambda: free.binary_hinge(z, t, wrong), r"^binary_hinge: margin must be", r"margin=1")
    refused(lambda: free.focal(z, y, wrong), r"^focal: gamma must be .*at least 0", r"gamma=2")
    refused(lambda: free.binary_focal(z, t, wrong), r"^binary_focal: gamma must be", r"gamma=2")
    refused(lambda: free.gaussian_nll(z, t, v, eps=wrong), r"_nll: eps must be", r"1e-6")


def test_operands_that_do_not_fit() -> None:
    column = cr.input("column", ("batch", 1))
    what = r"^gaussian_nll: variances \[batch,1\] and predictions \[batch,4\] differ"
    refused(lambda: losses.gaussian_nll(z, t, column), what, r"cr.broadcast_to")
    refused(lambda: free.gaussian_nll(z, t, 1.0), r"the variances are a float", r"give a node")
    refused(lambda: losses.gaussian_nll(z, t, y), r"variances are i32\[batch\], not", r"cr.astype")
    refused(lambda: losses.huber(z, column), r"^huber: predictions .* and targets .* differ", r"")
    refused(lambda: losses.focal(z, t), r"^focal: the labels are f32\[batch,4\], not", r"int32")
    refused(lambda: losses.hinge(z, t), r"^hinge: the labels are f32\[batch,4\], not", r"int32")
    single = cr.input("single")
    refused(lambda: losses.kl_divergence(single, single), r"have no axis of classes", r"last axis")
    free_d, free_g = losses.gan.discriminator, losses.gan.generator
    refused(lambda: free_d(z, y), r"^discriminator: the fake_logits are i32", r"cr.astype")
    refused(lambda: cast("Any", free_g)(1.0), r"^generator: the fake_logits are a float", r"node")
    refused(cast("Any", free_g), r"^losses.gan.generator\(\) needs 'fake_", r"arguments")


def test_rows_without_labels_that_do_not_fit() -> None:
    shapes = r"f32\[batch,4\]|\[batch,4\] and .* \[rows\] are no rows"
    refused(lambda: losses.kl_normal(z, other), r"^kl_normal: means " + shapes, r"of means")
    refused(lambda: losses.nt_xent(z, other), r"^nt_xent: first " + shapes, r"shape of first")
    refused(lambda: losses.nt_xent(other, other), r"first \[rows\] are no rows", r"cr.reshape")
    refused(lambda: losses.k_means(z, other), r"^k_means: points " + shapes, r"\(clusters, f")
    refused(lambda: losses.k_means(z, whole), r"the centres are i32\[batch\], not", r"astype")
    refused(lambda: free.kl_normal(z, 1.0), r"the log_variances are a float", r"give a node")
    single = cr.input("single")
    refused(lambda: losses.kl_normal(single, single), r"are no rows of one shape", r"features")
    for wrong in (0, -1, np.inf, "1"):
        what = r"^nt_xent: temperature must be .*above 0"
        refused(partial(free.nt_xent, z, t, wrong), what, r"such as 0.5")
    for loss in (losses.kl_normal, losses.k_means, losses.nt_xent):
        what = rf"^{loss.__name__}: there is no reduction 'all'"
        refused(partial(cast("Any", loss), z, t, reduction="all"), what, r'"mean", "sum"')


def test_balanced_weights_refuse_what_they_cannot_weigh() -> None:
    balance = losses.balanced_weights
    what = r"^balanced_weights: of 4 classes 2 never occurs among the labels$"
    refused(lambda: balance([0, 1, 3, 1], 4), what, r"each class is in the training set")
    for wrong in ([0, 4], [-1, 0], [0.5, 1], [np.nan, 1], []):
        what = r"^balanced_weights: the labels are not whole numbers from 0 to 3$"
        refused(partial(balance, wrong, 4), what, r"class numbers")
    refused(lambda: balance([0], 0), r"classes must be a whole number, at least 1", r"how many")
    refused(lambda: cast("Any", balance)(["a"], 2), r"the value of labels", r"")


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 2, 0])
    found = losses.balanced_weights(labels, 3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 8 / (3 * np.array([5, 2, 1])), rtol=1e-7)
    assert float((found[labels]).sum()) == pytest.approx(8)
