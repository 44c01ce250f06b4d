"""Dropout: what is kept, how large it gets, and when it is drawn anew."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import nn

ONES = np.ones((400, 50), np.float32)
Floats = npt.NDArray[np.float32]


def in_step(node: cr.Node | list[cr.Node], step: int, seed: int = 0) -> list[Floats]:
    nodes = node if isinstance(node, list) else [node]
    function = cr.compile(nodes, mode="train")
    return list(
        function.bind(cr.State({"seed": np.array(seed), "step": np.array(step)}))({"x": ONES})
    )


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_a_share_is_dropped_and_the_rest_is_larger_so_that_the_mean_stays(rate: float) -> None:
    (y,) = in_step(nn.Dropout(rate)(cr.input("x", ("batch", 50))), 0)
    assert set(np.unique(y)) == {0, np.float32(1 / (1 - rate))}
    spread = math.sqrt(rate * (1 - rate) / y.size)
    assert abs(float((y == 0).mean()) - rate) < 4 * spread
    assert abs(float(y.mean()) - 1) < 4 * spread / (1 - rate)


def test_the_gradient_takes_the_way_of_the_value() -> None:
    x = cr.input("x", ("batch", 50))
    y = nn.Dropout(0.4)(x)
    value, slope = in_step([y, cr.grad(cr.sum(y), x)], 3)
    assert np.array_equal(value, slope)


def test_each_step_and_each_seed_has_a_mask_of_its_own() -> None:
    y = nn.Dropout(0.5)(cr.input("x", ("batch", 50)))
    first, again, next_step, other_seed = (
        in_step(y, step, seed)[0] for step, seed in [(0, 0), (0, 0), (1, 0), (0, 1)]
    )
    assert np.array_equal(first, again)
    for other in (next_step, other_seed):
        assert abs(float((first == other).mean()) - 0.5) < 0.02


def test_a_layer_used_twice_draws_twice() -> None:
    x, layer = cr.input("x", ("batch", 50)), nn.Dropout(0.5)
    one, two = in_step([layer(x), layer(x)], 0)
    assert abs(float((one == two).mean()) - 0.5) < 0.02


def test_elsewhere_and_at_rate_0_it_is_x_itself() -> None:
    x = cr.input("x", ("batch", 50))
    assert np.array_equal(cr.compile(nn.Dropout(0.9)(x))(x=ONES), ONES)
    assert nn.Dropout(0)(x) is x


def test_what_is_dropped_may_be_nan() -> None:
    x = cr.input("x", ("batch", 50))
    y = nn.Dropout(0.5)(x)
    function = cr.compile([y, cr.grad(cr.sum(y), x)], mode="train")
    bound = function.bind(function.initial_state(0))
    value, slope = bound(x=np.full((4, 50), np.nan, np.float32))
    assert np.array_equal(value == 0, slope == 0)
    assert np.isnan(value).any()


@pytest.mark.parametrize("rate", [1, 1.5, -0.1, math.nan, "0.3", None, True])
def test_a_rate_outside_0_to_1_is_refused(rate: object) -> None:
    given: dict[str, object] = {"rate": rate}
    with pytest.raises(
        cr.InputError, match=r"(?s)Dropout: rate must be a finite number.*try: give the share"
    ):
        nn.Dropout(**given)  # type: ignore[arg-type]


def test_integers_are_refused() -> None:
    with pytest.raises(cr.DTypeError, match=r"(?s)dropout: the input x i32.*try: convert it"):
        nn.Dropout(0.5)(cr.input("x", (3,), dtype="int32"))
