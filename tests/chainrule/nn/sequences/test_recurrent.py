"""Recurrent layers against their formulas, written with NumPy step by step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

import chainrule as cr
from chainrule import nn
from chainrule.evaluation.values import Floats

KINDS = pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
FEATURES, HIDDEN, STEPS = 3, 4, 5


def sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))


Weights = Mapping[str, Floats]


def one_step(
    kind: str, x: Floats, h: Floats, c: Floats, w: Mapping[str, Floats]
) -> tuple[Floats, Floats]:
    given = x @ w["input_weight"] + w["input_bias"]
    known = h @ w["hidden_weight"] + w["hidden_bias"]
    if kind in ("RNN", "relu"):
        total = given + known
        return np.tanh(total) if kind == "RNN" else np.maximum(total, 0), c
    if kind == "LSTM":
        i, f, g, o = np.split(given + known, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    (r, z), n = np.split(given + known, 3, axis=1)[:2], slice(2 * HIDDEN, None)
    later = sigmoid(r) * known[:, n]
    if kind == "reset before":
        later = (sigmoid(r) * h) @ w["hidden_weight"][:, n] + w["hidden_bias"][n]
    new = np.tanh(given[:, n] + later)
    return (1 - sigmoid(z)) * new + sigmoid(z) * h, c


def along(kind: str, x: Floats, w: Weights, lengths: NDArray[np.int32], *, reverse: bool) -> Floats:
    h = c = np.zeros((len(x), HIDDEN))
    every = np.zeros((len(x), STEPS, HIDDEN))
    for t in reversed(range(STEPS)) if reverse else range(STEPS):
        counts = (t < lengths)[:, None]
        new, memory = one_step(kind, x[:, t], h, c, w)
        h, c = np.where(counts, new, h), np.where(counts, memory, c)
        every[:, t] = np.where(counts, new, 0)
    return every


@KINDS
@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_layers_in_both_directions_are_their_formulas(kind: type[nn.LSTM], target: str) -> None:
    layer = kind(FEATURES, HIDDEN, 2, bidirectional=True)
    x = cr.input("x", ("batch", STEPS, FEATURES))
    lengths = cr.input("lengths", ("batch",), dtype="int32")
    run = cr.compile(layer(x, lengths), target=target)
    state = run.initial_state(seed=1)
    random = np.random.default_rng(0)
    given = random.normal(size=(3, STEPS, FEATURES)).astype(np.float32)
    counts = np.array([5, 1, 3], np.int32)
    expected: Floats = given.astype(np.float64)
    names = ("input_weight", "hidden_weight", "input_bias", "hidden_bias")
    for below in (0, 2):
        ways = []
        for way in (0, 1):
            cell = layer.cells[below + way]
            weights = {name: np.asarray(state[getattr(cell, name)], np.float64) for name in names}
            ways.append(along(kind.__name__, expected, weights, counts, reverse=way == 1))
        expected = np.concatenate(ways, axis=2)
    found = run.bind(state)(x=given, lengths=counts)
    assert found.shape == (3, STEPS, 2 * HIDDEN)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    message = (
        r"input 'lengths' holds the index 6 at \[1\], out of range for an axis of size 6\n"
        r"  where: .*test_recurrent\.py:\d+, .*\n  try: give values from 0 to 5"
    )
    with pytest.raises(cr.InputError, match=message):
        run.bind(state)(x=given, lengths=[5, 6, 3])


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_other_forms_of_a_step(target: str) -> None:
    """A ReLU in the place of tanh, and a reset before the product, as in Keras and the paper."""
    forms = {
        "relu": nn.RNN(FEATURES, HIDDEN, nonlinearity="relu"),
        "reset before": nn.GRU(FEATURES, HIDDEN, reset_after=False),
    }
    x = cr.input("x", (2, STEPS, FEATURES))
    run = cr.compile([layer(x) for layer in forms.values()], target=target)
    state = run.initial_state(seed=1)
    given = np.random.default_rng(0).normal(size=(2, STEPS, FEATURES)).astype(np.float32)
    lengths = np.full(2, STEPS, np.int32)
    for (form, layer), found in zip(forms.items(), run.bind(state)(x=given), strict=True):
        (cell,) = layer.cells
        weights = {name: np.asarray(state[part], np.float64) for name, part in cell.parts()
                   if isinstance(part, cr.Node)}  # fmt: skip
        expected = along(form, given.astype(np.float64), weights, lengths, reverse=False)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_network_learns_what_came_some_steps_before() -> None:
    """The class of a sequence is its first element, of which the last step must know."""
    x, y = cr.input("x", ("batch", 6, 2)), cr.input("y", ("batch",), dtype="int32")
    layer, head = nn.LSTM(2, 12), nn.Linear(12, 2)
    logits = head(layer(x)[:, 5])
    loss = cr.losses.cross_entropy(logits, y)
    training = cr.training(cr.optim.Adam(0.02).minimize(loss), epochs=20, batch_size=25,
                           metrics={"accuracy": cr.metrics.accuracy(logits, y)})  # fmt: skip
    random = np.random.default_rng(0)
    words = random.integers(0, 2, (300, 6))
    data = {x: np.eye(2, dtype=np.float32)[words], y: words[:, 0].astype(np.int32)}
    one, two = (cr.compile(training, threads=n).run(data, progress=False) for n in (1, 2))
    assert one.history["accuracy"][-1] > 0.99
    assert one.history == two.history


def test_bad_input_is_refused_when_declared() -> None:
    layer = nn.GRU(FEATURES, HIDDEN)
    with pytest.raises(cr.ShapeError, match=r"expected \(batch, time, 3\)(?s:.*)try: give"):
        layer(cr.input("x", ("batch", 5, 4)))
    message = (
        r"no step: the sequences are empty along axis 1\n  where: .*test_rec.*\n  try: give seq"
    )
    with pytest.raises(cr.ShapeError, match=message):
        layer(cr.input("x", ("batch", 0, 3)))
    with pytest.raises(cr.ShapeError, match=r"scan: there is no step\n"):
        cr.scan(lambda h: (h, h), carry=1.0, length=0)
    with pytest.raises(cr.InputError, match=r"the lengths .* are no \(batch\) of integers"):
        layer(cr.input("x", ("batch", 5, 3)), cr.input("n", ("batch",)))
    with pytest.raises(cr.InputError, match=r"(?s)no nonlinearity 'sine'.*try: give one of tanh"):
        nn.RNN(3, 4, nonlinearity="sine")
    with pytest.raises(cr.InputError, match=r"GRU: reset_after"):
        nn.GRU(3, 4, reset_after="before")  # type: ignore[arg-type]
    with pytest.raises(cr.InputError, match="LSTM: hidden"):
        nn.LSTM(3, 0)
    with pytest.raises(cr.InputError, match=r"Dropout: rate"):
        nn.RNN(3, 4, 2, dropout=1.0)
