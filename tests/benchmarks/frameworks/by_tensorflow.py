"""TensorFlow: a loop over epochs and batches inside one `tf.function`, with XLA and without."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tests.benchmarks.contender import LeftOutError
from tests.benchmarks.workloads import BETAS, EPS, MOMENTUM, Data, Workload, weights_of

SMALL = 2**14  # bytes of samples that are gathered once an epoch; of more, batch by batch is faster


class TensorFlowTrainer:
    """Variables, updated in place by the loop."""

    xla = False

    def __init__(self, workload: Workload, data: Data, threads: int) -> None:
        if workload.normalised or workload.dropout:
            raise LeftOutError("it has no program for batch normalisation and dropout here")
        tf = import_module("tensorflow")
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        self.versions = {"tensorflow": tf.__version__}
        self.loop = _loop(workload, data, self.xla)

    def train(self, epochs: int) -> float:
        return float(self.loop(import_module("tensorflow").constant(epochs)))


class XlaTensorFlowTrainer(TensorFlowTrainer):
    """The same with `jit_compile=True`."""

    xla = True


def _loop(workload: Workload, data: Data, xla: bool) -> Any:
    tf = import_module("tensorflow")
    weights = [tf.Variable(a) for pair in weights_of(workload) for a in pair]
    x, y, order = (tf.constant(array) for array in (data.x, data.y, data.order))
    batches, ahead = len(data.order) // workload.batch, data.x.nbytes < SMALL
    update = _update(workload, weights)

    def rows(array: Any, batch: Any) -> Any:
        first = batch * workload.batch
        if not ahead:
            return tf.gather(array, tf.slice(order, [first], [workload.batch]))
        others = array.shape[1:]
        return tf.slice(array, [first, *[0] * len(others)], [workload.batch, *others])

    def loop(epochs: Any) -> Any:
        loss, epoch = tf.zeros((), workload.dtype), tf.zeros((), "int32")
        while epoch < epochs:  # XLA would compile `for epoch in tf.range` for each number anew
            samples = tf.gather(x, order) if ahead else x, tf.gather(y, order) if ahead else y
            batch = tf.zeros((), "int32")  # of a number of Python the loop would be unrolled
            while batch < batches:
                images, labels = (rows(a, batch) for a in samples)
                with tf.GradientTape() as tape:
                    loss = _loss(workload, weights, images, labels)
                update(tape.gradient(loss, weights))
                batch += 1
            epoch += 1
        return loss

    return tf.function(loop, jit_compile=xla)


def _loss(workload: Workload, weights: list[Any], x: Any, y: Any) -> Any:
    tf = import_module("tensorflow")
    activation = tf.nn.relu if workload.activation == "relu" else tf.tanh
    pairs = list(zip(weights[::2], weights[1::2], strict=True))
    for w, b in pairs[:-1]:
        x = activation(x @ w + b)
    w, b = pairs[-1]
    logits = x @ w + b
    if workload.loss == "cross_entropy":
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
    else:
        losses = tf.nn.sigmoid_cross_entropy_with_logits(y, logits)
    return tf.reduce_mean(losses)


def _update(workload: Workload, weights: list[Any]) -> Any:
    tf = import_module("tensorflow")
    slots = [(tf.Variable(tf.zeros_like(w)), tf.Variable(tf.zeros_like(w))) for w in weights]
    powers = [tf.Variable(tf.ones((), workload.dtype)) for _ in BETAS]

    def adam(gradients: list[Any]) -> None:
        for power, beta in zip(powers, BETAS, strict=True):
            power.assign(power * beta)
        for w, g, (m, v) in zip(weights, gradients, slots, strict=True):
            m.assign(m + (1 - BETAS[0]) * (g - m))
            v.assign(v + (1 - BETAS[1]) * (g * g - v))
            scale = tf.sqrt(v / (1 - powers[1])) + EPS
            w.assign_sub(workload.rate / (1 - powers[0]) * m / scale)

    def momentum(gradients: list[Any]) -> None:
        for w, g, (m, _) in zip(weights, gradients, slots, strict=True):
            m.assign(MOMENTUM * m + g)
            w.assign_sub(workload.rate * m)

    def sgd(gradients: list[Any]) -> None:
        for w, g in zip(weights, gradients, strict=True):
            w.assign_sub(workload.rate * g)

    return {"adam": adam, "momentum": momentum, "sgd": sgd}[workload.optimizer]
