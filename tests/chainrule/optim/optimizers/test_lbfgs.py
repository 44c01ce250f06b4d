"""L-BFGS against the dense inverse Hessian that it stands for, and in a compiled loop."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import losses, nn, optim

Values = npt.NDArray[np.float64]

HERE = r"\n  where: .*test_lbfgs\.py:\d+\n  try: "
TARGETS = ("numpy", "llvm")
FIRST = np.array([-1.2, 1.0, 0.3])


def valley(w: Values) -> float:
    """Rosenbrock's function of the first two numbers, and a bowl for the third."""
    return float((1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2 + 3 * w[2] ** 2)


def slope(w: Values) -> Values:
    across = w[1] - w[0] ** 2
    return np.array([-2 * (1 - w[0]) - 400 * w[0] * across, 200 * across, 6 * w[2]])


def by_hand(steps: int, history: int, trials: int, lr: float) -> list[Values]:
    """The inverse Hessian as a matrix, made anew in each step from what is remembered."""
    w, pairs, scale, seen = FIRST, list[tuple[Values, Values]](), 0.0, []
    last: tuple[Values, Values] | None = None
    for _ in range(steps):
        g = slope(w)
        if last is not None and last[0] @ (g - last[1]) > 1e-10:
            s, y = last[0], g - last[1]
            pairs, scale = [*pairs, (s, y)][-history:], float((s @ y) / (y @ y))
        start = scale or 1 / max(1.0, np.abs(g).sum())
        inverse = np.eye(3) * start
        for s, y in pairs:
            shear = np.eye(3) - np.outer(s, y) / (s @ y)
            inverse = shear @ inverse @ shear.T + np.outer(s, s) / (s @ y)
        d = -inverse @ g
        rates = [lr / 2**trial for trial in range(trials)]
        fitting = [r for r in rates if valley(w + r * d) <= valley(w) + 1e-4 * r * (g @ d)]
        rate = lr if trials == 1 else (fitting or [0.0])[0]
        if rate == 0:
            pairs, scale = [], start / 2**trials
        last = (rate * d, g)
        w = w + rate * d
        seen.append(w)
    return seen


def declared() -> cr.Node:
    """The same loss of two parameters of different shapes."""
    w = cr.parameter("w", (2, 1), FIRST[:2, None], dtype="float64")
    v = cr.parameter("v", (), FIRST[2], dtype="float64")
    return (1 - w[0, 0]) ** 2 + 100 * (w[1, 0] - w[0, 0] ** 2) ** 2 + 3 * v**2


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("steps", "history", "trials", "lr"),
    [(25, 4, 8, 1.0), (12, 1, 6, 1.0), (25, 10, 10, 3.0), (8, 3, 1, 0.05), (12, 3, 2, 4.0)],
)
def test_steps_are_those_of_the_dense_matrix(
    steps: int, history: int, trials: int, lr: float, target: str
) -> None:
    step = optim.LBFGS(lr, history=history, trials=trials).minimize(declared())
    run = cr.compile(step, target=target)
    run = run.bind(run.initial_state())
    for expected in by_hand(steps, history, trials, lr):
        run()
        found = np.append(run.state["w"].astype(np.float64), run.state["v"].astype(np.float64))
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-10)


def test_both_outcomes_of_the_search_are_seen_above() -> None:
    """Two trials are too few in the valley: some steps stay where they are, and others move."""
    stays = [np.array_equal(a, b) for a, b in pairwise(by_hand(12, 3, 2, 4.0))]
    assert 0 < sum(stays) < len(stays)
    assert not any(np.array_equal(a, b) for a, b in pairwise(by_hand(25, 4, 8, 1.0)))


def classes() -> tuple[cr.Node, dict[str, npt.NDArray[np.float32]]]:
    random = np.random.default_rng(1)
    rows = random.normal(size=(96, 3)).astype(np.float32)
    aims = (rows @ np.array([[1.0], [-2.0], [0.5]]) + random.normal(size=(96, 1)) > 0).astype("f4")
    x, y = cr.input("x", ("batch", 3)), cr.input("y", ("batch", 1))
    model = nn.Linear(3, 1, name="model")
    penalty = 1e-3 * cr.sum(cr.square(model.weight))
    return losses.binary_cross_entropy(model(x), y) + penalty, {"x": rows, "y": aims}


def test_a_compiled_loop_falls_in_every_step_and_arrives() -> None:
    loss, data = classes()
    step = optim.LBFGS().minimize(loss)
    program = cr.compile(cr.training(step, epochs=20, batch_size=96))
    result = program.run(data, progress=False)
    history = np.array(result.history["loss"])
    assert (np.diff(history) <= 1e-6).all()
    gradient = cr.compile(list(optim.backprop(loss, step.parameters).values()))
    slopes = gradient.bind(result.state)(data)
    assert max(float(np.abs(each).max()) for each in slopes) < 1e-4
    descent = cr.compile(cr.training(optim.SGD(0.5).minimize(loss), epochs=20, batch_size=96))
    assert history[-1] < descent.run(data, progress=False).history["loss"][-1]


def test_all_trials_of_a_step_draw_the_same_numbers_and_statistics_move_once() -> None:
    """With dropout and batch normalisation the loss still falls within each step."""
    x, y = cr.input("x", ("batch", 3)), cr.input("y", ("batch", 1))
    norm = nn.BatchNorm1d(8)
    model = nn.Sequential(nn.Linear(3, 8), norm, nn.Tanh(), nn.Dropout(0.4), nn.Linear(8, 1))
    loss = losses.binary_cross_entropy(model(x), y)
    step = optim.LBFGS(history=3).minimize(loss)
    _, data = classes()
    run = cr.compile(step, target="numpy")
    run = run.bind(run.initial_state(1))
    before = run.state
    first = float(run(data)[0])
    moved = run.state
    assert not np.array_equal(moved[norm.running_mean], before[norm.running_mean])
    parameters = {name: moved[name] for name in (p.op.label for p in step.parameters)}
    again = run.bind(cr.State({**before, **parameters}))  # the same draws, with what was chosen
    assert float(again(data)[0]) < first


def test_where_nothing_is_better_the_parameters_stay() -> None:
    w = cr.parameter("w", (2,), np.array([3.0, -4.0], np.float32))
    step = optim.LBFGS().minimize(cr.sqrt(cr.sum(cr.square(w)) + 1.0))
    run = cr.compile(step, target="numpy")
    run = run.bind(run.initial_state())
    for _ in range(60):
        run()
    assert np.abs(run.state["w"]).max() < 1e-3
    assert all(np.isfinite(value).all() for value in run.state.values())


def test_the_rate_is_an_input() -> None:
    step = optim.LBFGS(trials=1).minimize(declared())
    assert list(step.hyperparameters) == ["lr"]
    run = cr.compile(step, target="numpy")
    run = run.bind(run.initial_state())
    run(lr=0.25)
    expected = by_hand(1, 10, 1, 0.25)[0]
    assert np.allclose(run.state["w"].ravel(), expected[:2], rtol=1e-12)


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(cr.InputError, match=rf"LBFGS: lr must be .* above 0, got 0{HERE}give lr"):
        optim.LBFGS(0)
    with pytest.raises(cr.InputError, match=rf"LBFGS: history must be .*got 0{HERE}give a few"):
        optim.LBFGS(history=0)
    with pytest.raises(cr.InputError, match=rf"LBFGS: trials must be .*got 0{HERE}try a few"):
        optim.LBFGS(trials=0)
