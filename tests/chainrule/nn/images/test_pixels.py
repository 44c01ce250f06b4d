"""A class for each pixel: the label of one is an index, wherever the channels lie."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import losses, nn, optim

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.standard_normal((3, 4, 9, 10)).astype(np.float32)
LABELS = RANDOM.integers(0, 5, (3, 9, 10)).astype(np.int32)


def declared(channels: int) -> tuple[cr.Node, cr.Node, nn.Module]:
    x = cr.input("x", ("batch", 4, 9, 10))
    y = cr.input("y", ("batch", 9, 10), dtype="int32")
    model = nn.Sequential(
        nn.Conv2d(4, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, 5, 1)
    )
    logits = cr.permute_dims(model(x), (0, 2, 3, 1))
    return logits, losses.cross_entropy(logits, y), model


@pytest.mark.parametrize("channels", [8, 16])
def test_the_loss_of_pixels_is_that_of_rows(channels: int) -> None:
    logits, loss, model = declared(channels)
    outputs = [loss, *(cr.grad(loss, weight) for weight in model.parameters())]
    found = []
    for target in ("numpy", "llvm"):
        function = cr.compile(outputs, target=target)
        state = function.initial_state(seed=0)
        found.append(function.bind(state)(x=IMAGES, y=LABELS))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-6)

    scores = np.asarray(cr.compile(logits).bind(state)(x=IMAGES), np.float64)
    shifted = scores - scores.max(-1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    by_hand = -np.take_along_axis(logs, LABELS[..., None], -1).mean()
    assert float(np.asarray(found[1][0])) == pytest.approx(by_hand, rel=1e-5)


def test_threads_leave_the_bits_of_pixels() -> None:
    _, loss, _ = declared(8)
    training = cr.training(optim.Adam(0.01).minimize(loss), epochs=2, batch_size=3)
    states = [
        cr.compile(training, threads=threads).run({"x": IMAGES, "y": LABELS}).state
        for threads in (1, 2)
    ]
    assert states[0] == states[1]
