"""First values: the code for them is made once a program."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainc import driver
from chainc.ir.leaves import initial_graph
from chainrule import nn, optim
from chainrule.compiled import starting


def declared() -> cr.Training:
    x = cr.input("x", ("batch", 6))
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4))
    step = optim.Adam(lr=0.1).minimize(cr.mean(cr.square(model(x))))
    return cr.training(step, epochs=1, batch_size=4)


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_a_second_run_compiles_nothing(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    program = cr.compile(declared(), target=target)
    data = {"x": np.ones((8, 6), np.float32)}
    first = program.run(data, progress=False)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(starting, "initial_graph", refuse)
    second = program.run(data, progress=False)
    assert first.state == second.state
    assert program.initial_state(3) != program.initial_state(4)
    assert program.initial_state(3) == program.initial_state(3)


def test_a_function_makes_it_once_too(monkeypatch: pytest.MonkeyPatch) -> None:
    function = cr.compile(cr.parameter("w", (3, 4), "he_normal") * 2.0)
    state = function.initial_state(1)
    monkeypatch.setattr(starting, "initial_graph", None)
    assert function.initial_state(1) == state


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_slots_that_begin_with_one_number_need_no_code(
    monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    weight = cr.parameter("weight", (3, 2), cr.init.constant(-0.0))
    noisy = cr.input("x", ("batch", 3)) + cr.normal(("batch", 3))  # so it has a seed, too
    loss = cr.mean(cr.square(noisy @ weight))
    training = cr.training(optim.Adam(lr=0.1).minimize(loss), epochs=1, batch_size=4)
    program = cr.compile(training, target=target)
    graph = initial_graph(program.slots)
    function = driver.compile_function(graph, (), driver.TARGETS["numpy"])
    expected = function.executable.bind({})(np.asarray(7, np.int64))
    monkeypatch.setattr(starting, "initial_graph", None)
    found = program.initial_state(7)
    for slot, value in zip(program.slots, expected, strict=True):
        assert (found[slot].dtype, found[slot].tobytes()) == (value.dtype, value.tobytes())


def test_numbers_are_those_of_code_that_is_inlined() -> None:
    """Code for first values calls elementary functions; what is run often has them inside."""
    weight = cr.parameter("w", (37, 29), "xavier_normal")
    graph = initial_graph([weight])
    seldom, often = (
        driver.compile_function(graph, (), driver.TARGETS["llvm"], seldom=each).executable
        for each in (True, False)
    )
    texts = [each.generated().source for each in (seldom, often)]
    assert "noinline\n" in texts[0]
    assert "noinline\n" not in texts[1]
    seed = np.asarray(5, np.int64)
    (one,), (other,) = (each.bind({})(seed) for each in (seldom, often))
    np.testing.assert_array_equal(one, other)
