"""Long calls of a function are shared where that is quicker; the bits are the same."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainc.backends.llvm.host import sharing
from chainc.backends.llvm.host.sharing import FAR, LONG, MOST, SHORT, Sharing
from chainrule import nn


class Machine:
    """A function whose calls take the seconds of a table, by a clock that only they move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, alone: float, shared: float) -> None:
        self.now, self.seconds = 0.0, {1: alone, 2: shared}
        self.counts: list[int] = []  # threads of each call
        monkeypatch.setattr("time.perf_counter", lambda: self.now)
        monkeypatch.setattr(Sharing, "_run_together", lambda _, call: call(0, 2))

    def __call__(self, _: int, threads: int) -> None:
        self.counts.append(threads)
        self.now += self.seconds[threads]


def counts(machine: Machine, calls: int, nbytes: int = 0) -> list[int]:
    team = Sharing(2, nbytes)
    for _ in range(calls):
        team.run(machine)
    return machine.counts


def test_it_is_found_out_that_two_are_quicker(monkeypatch: pytest.MonkeyPatch) -> None:
    found = counts(Machine(monkeypatch, 0.1, 0.06), 1000)
    assert found[:10] == [1, 2, 2, 1, 2, 2, 1, 2, 2, 2]
    assert found[-500:].count(1) <= 500 / MOST + 1


def test_it_is_found_out_that_one_is_quicker(monkeypatch: pytest.MonkeyPatch) -> None:
    found = counts(Machine(monkeypatch, 0.1, 0.2), 1000)
    assert found[:5] == [1, 2, 1, 1, 2]
    assert found[-500:].count(2) <= 500 / MOST + 1


def test_what_goes_through_much_memory_is_shared_before_it_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = counts(Machine(monkeypatch, 0.1, 0.06), 1000, FAR)
    assert found[:6] == [2, 1, 2, 2, 1, 2]
    assert found[-500:].count(1) <= 500 / MOST + 1
    assert counts(Machine(monkeypatch, 0.1, 0.2), 4, FAR) == [2, 1, 1, 2]
    short = Machine(monkeypatch, 0.9 * LONG, 0.5 * LONG)  # it looks up rows of a large table
    assert counts(short, 100, FAR)[1:] == [1] * 99
    assert set(counts(Machine(monkeypatch, 0.1, 0.06), 1, FAR - 1)) == {1}


def test_a_disturbed_call_decides_for_a_short_while(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, 0.1, 0.06)
    team = Sharing(2)
    team.run(machine)
    machine.seconds[2] = 1.0
    team.run(machine)
    machine.seconds[2] = 0.06
    for _ in range(30):
        team.run(machine)
    assert machine.counts[-20:].count(2) > 15


@pytest.mark.parametrize("seconds", [0.9 * SHORT, 0.9 * LONG])
def test_short_calls_are_never_shared(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    assert set(counts(Machine(monkeypatch, seconds, 0.0), 100)) == {1}


def test_every_number_of_threads_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "LONG", 0.0)
    monkeypatch.setattr(sharing, "SHORT", 0.0)
    monkeypatch.setattr("chainc.backends.llvm.host.function.cores", lambda: 2)
    together = 0
    run = Sharing._run_together

    def noted(team: Sharing, call: sharing.Call) -> None:
        nonlocal together
        together += 1
        run(team, call)

    monkeypatch.setattr(Sharing, "_run_together", noted)
    x = cr.input("x", ("batch", 3, 16, 16))
    layers = nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8192, 10)
    function = cr.compile(nn.Sequential(*layers)(x))
    bound = function.bind(function.initial_state(seed=0))
    images = np.random.default_rng(0).standard_normal((8, 3, 16, 16)).astype(np.float32)
    first, *others = (bound(x=images) for _ in range(12))
    assert together > 2
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_what_fails_on_two_threads_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "LONG", 0.0)
    monkeypatch.setattr(sharing, "SHORT", 0.0)
    monkeypatch.setattr("chainc.backends.llvm.host.function.cores", lambda: 2)
    table = cr.input("table", (50, 64))
    bound = cr.compile(cr.take(table, cr.input("at", ("n",), dtype="int32"), axis=0))
    numbers = np.ones((50, 64), np.float32)
    for at in (0, 3, 60, 60, 7, 60, 60, 60):
        given = np.full(4000, at, np.int32)
        if at < 50:
            assert bound(numbers, given).shape == (4000, 64)
            continue
        with pytest.raises(cr.InputError, match="60"):
            bound(numbers, given)
