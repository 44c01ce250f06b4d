"""Truncated backpropagation through time: what goes on from batch to batch, and what does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import chainrule as cr
from chainrule import nn, optim

Floats = NDArray[np.float64]
Weights = dict[str, Floats]
TARGETS = pytest.mark.parametrize("target", ["numpy", "llvm"])
ROWS, STEPS, FEATURES, HIDDEN = 3, 4, 2, 5
RATE = 0.5
NAMES = ("input_weight", "hidden_weight", "input_bias", "hidden_bias")


def forward(w: Weights, x: Floats, h: Floats) -> list[Floats]:
    """What an RNN remembers before the first step and after each."""
    hs = [h]
    for t in range(x.shape[1]):
        z = x[:, t] @ w["input_weight"] + w["input_bias"] + w["hidden_bias"]
        hs.append(np.tanh(z + hs[-1] @ w["hidden_weight"]))
    return hs


def backward(w: Weights, x: Floats, y: Floats, hs: list[Floats]) -> Weights:
    """The gradient of the mean of (h - y)² over all steps; none goes through the first carry."""
    gradient = {name: np.zeros_like(value) for name, value in w.items()}
    later = np.zeros_like(hs[0])
    for t in reversed(range(x.shape[1])):
        g = later + 2 * (hs[t + 1] - y[:, t]) / y.size
        inside = g * (1 - hs[t + 1] ** 2)
        gradient["input_weight"] += x[:, t].T @ inside
        gradient["hidden_weight"] += hs[t].T @ inside
        gradient["input_bias"] += inside.sum(axis=0)
        gradient["hidden_bias"] += inside.sum(axis=0)
        later = inside @ w["hidden_weight"].T
    return gradient


def by_hand(w: Weights, x: Floats, y: Floats, epochs: int) -> tuple[Weights, list[Floats]]:
    """The weights after some epochs, and what is carried on behind each step of the last one."""
    for _ in range(epochs):
        h, carried = np.zeros((ROWS, HIDDEN)), []
        for start in range(0, len(x), ROWS):
            batch = slice(start, min(start + ROWS, len(x)))
            count = batch.stop - start
            hs = forward(w, x[batch], h[:count])
            gradient = backward(w, x[batch], y[batch], hs)
            w = {name: value - RATE * gradient[name] for name, value in w.items()}
            h = np.concatenate([hs[-1], h[count:]])
            carried.append(h)
    return w, carried


def declared(layer: nn.Module) -> cr.Training:
    x = cr.input("x", ("batch", STEPS, FEATURES))
    y = cr.input("y", ("batch", STEPS, HIDDEN))
    step = optim.SGD(lr=RATE).minimize(cr.losses.squared_error(layer(x), y))
    return cr.training(step, epochs=2, batch_size=ROWS, shuffle=False)


def series(rows: int) -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(rows)
    return {
        "x": random.normal(size=(rows, STEPS, FEATURES)).astype(np.float32),
        "y": random.uniform(-1, 1, (rows, STEPS, HIDDEN)).astype(np.float32),
    }


@TARGETS
@pytest.mark.parametrize("rows", [3 * ROWS, 2 * ROWS + 1])
def test_a_batch_goes_on_where_the_one_before_ended(target: str, rows: int, tmp_path: Path) -> None:
    """And an epoch begins anew; from each step on, a run goes on to the bit."""
    layer, data = nn.RNN(FEATURES, HIDDEN, carry_state=ROWS), series(rows)
    program = cr.compile(declared(layer), target=target)
    state = program.initial_state(seed=1)
    first = {name: np.asarray(state[getattr(layer.cells[0], name)], float) for name in NAMES}
    x, y = (data[name].astype(float) for name in ("x", "y"))
    weights, carried = by_hand(first, x, y, epochs=2)
    saved = cr.Checkpoint(tmp_path / "{step}.safetensors", every_steps=1)
    result = program.run(data, validation=data, state=state, callbacks=[saved])
    for name, expected in weights.items():
        found = np.asarray(result.state[getattr(layer.cells[0], name)], float)
        np.testing.assert_allclose(found, expected, atol=2e-6)
    files = [tmp_path / f"{step}.safetensors" for step in range(1, 7)]
    behind = [np.asarray(cr.State.load(each)[layer.carried[0]], float) for each in files]
    carried[-1] = np.zeros((ROWS, HIDDEN))
    np.testing.assert_allclose(behind[3:], carried, atol=2e-6)
    for path in files[:-1]:
        assert program.run(data, validation=data, resume=path).state == result.state
    assert program.run(data, state=program.run(data, state=state, epochs=1), epochs=1).state == (
        result.state
    )


def test_only_a_training_step_goes_on(tmp_path: Path) -> None:
    layer, data = nn.LSTM(FEATURES, HIDDEN, 2, carry_state=ROWS), series(5)
    plain = nn.LSTM(FEATURES, HIDDEN, 2)
    x = cr.input("x", ("batch", STEPS, FEATURES))
    carrying, starting = (cr.compile(each(x), target="numpy") for each in (layer, plain))
    saved = cr.Checkpoint(tmp_path / "{step}.safetensors", every_steps=1)
    cr.compile(declared(layer), target="numpy").run(data, callbacks=[saved])
    state = cr.State.load(tmp_path / "3.safetensors")
    assert len(layer.carried) == 4
    assert all(np.any(state[each]) for each in layer.carried)
    weights = zip(plain.parameters(), layer.parameters(), strict=True)
    given = cr.State({own.op.label: np.asarray(state[other]) for own, other in weights})
    np.testing.assert_array_equal(
        carrying.bind(state)(x=data["x"]), starting.bind(given)(x=data["x"])
    )


def test_rows_in_another_order_cannot_go_on() -> None:
    layer = nn.GRU(FEATURES, HIDDEN, carry_state=ROWS)
    x = cr.input("x", ("batch", STEPS, FEATURES))
    step = optim.SGD(lr=RATE).minimize(cr.mean(layer(x)))
    message = (
        r"training: .*carry0.* goes on from batch to batch, and rows in a new order .*\n"
        r"  where: .*test_carried\.py:\d+.*\n  try: .*shuffle=False"
    )
    with pytest.raises(cr.GraphError, match=message):
        cr.training(step, epochs=1, batch_size=ROWS)


def test_more_rows_than_are_kept_are_refused() -> None:
    program = cr.compile(declared(nn.GRU(FEATURES, HIDDEN, carry_state=ROWS - 1)), target="numpy")
    with pytest.raises(
        cr.InputError, match=r"out of range for an axis of size 2\n  where: .*\n  try:"
    ):
        program.run(series(ROWS))


@TARGETS
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_the_rows_of_a_batch_may_be_those_of_the_training(
    target: str, kind: type[nn.RNN | nn.LSTM | nn.GRU]
) -> None:
    """To the bit what a number gives."""
    data, results = series(2 * ROWS + 1), []
    for rows in (ROWS, True):
        training = declared(kind(FEATURES, HIDDEN, 2, carry_state=rows, name="layer"))
        program = cr.compile(training, target=target)
        results.append(program.run(data, state=program.initial_state(seed=1)))
    assert results[0].history == results[1].history
    assert results[0].state == results[1].state


@pytest.mark.parametrize("rows", [0, 2.5, "all"])
def test_rows_are_a_whole_number(rows: int) -> None:
    message = r"RNN: carry_state must be a whole number, .*\n  where: .*\n  try: give the rows of"
    with pytest.raises(cr.InputError, match=message):
        nn.RNN(FEATURES, HIDDEN, carry_state=rows)


def test_what_goes_backwards_cannot_go_on() -> None:
    with pytest.raises(cr.InputError, match=r"GRU: carry_state and bidirectional exclude"):
        nn.GRU(FEATURES, HIDDEN, bidirectional=True, carry_state=ROWS)


def test_a_step_alone_does_not_say_how_many_rows_there_are() -> None:
    """It can be told; a drawing, a summary and a prediction need not know."""
    layer, data = nn.GRU(FEATURES, HIDDEN, carry_state=True), series(ROWS)
    training = declared(layer)
    message = (
        r"compile: .*carry0 f32\[batch_rows,5\] .* has something for each row of a batch, .*\n"
        r"  where: .*test_carried\.py:\d+.*\n  try: compile a training, .*batch_rows=32"
    )
    with pytest.raises(cr.GraphError, match=message):
        cr.compile(training.step, target="numpy")
    with pytest.raises(cr.InputError, match="no named size 'batch_rows'"):
        cr.compile(training, target="numpy", batch_rows=ROWS)
    step = cr.compile(training.step, target="numpy", batch_rows=ROWS)
    step = step.bind(step.initial_state(seed=0))
    step(**data)
    assert np.any(step.state[layer.carried[0]])
    assert "batch_rows" in training.step.graph.text()
    assert layer.summary(("batch", STEPS, FEATURES)).total.parameters == 3 * 5 * (2 + 5 + 2)
    given = cr.State({slot.op.label: np.asarray(step.state[slot]) for slot in layer.parameters()})
    predict = cr.compile(layer(cr.input("x", ("batch", STEPS, FEATURES))), target="numpy")
    assert predict.bind(given)(x=data["x"][:1]).shape == (1, STEPS, HIDDEN)


def test_what_is_kept_for_other_batches_is_refused() -> None:
    """A trainer's file may be read before it is known how large batches will be."""
    layer, data = nn.RNN(FEATURES, HIDDEN, carry_state=True), series(ROWS)
    step = declared(layer).step
    result = cr.compile(cr.training(step, epochs=1, batch_size=2, shuffle=False)).run(data)
    other = cr.compile(cr.training(step, epochs=1, batch_size=3, shuffle=False))
    message = r"carry0 f32\[3,5\] .* is float32\[2, 5\]\n  where: .*\n  try: give an array of type"
    with pytest.raises(cr.StateError, match=message):
        other.run(data, state=result)


def test_a_trainer_goes_on_from_batch_to_batch(tmp_path: Path) -> None:
    layer, data = nn.RNN(FEATURES, HIDDEN, carry_state=True), series(ROWS)

    def trainer() -> cr.Trainer:
        return cr.Trainer(layer, cr.losses.squared_error, optim.SGD(lr=RATE), shuffle=False)

    first, again = trainer(), trainer()
    first.fit(data["x"], data["y"], epochs=2, batch_size=2)
    first.save(tmp_path / "trained.safetensors")
    again.load(tmp_path / "trained.safetensors")
    np.testing.assert_array_equal(again.predict(data["x"]), first.predict(data["x"]))


@TARGETS
def test_a_gradient_ends_where_it_is_stopped_in_a_loop(target: str) -> None:
    """Of h ← tanh(w · stop(h) + x) each step has the derivative h · (1 - h'²), and no more."""
    w, x = cr.input("w"), cr.input("x", (6,))

    def cell(h: cr.Node, x_t: cr.Node) -> tuple[cr.Node, cr.Node]:
        h = cr.tanh(w * cr.stop_gradient(h) + x_t)
        return h, h

    _, every = cr.scan(cell, carry=cr.constant(0.3), xs=x)
    assert isinstance(every, cr.Node)
    slopes = cr.compile(cr.grad(cr.sum(every), [w, x]), target=target)
    given = np.linspace(-1, 1, 6, dtype=np.float32)
    of_w, of_x = slopes(w=0.7, x=given)
    before, expected, own = 0.3, 0.0, []
    for x_t in given.tolist():
        after = np.tanh(0.7 * before + x_t)
        own.append(1 - after**2)
        expected += before * own[-1]
        before = after
    np.testing.assert_allclose(of_w, expected, rtol=1e-6)
    np.testing.assert_allclose(of_x, own, rtol=1e-6)
