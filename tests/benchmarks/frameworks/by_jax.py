"""JAX: a jitted loop over epochs that holds data, weights and optimizer; nothing leaves it."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from tests.benchmarks.workloads import BETAS, EPS, MOMENTUM, Data, Workload, weights_of

Tree = Any  # of JAX arrays


class JaxTrainer:
    """`jit` around `scan`, with the weights donated; the optimizer is Optax's."""

    unroll = 1

    def __init__(self, workload: Workload, data: Data, threads: int) -> None:
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_prefer_vector_width=512"  # of those there are
        jax, optax = import_module("jax"), import_module("optax")
        jax.config.update("jax_enable_x64", workload.dtype == "float64")
        self.versions = {name: import_module(name).__version__ for name in ("jax", "optax")}
        optimizer = {
            "sgd": lambda: optax.sgd(workload.rate),
            "momentum": lambda: optax.sgd(workload.rate, momentum=MOMENTUM),
            "adam": lambda: optax.adam(workload.rate, *BETAS, EPS),
        }[workload.optimizer]()
        weights = jax.tree.map(jax.numpy.asarray, weights_of(workload))
        self.state: Tree = (weights, optimizer.init(weights))
        self.arrays: Tree = tuple(map(jax.numpy.asarray, (data.x, data.y, data.order)))
        self.loop = _loop(workload, optimizer, self.unroll)

    def train(self, epochs: int) -> float:
        self.state, loss = self.loop(self.state, self.arrays, epochs)
        return float(loss)


class UnrolledJaxTrainer(JaxTrainer):
    """The same with four steps in one turn of the loop."""

    unroll = 4


def _loop(workload: Workload, optimizer: Any, unroll: int) -> Any:
    jax, optax = import_module("jax"), import_module("optax")
    gradient = jax.value_and_grad(_loss(workload))

    def step(state: Tree, batch: Tree) -> Tree:
        weights, slots = state
        loss, gradients = gradient(weights, *batch)
        changes, slots = optimizer.update(gradients, slots, weights)
        return (optax.apply_updates(weights, changes), slots), loss

    def loop(state: Tree, arrays: Tree, epochs: Any) -> Tree:
        *samples, order = arrays
        steps = len(order) // workload.batch

        def epoch(_: Any, carried: Tree) -> Tree:
            batches = tuple(
                a.at[order].get(mode="promise_in_bounds").reshape(steps, -1, *a.shape[1:])
                for a in samples
            )
            state, losses = jax.lax.scan(step, carried[0], batches, unroll=unroll)
            return state, losses[-1]

        start = (state, jax.numpy.zeros((), samples[0].dtype))
        return jax.lax.fori_loop(0, epochs, epoch, start)

    return jax.jit(loop, donate_argnums=0)


def _loss(workload: Workload) -> Any:
    jax, optax = import_module("jax"), import_module("optax")
    activation = jax.nn.relu if workload.activation == "relu" else jax.numpy.tanh
    losses = {
        "cross_entropy": optax.softmax_cross_entropy_with_integer_labels,
        "binary_cross_entropy": optax.sigmoid_binary_cross_entropy,
    }

    def loss(weights: Tree, x: Any, y: Any) -> Any:
        for w, b in weights[:-1]:
            x = activation(x @ w + b)
        w, b = weights[-1]
        return losses[workload.loss](x @ w + b, y).mean()

    return loss
