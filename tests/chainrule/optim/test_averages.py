"""Averages of parameters: their values by hand, and the two ways to read them."""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import losses, nn, optim

Values = npt.NDArray[np.float64]

HERE = r"\n  where: .*test_averages\.py:\d+\n  try: "
TARGETS = ("numpy", "llvm")
STEPS = 9


def path(optimizer: optim.Optimizer, target: str = "numpy") -> tuple[list[Values], list[Values]]:
    """The parameter and its average, before the first step and after each."""
    w = cr.parameter("w", (3,), cr.init.normal(1.0), dtype="float64")
    step = optimizer.minimize(cr.sum(cr.square(w) * np.array([0.5, 1.0, 2.0])))
    run = cr.compile(step, target=target)
    run = run.bind(run.initial_state(2))
    states = [run.state]
    for _ in range(STEPS):
        run()
        states.append(run.state)
    ways = ([state[name].astype(np.float64) for state in states] for name in (w, step.averages[w]))
    one, other = ways
    return one, other


@pytest.mark.parametrize("target", TARGETS)
def test_an_exponential_average(target: str) -> None:
    parameters, averages = path(optim.SGD(0.1, average=optim.averages.ema(0.8)), target)
    assert np.array_equal(averages[0], parameters[0])
    expected = parameters[1]
    for number in range(1, STEPS + 1):
        if number > 1:
            expected = 0.8 * expected + 0.2 * parameters[number]
        np.testing.assert_allclose(averages[number], expected, rtol=1e-12)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("start", "every"), [(0, 1), (2, 1), (3, 2)])
def test_an_equal_average_of_the_last_steps(start: int, every: int, target: str) -> None:
    parameters, averages = path(optim.Adam(0.1, average=optim.averages.swa(start, every)), target)
    for number in range(STEPS + 1):
        taken = [parameters[n] for n in range(start, number + 1, every)] or [parameters[number]]
        np.testing.assert_allclose(averages[number], np.mean(taken, axis=0), rtol=1e-12)


def test_averages_count_updates_where_batches_accumulate() -> None:
    chain = [optim.accumulate(3)]
    parameters, averages = path(optim.SGD(0.1, signal=chain, average=optim.averages.swa(0)))
    for number in range(STEPS + 1):
        np.testing.assert_allclose(
            averages[number], np.mean(parameters[: number + 1 : 3], axis=0), rtol=1e-12
        )


def test_training_goes_on_as_without_an_average() -> None:
    one, _ = path(optim.Adam(0.1, average=optim.averages.ema(0.5)))
    other, _ = path(optim.Adam(0.1, average=optim.averages.swa(3)))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_average_is_read_in_validation_and_by_swapping() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(64, 4)).astype(np.float32)
    aims = (rows[:, :1] - rows[:, 1:2] > 0).astype(np.float32)
    x, y = cr.input("x", ("batch", 4)), cr.input("y", ("batch", 1))
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3))
    model = nn.Sequential(model, nn.Linear(8, 1))
    logits = model(x)
    loss = losses.binary_cross_entropy(logits, y)
    step = optim.SGD(0.5, average=optim.averages.ema(0.9)).minimize(loss)
    metrics = {"averaged": step.averaged(loss)}
    program = cr.compile(cr.training(step, epochs=3, batch_size=16, metrics=metrics))
    data = {"x": rows, "y": aims}
    result = program.run(data, validation=data, progress=False)
    plain = program.evaluate(data, result)
    swapped = program.evaluate(data, optim.averages.of(result))
    assert plain["averaged"] == pytest.approx(result.history["val_averaged"][-1], rel=1e-6)
    assert swapped["loss"] == pytest.approx(plain["averaged"], rel=1e-6)
    assert swapped["loss"] != pytest.approx(plain["loss"], rel=1e-6)
    predict = cr.compile([logits, step.averaged(logits)])
    one = predict.bind(optim.averages.of(result))(x=rows)
    other = predict.bind(result.state)(x=rows)
    assert np.array_equal(one[0], other[1])
    assert not np.array_equal(other[0], other[1])


def test_parts_of_a_step_may_have_averages() -> None:
    layer = nn.Linear(2, 1, name="layer")
    assert layer.bias is not None
    part = ([layer.bias], optim.SGD(0.1, average=optim.averages.ema()))
    step = optim.groups(part, optim.SGD(0.1)).minimize(cr.sum(layer(cr.input("x", ("batch", 2)))))
    assert list(step.averages) == [layer.bias]
    assert step.averages[layer.bias].op.label == "average/layer/bias"


def test_refusals() -> None:
    with pytest.raises(cr.InputError, match=rf"ema: decay must be .* below 1, got 1{HERE}give a"):
        optim.averages.ema(1)
    with pytest.raises(cr.InputError, match=rf"swa: start must be .* at least 0.*{HERE}give a"):
        optim.averages.swa(-1)
    with pytest.raises(cr.InputError, match=rf"swa: every must be .* at least 1.*{HERE}give a"):
        optim.averages.swa(10, every=0)
    with pytest.raises(cr.StateError, match=rf"of: there is no average in.*{HERE}train with one"):
        optim.averages.of(cr.State({"w": np.ones(3)}))
    with pytest.raises(cr.StateError, match=rf"a int is no state{HERE}give"):
        optim.averages.of(cast("cr.State", 3))
    w = cr.parameter("w", (), 1.0)
    step = optim.SGD(0.1).minimize(cr.square(w))
    with pytest.raises(cr.GraphError, match=rf"this step keeps no averages{HERE}give the optimi"):
        step.averaged(step.loss)
