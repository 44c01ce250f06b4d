"""The search for a learning rate: what it suggests is good, and what is far above it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import datasets, losses, nn, optim

HERE = r"\n  where: .*test_rate_search\.py:\d+\n  try: "


def problem() -> tuple[cr.Node, dict[str, Any]]:
    moons = datasets.moons()
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
    points, classes = cr.input("points", ("batch", 2)), cr.input("classes", ("batch",), "int32")
    loss = losses.cross_entropy(model(points), classes)
    return loss, {"points": moons.train.x, "classes": moons.train.y}


@pytest.mark.parametrize("optimizer", [optim.SGD(1.0), optim.Adam(1.0)], ids=["SGD", "Adam"])
def test_training_at_the_suggestion_beats_rates_far_from_it(optimizer: Any) -> None:
    loss, data = problem()
    found = optim.find_rate(optimizer, loss, data, highest=1e3, steps=150)
    reached = {}
    step = optimizer.minimize(loss)
    program = cr.compile(cr.training(step, epochs=5, batch_size=32))
    for factor in (0.01, 1.0, 1000.0):
        result = program.run(data, lr=factor * found.suggestion, progress=False)
        reached[factor] = result.history["loss"][-1]
    assert reached[1.0] == min(reached.values())


def test_it_ends_once_the_loss_diverges() -> None:
    """On w²/2 a step multiplies w by 1 - rate: it grows for rates above 2 alone."""
    w = cr.parameter("w", (), 1.0)
    x = cr.input("x", ("batch",))
    loss = cr.square(w) / 2 + 0.0 * cr.mean(x)
    rows = np.ones(8, np.float32)
    found = optim.find_rate(optim.SGD(1.0), loss, {x: rows}, highest=1e4, batch_size=4)
    assert 2 < found.rates[-1] < 100
    assert 0.05 < found.suggestion < 2
    assert found.losses[0] == pytest.approx(0.5)
    assert len(found.rates) == len(found.losses) == len(found.smoothed) < 100
    again = optim.find_rate(optim.SGD(0.1), loss, {"x": rows}, highest=1e4, batch_size=4)
    assert again == found


def test_it_draws_what_it_has_seen() -> None:
    pytest.importorskip("matplotlib")
    loss, data = problem()
    plot = optim.find_rate(optim.SGD(1.0), loss, data, steps=20).plot()
    (axes,) = plot.figure.axes
    assert axes.get_xscale() == "log"
    assert len(axes.lines) == 3
    assert "suggestion" in plot.figure.legends[0].get_texts()[-1].get_text()


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"lowest": 0}, "find_rate: lowest must be .* above 0", "give the smaller"),
        ({"highest": 1e-9}, "find_rate: highest must be .* above 1e-06", "give the smaller"),
        ({"steps": 9}, "find_rate: steps must be .* at least 10", "try at least ten"),
        ({"batch_size": 0}, "find_rate: batch_size must be", "take at least one"),
        ({"seed": -1}, "find_rate: seed must be", "give a seed"),
        ({"batch_size": 10_000}, r"find_rate: the data has \d+ rows for batches", "give arrays"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(
    options: dict[str, Any], message: str, hint: str
) -> None:
    loss, data = problem()
    with pytest.raises(cr.InputError, match=rf"^{message}.*{HERE}{hint}"):
        optim.find_rate(optim.SGD(0.1), loss, data, **options)


def test_a_loss_that_is_never_finite_is_refused() -> None:
    w = cr.parameter("w", (), 1.0)
    loss = w * cr.mean(cr.input("x", ("batch",)))
    with pytest.raises(cr.InputError, match=rf"find_rate: the loss is not finite.*{HERE}look at"):
        optim.find_rate(optim.SGD(0.1), loss, {"x": np.full(8, np.inf, np.float32)}, batch_size=4)
