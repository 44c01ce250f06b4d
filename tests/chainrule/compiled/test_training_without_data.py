"""Trainings whose steps read no rows: they draw what they learn from."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim

WANTED = np.array([1, -2, 3], np.float32)


class Drawn:
    """A regression on points that each step draws."""

    def __init__(self) -> None:
        points = cr.normal((8, 3))
        self.w = cr.parameter("w", (3,), 0.0)
        self.loss = cr.mean(cr.square(points @ (self.w - WANTED)))
        self.step = optim.SGD(lr=0.1).minimize(self.loss)
        self.metrics = {"farthest": cr.max(cr.abs(points)), "spread": cr.mean(points, axis=0)}

    def program(self, epochs: int = 8, target: str = "llvm") -> cr.TrainingProgram:
        training = cr.training(self.step, epochs=epochs, metrics=self.metrics)
        return cr.compile(training, target=target)


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_an_epoch_is_a_step(target: str) -> None:
    drawn = Drawn()
    result = drawn.program(target=target).run()
    graph = cr.Graph([drawn.loss, *drawn.metrics.values()], drawn.step.updates)
    one = cr.compile(graph, target="numpy")
    one = one.bind(one.initial_state())
    losses, farthest, spread = zip(*(one() for _ in range(8)), strict=True)
    assert result.history["loss"] == pytest.approx([*map(float, losses)], rel=1e-5)
    assert result.history["farthest"] == pytest.approx([*map(float, farthest)], rel=1e-5)
    assert np.asarray(result.metrics["spread"]) == pytest.approx(np.asarray(spread[-1]), abs=1e-6)
    assert np.asarray(result.state["w"]) == pytest.approx(np.asarray(one.state["w"]), rel=1e-5)
    assert result.state["step"] == 8


def test_it_goes_on_where_it_stopped() -> None:
    program = Drawn().program()
    whole, first = program.run().state, program.run(epochs=3).state
    assert not np.array_equal(first["w"], whole["w"])
    np.testing.assert_array_equal(program.run(state=first, epochs=5).state["w"], whole["w"])


def test_steps_can_be_profiled_and_replayed() -> None:
    program = Drawn().program(target="numpy")
    loss = program.run().history["loss"][5]
    assert program.replay(step=5).reported["loss"] == pytest.approx(loss, rel=1e-5)
    assert "contract" in str(program.profile(steps=2))


def test_a_state_is_evaluated_on_what_its_step_draws() -> None:
    drawn = Drawn()
    program = drawn.program()
    state = program.run().state
    loss, spread = cr.compile([drawn.loss, drawn.metrics["spread"]]).bind(state)()
    report = program.report(state=state)
    assert report["loss"] == pytest.approx(float(loss), rel=1e-5)
    assert np.asarray(report["spread"]) == pytest.approx(np.asarray(spread), rel=1e-5)


def test_a_rule_ends_it() -> None:
    training = cr.training(Drawn().step, epochs=99, stop=cr.TargetValue("loss", 1.0))
    result = cr.compile(training).run()
    assert result.history["loss"][-1] <= 1.0 < min(result.history["loss"][:-1])


def test_it_says_what_it_is() -> None:
    training = cr.training(Drawn().step, epochs=7)
    assert "7 epochs of a step" in repr(training)
    assert "7 epochs of a step" in repr(cr.compile(training, target="numpy"))


def test_a_batch_needs_rows_and_rows_a_batch() -> None:
    with pytest.raises(cr.GraphError, match=r"(?s)needs one named size.*leave batch_size out"):
        cr.compile(cr.training(Drawn().step, epochs=1, batch_size=8))
    x, w = cr.input("x", ("batch", 3)), cr.parameter("w", (3,), 0.0)
    with pytest.raises(cr.InputError, match="batch_size must be"):
        cr.training(optim.SGD(lr=0.1).minimize(cr.mean(x @ w)), epochs=1)


def test_inputs_without_rows_are_read_whole() -> None:
    x, w = cr.input("x", (5, 3)), cr.parameter("w", (3,), 0.0)
    program = cr.compile(cr.training(optim.SGD(lr=0.1).minimize(cr.mean(x @ w)), epochs=2))
    assert program.run({x: np.ones((5, 3))}).state["w"] == pytest.approx(np.full(3, -0.2))


def test_data_that_nothing_reads_are_refused() -> None:
    program = Drawn().program(target="numpy")
    with pytest.raises(cr.InputError, match="there is no input 'x'"):
        program.run({"x": np.ones((5, 3))})
