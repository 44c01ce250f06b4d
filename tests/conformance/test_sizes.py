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
