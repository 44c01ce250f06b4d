"""The source that is timed is the source that runs, with a note after each kernel."""

from __future__ import annotations

import re

import numpy as np
import pytest

import chainrule as cr
from chainc.backends.numpy.module import FunctionPrinter, prepare, print_function
from chainc.backends.numpy.timing import KernelClock, time_function
from chainc.lowering.lower import lower
from chainc.lowering.program import Program


def program() -> Program:
    """With an update that cannot be done in place: each slot gets the other's value."""
    x = cr.input("x", ("batch", 4))
    a, b = (cr.parameter(name, (4,), 0.5) for name in "ab")
    return lower(cr.Graph([cr.sum(cr.tanh(x * a) + b)], {a: b, b: a}))


def test_notes_are_all_that_is_added() -> None:
    prepared = prepare(program())
    printer = FunctionPrinter(prepared, "run", timed=True)
    text = printer.text()
    notes = [int(number) for number in re.findall(r"^ +clock\.note\((\d+)\)$", text, re.M)]
    assert notes == list(range(len(printer.kernels)))
    assert text.count("clock.start()") == 1
    without = "\n".join(line for line in text.split("\n") if "clock." not in line)
    assert without == print_function(prepared, "run")


def test_each_kernel_ends_with_its_note() -> None:
    printer = FunctionPrinter(prepare(program()), "run", timed=True)
    body = printer.text().split("clock.start()")[1].split("return")[0]
    parts = re.split(r"clock\.note\(\d+\)", body)[:-1]
    for kernel, part in zip(printer.kernels, parts, strict=True):
        assert printer.scope.names[kernel.out] in part.strip().splitlines()[-1]


def test_timing_changes_the_state_that_it_is_given_only() -> None:
    state = {"a": np.ones(4, np.float32), "b": np.zeros(4, np.float32)}
    timing = time_function(program(), [np.ones((3, 4), np.float32)], state, [3], 2)
    assert timing.seconds.shape == (2, len(timing.kernels.lines))
    assert (timing.seconds > 0).all()
    assert (timing.whole > 0).all()
    assert {state["a"][0], state["b"][0]} == {0.0, 1.0}


def test_a_clock_notes_what_has_passed_since_the_last_note(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = iter([10.0, 13.0, 13.5, 14.5, 14.75])
    monkeypatch.setattr("chainc.backends.numpy.timing.perf_counter", lambda: next(times))
    clock = KernelClock(2)
    clock.start()
    clock.note(1)
    clock.note(0)
    assert clock.seconds.tolist() == [1.0, 3.0]
