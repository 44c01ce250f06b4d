"""Whole training runs: the generated step against the reference, step by step."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainc.interpreters import reference
from chainc.ir.leaves import Input
from chainc.ir.types import Array
from chainrule import losses, nn, optim, schedules


def classifier(optimizer: optim.Optimizer) -> optim.Step:
    x = cr.input("x", ("batch", 6))
    y = cr.input("y", ("batch",), dtype="int32")
    model = nn.Sequential(
        nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4), nn.Sigmoid(), nn.Linear(4, 3), name="model"
    )
    return optimizer.minimize(losses.cross_entropy(model(x), y))


@pytest.mark.parametrize(
    "optimizer",
    [
        optim.SGD(lr=0.1),
        optim.SGD(lr=0.1, momentum=0.9, nesterov=True),
        optim.Adam(lr=schedules.warmup(5, schedules.cosine(0.01, steps=60))),
    ],
    ids=["sgd", "nesterov", "adam with a schedule"],
)
@pytest.mark.parametrize("fast_math", [False, True])
def test_sixty_steps_agree_with_the_reference(optimizer: optim.Optimizer, fast_math: bool) -> None:
    step = classifier(optimizer)
    run = cr.compile(step, fast_math=fast_math)
    run = run.bind(run.initial_state(1))
    exact: dict[str, Array] = dict(run.state.items())
    random = np.random.default_rng(0)
    defaults = {
        node.op.key: np.asarray(node.op.default)
        for node in step.graph.leaves("input")
        if isinstance(node.op, Input) and node.op.default is not None
    }
    for index in range(60):
        size = 8 if index % 5 else 3  # two batch sizes, as at the end of an epoch
        x = random.standard_normal((size, 6)).astype(np.float32)
        y = random.integers(0, 3, size).astype(np.int32)
        (loss,) = run(x=x, y=y)
        expected = reference.evaluate(step.graph, {"x": x, "y": y, **defaults}, exact)
        exact = dict(expected.updates)
        np.testing.assert_allclose(loss, float(expected.outputs[0]), rtol=1e-4)
    for name, value in exact.items():
        found = run.state[name].astype(np.float64)
        np.testing.assert_allclose(found, value.astype(np.float64), rtol=1e-3, atol=1e-5)
