"""Batch and layer normalisation by their definitions, the statistics kept, and what is refused."""

from __future__ import annotations

import copy
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainc.ir.types import Array
from chainrule import losses, nn, optim

Floats = npt.NDArray[np.float64]
random = np.random.default_rng(2)


def floats(array: Array) -> Floats:
    return cast("Floats", array)


def trained(
    layer: nn.Module, x: cr.Node, value: Floats
) -> tuple[npt.NDArray[np.float32], cr.State]:
    function = cr.compile(layer(x), mode="train")
    bound = function.bind(function.initial_state(0))
    return bound(x=value.astype(np.float32)), bound.state


def test_batch_norm_normalises_with_the_biased_variance_and_keeps_the_unbiased_one() -> None:
    """1, 2, 3, 4 have the variances 1.25 and 5/3: running 0.9 + 5/30, as PyTorch has it."""
    layer = nn.BatchNorm1d(1, name="bn")
    y, state = trained(layer, cr.input("x", ("batch", 1)), np.array([[1.0], [2], [3], [4]]))
    np.testing.assert_allclose(y[:, 0], (np.arange(4) - 1.5) / np.sqrt(1.25 + 1e-5), rtol=1e-6)
    assert state["bn/running_mean"].item() == pytest.approx(0.25)
    assert state["bn/running_var"].item() == pytest.approx(0.9 + 0.5 / 3)


def test_batch_norm_with_a_length_takes_statistics_over_rows_and_positions() -> None:
    value = random.standard_normal((5, 3, 4))
    layer = nn.BatchNorm1d(3, momentum=0.5, eps=0.01, name="bn")
    y, state = trained(layer, cr.input("x", ("batch", 3, 4)), value)
    mean, variance = value.mean((0, 2), keepdims=True), value.var((0, 2), keepdims=True)
    np.testing.assert_allclose(y, (value - mean) / np.sqrt(variance + 0.01), atol=1e-5)
    np.testing.assert_allclose(floats(state["bn/running_mean"]), mean.ravel() / 2, rtol=1e-5)
    unbiased = value.var((0, 2), ddof=1)
    np.testing.assert_allclose(floats(state["bn/running_var"]), 0.5 + unbiased / 2, rtol=1e-5)


def test_predictions_read_the_running_statistics_and_change_nothing() -> None:
    layer, x = nn.BatchNorm1d(2, name="bn"), cr.input("x", ("batch", 2))
    state = cr.State(
        {
            "bn/weight": np.array([2, 3], np.float32),
            "bn/bias": np.array([1, -1], np.float32),
            "bn/running_mean": np.array([5, 6], np.float32),
            "bn/running_var": np.array([4, 9], np.float32),
        }
    )
    function = cr.compile(layer(x)).bind(state)
    one_row = function(x=np.array([[7, 9]], np.float32))
    np.testing.assert_allclose(one_row, [[2 * 2 / 2 + 1, 3 * 3 / 3 - 1]], rtol=1e-5)
    assert np.array_equal(function.state["bn/running_mean"], [5, 6])


class Normalised:
    """Squared error of a linear layer and a normalisation."""

    def __init__(self, rows: str | int = "batch") -> None:
        self.x, self.y = cr.input("x", (rows, 3)), cr.input("y", (rows, 2))
        self.layer = nn.BatchNorm1d(2, name="bn")
        self.result = self.layer(nn.Linear(3, 2, name="linear")(self.x))
        self.loss = losses.squared_error(self.result, self.y)

    def program(self, batch_size: int, target: str = "llvm") -> cr.TrainingProgram:
        step = optim.SGD(0.1).minimize(self.loss)
        return cr.compile(cr.training(step, epochs=2, batch_size=batch_size), target=target)


def rows(count: int) -> dict[str, npt.NDArray[np.float32]]:
    drawn = random.standard_normal((count, 5)).astype(np.float32)
    return {"x": drawn[:, :3], "y": drawn[:, 3:]}


ONE = r"(?s)bn needs at least 2 values for a statistic and would get 1.*try: choose a batch_size"


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_one_row_in_training_is_refused_before_anything_runs(target: str) -> None:
    program = Normalised().program(4, target)
    with pytest.raises(cr.InputError, match=ONE) as caught:
        program.run(rows(9))
    assert "in bn (" in str(caught.value)
    result = program.run(rows(10))
    assert program.evaluate(rows(1), result.state)["loss"] >= 0
    assert np.isfinite(result.history["loss"]).all()


def test_batches_of_one_row_are_refused_and_so_are_calls() -> None:
    normalised = Normalised()
    with pytest.raises(cr.InputError, match=ONE):
        normalised.program(1).run(rows(8))
    function = cr.compile(normalised.result, mode="train")
    bound = function.bind(function.initial_state(0))
    for _ in range(2):
        with pytest.raises(cr.InputError, match=ONE):
            bound(x=rows(1)["x"])
    assert bound(x=rows(2)["x"]).shape == (2, 2)
    with pytest.raises(cr.InputError, match=ONE):
        cr.compile(normalised.result, mode="train", batch=1)
    cr.compile(normalised.result, batch=1)


def test_a_single_declared_row_can_be_predicted_and_not_trained() -> None:
    normalised = Normalised(1)
    function = cr.compile(normalised.result)
    assert function.bind(function.initial_state(0))(x=rows(1)["x"]).shape == (1, 2)
    with pytest.raises(cr.InputError, match=ONE):
        cr.compile(normalised.result, mode="train")


def test_a_layer_used_twice_in_a_step_is_refused_and_a_copy_is_not() -> None:
    x, layer = cr.input("x", ("batch", 3)), nn.BatchNorm1d(3, name="bn")
    twice = layer(layer(x))
    with pytest.raises(cr.GraphError, match=r"(?s)written twice in one step.*try: use a layer"):
        cr.compile(twice, mode="train")
    cr.compile(twice)
    two = nn.Sequential(nn.BatchNorm1d(3), copy.deepcopy(nn.BatchNorm1d(3)))
    assert len(cr.compile(two(x), mode="train").declared.updates) == 4


def test_layer_norm_is_over_the_last_axes_of_each_row() -> None:
    value = random.standard_normal((4, 2, 3))
    for shape, axes in ((3, (2,)), ((2, 3), (1, 2))):
        y = nn.LayerNorm(shape)(cr.input("x", ("batch", 2, 3)))
        function = cr.compile(y)
        found = function.bind(function.initial_state(0))(x=value.astype(np.float32))
        mean, variance = value.mean(axes, keepdims=True), value.var(axes, keepdims=True)
        np.testing.assert_allclose(found, (value - mean) / np.sqrt(variance + 1e-5), atol=1e-5)
    assert len(nn.LayerNorm(3, bias=False).parameters()) == 1
    assert nn.LayerNorm(3, affine=False).parameters() == ()


def test_rms_norm_leaves_the_mean_alone() -> None:
    value = random.standard_normal((4, 2, 3)) + 5
    for shape, axes in ((3, (2,)), ((2, 3), (1, 2))):
        layer = nn.RMSNorm(shape, eps=0.01, name="rms")
        function = cr.compile(layer(cr.input("x", ("batch", 2, 3))))
        weight = random.standard_normal(shape).astype(np.float32)
        found = function.bind(cr.State({"rms/weight": weight}))(x=value.astype(np.float32))
        size = np.sqrt((value**2).mean(axes, keepdims=True) + 0.01)
        np.testing.assert_allclose(found, value / size * weight, rtol=1e-5)
    assert nn.RMSNorm(3, affine=False).parameters() == ()


def test_bad_sizes_and_inputs_are_refused() -> None:
    with pytest.raises(
        cr.InputError, match=r"(?s)BatchNorm1d: features must be a whole.*try: give"
    ):
        nn.BatchNorm1d(0)
    with pytest.raises(cr.InputError, match=r"(?s)BatchNorm1d: eps must be .*above 0.*try: give"):
        nn.BatchNorm1d(2, eps=0)
    with pytest.raises(
        cr.InputError, match=r"(?s)BatchNorm1d: momentum must be .*try: give the sh"
    ):
        nn.BatchNorm1d(2, momentum=1.5)
    with pytest.raises(
        cr.InputError, match=r"(?s)LayerNorm: a size must be a whole number.*try: g"
    ):
        nn.LayerNorm((2, 0))
    with pytest.raises(cr.InputError, match=r"(?s)LayerNorm: eps must be .*above 0.*try: give"):
        nn.LayerNorm(2, eps=-1.0)
    with pytest.raises(cr.InputError, match=r"(?s)RMSNorm: a size must be.*try: g.*nn.RMSNorm"):
        nn.RMSNorm(0)
    x = cr.input("x", ("batch", 4))
    with pytest.raises(cr.ShapeError, match=r"(?s)bn: input \[batch,4\] does not fit.*try: change"):
        nn.BatchNorm1d(3, name="bn")(x)
    with pytest.raises(cr.ShapeError, match=r"(?s)ln: input \[batch,4\] does not fit.*try: change"):
        nn.LayerNorm(3, name="ln")(x)
    whole = cr.input("x", ("batch", 3), dtype="int64")
    for layer in (nn.BatchNorm1d(3), nn.LayerNorm(3), nn.RMSNorm(3)):
        with pytest.raises(cr.DTypeError, match=r"(?s)is not floating-point.*try: convert it"):
            layer(whole)
