"""Lion, which PyTorch does not have: 500 steps of a small network in float64 against optax."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import losses, optim

jax = pytest.importorskip("jax", reason="JAX is not installed: pip install jax")
optax = pytest.importorskip("optax", reason="optax is not installed: pip install optax")

STEPS = 500
BOUND = 1e-10  # of the largest element of each parameter
RNG = np.random.default_rng(5)
ROWS, AIMS = RNG.standard_normal((16, 3)), RNG.standard_normal((16, 2))
FIRST = {"first": RNG.standard_normal((3, 5)), "second": RNG.standard_normal((5, 2))}


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def way_of_optax(optimizer: Any) -> dict[str, Any]:
    def loss(weights: dict[str, Any]) -> Any:
        found = jax.numpy.tanh(ROWS @ weights["first"]) @ weights["second"]
        return ((found - AIMS) ** 2).mean()

    weights = {name: jax.numpy.asarray(value) for name, value in FIRST.items()}
    state, slope = optimizer.init(weights), jax.jit(jax.grad(loss))
    for _ in range(STEPS):
        moves, state = optimizer.update(slope(weights), state, weights)
        weights = optax.apply_updates(weights, moves)
    return weights


@pytest.mark.parametrize("target", ["numpy", "llvm"])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_lion_agrees(decay: float, target: str) -> None:
    first, second = (
        cr.parameter(name, value.shape, value, dtype="float64") for name, value in FIRST.items()
    )
    loss = losses.squared_error(cr.tanh(cr.constant(ROWS) @ first) @ second, cr.constant(AIMS))
    run = cr.compile(optim.Lion(0.002, weight_decay=decay).minimize(loss), target=target)
    run = run.bind(run.initial_state())
    for _ in range(STEPS):
        run()
    for name, value in way_of_optax(optax.lion(0.002, weight_decay=decay)).items():
        expected = np.asarray(value)
        assert np.abs(run.state[name] - expected).max() <= BOUND * np.abs(expected).max()
        assert np.abs(FIRST[name] - expected).max() > 0.05  # it went somewhere
