"""JAX: a jitted loop over epochs that holds data, weights and optimizer; nothing leaves it."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from tests.benchmarks.workloads import BETAS, EPS, MOMENTUM, NORM_EPS, Data, Workload, weights_of

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
        running = [(jax.numpy.zeros_like(scale), jax.numpy.ones_like(scale))
                   for scale, _ in weights[len(workload.layers) :]]  # fmt: skip
        key = jax.random.key(0, impl="rbg") if workload.dropout else None
        self.state: Tree = (weights, optimizer.init(weights), running, key)
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
    gradient = jax.value_and_grad(_loss(workload), has_aux=True)

    def step(state: Tree, batch: Tree) -> Tree:
        weights, slots, running, key = state
        key, used = (None, None) if key is None else jax.random.split(key)
        (loss, running), gradients = gradient(weights, running, used, *batch)
        changes, slots = optimizer.update(gradients, slots, weights)
        return (optax.apply_updates(weights, changes), slots, running, key), loss

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

    last = len(workload.layers) - 1

    def loss(weights: Tree, running: Tree, key: Tree, x: Any, y: Any) -> Any:
        found = []
        for number, (w, b) in enumerate(weights[:last]):
            x = x @ w + b
            if workload.normalised:
                x, statistics = _normalised(x, weights[last + 1 + number], running[number])
                found.append(statistics)
            x = activation(x)
            if workload.dropout:
                x = _dropped(x, jax.random.fold_in(key, number), 1 - workload.dropout)
        w, b = weights[last]
        return losses[workload.loss](x @ w + b, y).mean(), found

    return loss


def _normalised(x: Any, pair: Tree, running: Tree) -> tuple[Any, Tree]:
    """With the batch's mean and variance; the running ones take a tenth of them."""
    (scale, shift), found = pair, (x.mean(0), x.var(0))
    unit = (x - found[0]) * import_module("jax").lax.rsqrt(found[1] + NORM_EPS)
    statistics = tuple(0.9 * old + 0.1 * new for old, new in zip(running, found, strict=True))
    return unit * scale + shift, statistics


def _dropped(x: Any, key: Any, kept: float) -> Any:
    jax = import_module("jax")
    return jax.numpy.where(jax.random.bernoulli(key, kept, x.shape), x / kept, 0)
