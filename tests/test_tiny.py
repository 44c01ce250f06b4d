"""The public API in sixty lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule import datasets, losses, metrics, nn, optim


def test_a_circuit_and_its_gradient() -> None:
    a, b, c = cr.input("a"), cr.input("b"), cr.input("c")
    f = (a + b) * c
    run = cr.compile([f, *cr.grad(f, [a, b, c])], target="numpy")
    assert [float(value) for value in run(a=-2.0, b=5.0, c=-4.0)] == [-12.0, -4.0, -4.0, 3.0]


def test_from_a_declared_model_to_a_trained_one(tmp_path: Path) -> None:
    digits = datasets.digits()
    x = cr.input("x", ("batch", 64))
    y = cr.input("y", ("batch",), dtype="int32")
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    logits = model(x)
    loss = losses.cross_entropy(logits, y)
    accuracy = metrics.accuracy(logits, y)

    step = optim.SGD(lr=0.1, momentum=0.9).minimize(loss)
    training = cr.training(step, epochs=20, batch_size=32, metrics={"accuracy": accuracy})
    program = cr.compile(training, target="numpy")
    result = program.run(
        {x: digits.train.x, y: digits.train.y},
        validation={x: digits.test.x, y: digits.test.y},
    )
    assert result.history["val_accuracy"][-1] >= 0.95

    result.state.save(tmp_path / "digits.safetensors")
    state = cr.State.load(tmp_path / "digits.safetensors")
    predict = cr.compile(logits, target="numpy").bind(state)
    labels = predict(x=digits.test.x).argmax(axis=1)
    assert np.mean(labels == digits.test.y) == result.history["val_accuracy"][-1]
    assert predict(x=digits.test.x[:1]).shape == (1, 10)

    dweight = cr.grad(loss, model[0].weight)
    assert dweight.shape == (64, 32)
    assert "contract" in cr.Graph([dweight]).text()
    assert cr.draw(loss, dweight).save(tmp_path / "gradient.svg").read_text().startswith("<svg")
    for stage in program.stages:
        assert stage.graph.draw().save(tmp_path / f"{stage.name}.svg").exists()
    assert "np.matmul(" in program.source
