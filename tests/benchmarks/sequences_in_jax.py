"""Recurrent networks in JAX: steps in a compiled loop; None where it is not installed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from tests.benchmarks.images import Run

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
RATE, MOMENTUM = 0.01, 0.9


def _cell(jax: Any, kind: str, z: Any, carry: Any, u: Any, c: Any) -> Any:
    """The next carry: what is remembered first."""
    jnp, sigmoid, h = jax.numpy, jax.nn.sigmoid, carry[0]
    known = h @ u + c
    if kind == "RNN":
        return (jnp.tanh(z + known),)
    if kind == "LSTM":
        i, f, g, o = jnp.split(z + known, 4, axis=1)
        memory = sigmoid(f) * carry[1] + sigmoid(i) * jnp.tanh(g)
        return sigmoid(o) * jnp.tanh(memory), memory
    given, known = jnp.split(z, 3, axis=1), jnp.split(known, 3, axis=1)
    reset, update = sigmoid(given[0] + known[0]), sigmoid(given[1] + known[1])
    new = jnp.tanh(given[2] + reset * known[2])
    return ((1 - update) * new + update * h,)


def jax_recurrent(kind: str, data: Any, size: Any, characters: int) -> Run | None:
    """Rows of the first product are looked up: the best form of it."""
    try:
        jax = import_module("jax")
    except ImportError:
        return None
    jnp, random = jax.numpy, np.random.default_rng(0)
    wide = GATES[kind] * size.width
    shapes = [(characters, wide), (size.width, wide), (wide,), (size.width, characters),
              (characters,)]  # fmt: skip
    weights = [jnp.asarray(random.normal(size=s).astype(np.float32) * 0.1) for s in shapes]
    x, y = (jnp.asarray(part) for part in data)
    steps = len(x) // size.batch

    def loss(weights: Any, x: Any, y: Any) -> Any:
        table, u, c, v, d = weights
        zeros = jnp.zeros((size.batch, size.width))
        first = (zeros, zeros) if kind == "LSTM" else (zeros,)

        def step(carry: Any, z: Any) -> Any:
            after = _cell(jax, kind, z, carry, u, c)
            return after, after[0]

        _, every = jax.lax.scan(step, first, table[x.T])
        scores = jax.nn.log_softmax(every @ v + d)
        return -jnp.take_along_axis(scores, y.T[..., None], axis=-1).mean()

    def train(number: Any, state: Any) -> Any:
        weights, velocities = state
        rows = (jax.lax.dynamic_slice_in_dim(part, number * size.batch, size.batch)
                for part in (x, y))  # fmt: skip
        slopes = jax.grad(loss)(weights, *rows)
        velocities = [MOMENTUM * v + g for v, g in zip(velocities, slopes, strict=True)]
        return [w - RATE * v for w, v in zip(weights, velocities, strict=True)], velocities

    loop = jax.jit(lambda state: jax.lax.fori_loop(0, steps, train, state))
    state = weights, [jnp.zeros_like(w) for w in weights]

    def run() -> None:
        nonlocal state
        state = jax.block_until_ready(loop(state))

    run()
    return run
