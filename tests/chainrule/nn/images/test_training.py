"""A convolutional network in a compiled loop predicts afterwards what its validation measured."""

from __future__ import annotations

import numpy as np

import chainrule as cr
from chainrule import augment, datasets, losses, metrics, nn, optim, schedules


def test_digits_are_learned_and_predicted_by_the_running_statistics() -> None:
    digits = datasets.digits()
    x = cr.input("x", ("batch", 1, 8, 8))
    y = cr.input("y", ("batch",), dtype="int32")
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding="same", bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(512, 10),
    )  # fmt: skip
    logits = model(augment.shift(x, 1))
    loss = losses.cross_entropy(logits, y)
    step = optim.AdamW(lr=schedules.cosine(0.003, steps=540)).minimize(loss)
    training = cr.training(
        step, epochs=12, batch_size=32, metrics={"accuracy": metrics.accuracy(logits, y)}
    )
    train, test = digits.train.x.reshape(-1, 1, 8, 8), digits.test.x.reshape(-1, 1, 8, 8)
    result = cr.compile(training).run(
        {x: train, y: digits.train.y}, validation={x: test, y: digits.test.y}
    )
    reached = result.history["val_accuracy"][-1]
    assert reached >= 0.98
    scores = np.asarray(cr.compile(logits).bind(result.state)(x=test))
    assert float((scores.argmax(axis=1) == digits.test.y).mean()) == reached
