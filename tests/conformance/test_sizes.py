"""Sizes that are known when a program is called: what stands twice, and what only a size says."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim

TARGETS = pytest.mark.parametrize("target", ["numpy", "llvm"])


@TARGETS
@pytest.mark.parametrize("rows", [1, 2, 5, 37, 64, 300])
def test_a_mean_over_all_pairs_divides_by_their_number(target: str, rows: int) -> None:
    x = cr.input("x", ("n", 3))
    loss = cr.mean(x @ x.T)
    nodes = [loss, cr.grad(loss, x), cr.sum(cr.softmax(x @ x.T)), cr.size("n") * cr.size("n")]
    values = np.random.default_rng(rows).random((rows, 3)).astype(np.float32)
    mean, slope, ones, count = cr.compile(nodes, target=target)(x=values)
    exact = values.astype(np.float64)
    np.testing.assert_allclose(mean, (exact @ exact.T).mean(), rtol=1e-6)
    row = np.broadcast_to(2 * exact.sum(0) / rows**2, (rows, 3))
    np.testing.assert_allclose(slope, row, rtol=1e-5)
    np.testing.assert_allclose(ones, rows, rtol=1e-6)
    assert count == rows**2


@TARGETS
def test_a_training_over_all_pairs_counts_them_in_a_partial_batch_too(target: str) -> None:
    x, w = cr.input("x", ("batch", 2)), cr.parameter("w", (2, 3), 1.0)
    z = x @ w
    step = optim.SGD(lr=1e-30).minimize(cr.mean(z @ z.T))
    training = cr.training(step, epochs=1, batch_size=4, shuffle=False)
    values = np.random.default_rng(0).random((6, 2)).astype(np.float32)
    history = cr.compile(training, target=target).run({x: values}).history
    exact = values.astype(np.float64) @ np.ones((2, 3))
    pairs = [(part @ part.T).mean() for part in (exact[:4], exact[4:])]
    np.testing.assert_allclose(history["loss"], (4 * pairs[0] + 2 * pairs[1]) / 6, rtol=1e-6)


@TARGETS
def test_an_input_that_the_derivative_has_dropped_may_be_given(target: str) -> None:
    x, w = cr.input("x"), cr.input("w")
    for node, given, right in (
        (cr.grad(3.0 * x, x), {"x": 2.0}, 3.0),
        (cr.grad(w * x, x), {"x": 2.0, "w": 5.0}, 5.0),
        (cr.grad(cr.grad(x * x, x), x), {"x": 2.0}, 2.0),
        (cr.grad(3.0 * x, x), {}, 3.0),
    ):
        function = cr.compile(node, target=target)
        assert function(given) == right
        with pytest.raises(cr.InputError, match="there is no input 'z'"):
            function(given | {"z": 1.0})


@TARGETS
def test_a_size_is_that_of_the_input_which_the_derivative_has_dropped(target: str) -> None:
    x, w = cr.input("x", ("batch", 3)), cr.input("w", (3,))
    rows, weights = np.ones((4, 3), np.float32), np.array([1, 2, 3], np.float32)
    slope = cr.compile(cr.grad(cr.sum(x * w), x), target=target)
    np.testing.assert_array_equal(slope(x=rows, w=weights), np.tile(weights, (4, 1)))
    np.testing.assert_array_equal(slope(x=rows[:2], w=weights), np.tile(weights, (2, 1)))
    with pytest.raises(cr.InputError, match=r"the size 'batch' does not follow(.|\n)*give x too"):
        slope(w=weights)
    zeros = cr.compile(cr.grad(cr.sum(w * w), x, allow_unused=True), target=target)
    np.testing.assert_array_equal(zeros(x=rows), np.zeros((4, 3)))


@TARGETS
def test_a_size_that_rewriting_has_left_alone_is_still_that_of_the_input(target: str) -> None:
    x = cr.input("x", ("n",))
    ratio = cr.sum(x) / cr.sum(x)
    function = cr.compile([ratio, cr.grad(ratio, x)], target=target, fast_math=True)
    one, slope = function(x=np.array([1, 2], np.float32))
    assert one == 1
    np.testing.assert_array_equal(slope, [0, 0])


@TARGETS
def test_a_size_that_no_input_has_is_set_when_compiling(target: str) -> None:
    for node in (cr.arange("batch"), cr.broadcast_to(cr.constant(1.0), ("batch",)),
                 cr.uniform(("batch",), 0, 0), cr.size("batch") * 1):  # fmt: skip
        with pytest.raises(cr.InputError, match=r"the size 'batch' does not(.|\n)*batch=64"):
            cr.compile(node, target=target)()
        cr.compile(node, target=target, batch=5)()
    assert cr.compile(cr.arange("batch"), target=target, batch=3)().tolist() == [0, 1, 2]
    with pytest.raises(cr.InputError, match="there is no named size 'time'"):
        cr.compile(cr.arange("batch"), target=target, time=3)


@TARGETS
def test_a_sum_of_quotients_over_an_empty_axis_is_zero(target: str) -> None:
    """The denominator of a softmax over it is 0, so it may not leave the sum."""
    x, g = cr.input("x", (0, "batch")), cr.input("g", (0, "batch"))
    shares = g / cr.sum(cr.exp(x), axis=0, keepdims=True)
    total = cr.compile(cr.sum(shares, axis=0, keepdims=True), target=target)
    none = np.zeros((0, 3), np.float32)
    assert total(x=none, g=none).tolist() == [[0, 0, 0]]
