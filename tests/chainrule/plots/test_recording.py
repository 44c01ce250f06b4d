"""A recording is a run, seen epoch by epoch or step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.chainrule.plots.problems import HELD_OUT, ROWS, Classifier

import chainrule as cr
from chainrule import optim


def test_a_recording_has_the_bits_of_one_long_run() -> None:
    program = Classifier().program(epochs=4)
    long = program.run(ROWS, validation=HELD_OUT)
    recording = cr.plots.record(program, ROWS, epochs=4, validation=HELD_OUT)
    assert recording.states[0] == program.initial_state()
    assert len(recording.states) == 5
    assert len(set(recording.states)) == 5
    assert recording.states[-1] == long.state
    assert recording.history == long.history
    later = cr.plots.record(program, ROWS, epochs=2, state=recording.states[2])
    assert later.states == recording.states[2:]
    fast = cr.plots.record(program, ROWS, epochs=1, lr=5.0)
    assert fast.states[1] != recording.states[1]


def test_steps_are_gradient_descent() -> None:
    a, b = cr.parameter("a", (), -1.0), cr.parameter("b", (), 2.0)
    step = cr.compile(optim.SGD(lr=0.1).minimize(a**2 + 3 * b**2), target="numpy")
    recording = cr.plots.record_steps(step, steps=5)
    factors = np.arange(6)
    a_values, b_values = ([s[name].item() for s in recording.states] for name in ("a", "b"))
    assert a_values == pytest.approx(-1 * 0.8**factors, rel=1e-5)
    assert b_values == pytest.approx(2 * 0.4**factors, rel=1e-5)
    expected = (0.8**factors) ** 2 + 12 * (0.4**factors) ** 2
    assert recording.history["loss"] == pytest.approx(expected[:-1], rel=1e-5)
    later = cr.plots.record_steps(step, steps=2, state=recording.states[3])
    assert later.states == recording.states[3:]


def test_what_is_no_training_is_refused() -> None:
    other: Any = cr.compile(cr.parameter("a", (), 1.0) + 1, target="numpy")
    with pytest.raises(cr.InputError, match="a Function is no compiled training"):
        cr.plots.record(other, {}, epochs=1)
    with pytest.raises(cr.InputError, match=r"no compiled step\n.*\n  try: give cr.compile"):
        cr.plots.record_steps(other, steps=1)
    with pytest.raises(cr.InputError, match="epochs must be a whole number, at least 1"):
        cr.plots.record(Classifier().program(), ROWS, epochs=0)
