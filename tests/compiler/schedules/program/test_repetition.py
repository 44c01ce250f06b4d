"""Sequences of calls that are made again and again, found and put into loops."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainc.schedules.program import repetition
from chainc.schedules.program.repetition import FEWER, LEAST, MANY, Stretch, stretches
from chainrule import losses, nn, optim

LAYER = "abcdefghijklmnopqrstuvwxyz"[: -(-MANY // FEWER)]  # as few calls as are enough


@given(st.lists(st.sampled_from("aab") | st.none(), max_size=80), st.integers(1, 40))
def test_stretches_are_all_calls_in_order(calls: list[str | None], length: int) -> None:
    calls = calls + calls[-length:] * FEWER + calls[-3:] * LEAST + calls[:3]
    found = list(stretches(calls))
    ends = [0, *(each.start + each.length * each.count for each in found)]
    assert [each.start for each in found] == ends[:-1]
    assert ends[-1] == len(calls)
    for each in found:
        if each.count > 1:
            repeated = calls[each.start : each.start + each.length * each.count]
            assert repeated == repeated[: each.length] * each.count
            assert None not in repeated
    for one, other in pairwise(found):
        assert one.count > 1 or other.count > 1  # what is no repetition stays together


@pytest.mark.parametrize(
    ("calls", "wanted"),
    [
        ("", []),
        ("abc", [Stretch(0, 3)]),
        (
            "x" + "ab" * LEAST + "y",
            [Stretch(0, 1), Stretch(1, 2, LEAST), Stretch(2 * LEAST + 1, 1)],
        ),
        ("a" * LEAST, [Stretch(0, 1, LEAST)]),
        ("a" * (LEAST - 1), [Stretch(0, LEAST - 1)]),
        ("abc" * LEAST + "ab", [Stretch(0, 3, LEAST), Stretch(3 * LEAST, 2)]),
        (
            "x" + LAYER * FEWER + LAYER[:5],
            [Stretch(0, 1), Stretch(1, len(LAYER), FEWER), Stretch(1 + FEWER * len(LAYER), 5)],
        ),
        (LAYER * (FEWER - 1), [Stretch(0, len(LAYER) * (FEWER - 1))]),
        (LAYER[1:] * FEWER, [Stretch(0, (len(LAYER) - 1) * FEWER)]),
    ],
)
def test_stretches(calls: str, wanted: list[Stretch]) -> None:
    assert list(stretches([*calls])) == wanted


def deep(layers: int, *, watch: bool = False) -> cr.Training:
    x = cr.input("x", ("batch", 8))
    pairs = ((nn.Linear(8, 8), nn.Tanh()) for _ in range(layers))
    model = nn.Sequential(*(layer for pair in pairs for layer in pair))
    step = optim.SGD(lr=0.1, momentum=0.5).minimize(cr.mean(cr.square(model(x))))
    return cr.training(step, epochs=2, batch_size=6, watch=watch)


def test_a_deeper_network_has_code_of_the_same_length() -> None:
    """One that is run; with clocks each call is timed on its own."""
    lines = [len(cr.compile(deep(n)).source.splitlines()) for n in (3 * LEAST, 5 * LEAST)]
    assert lines[0] == lines[1]


def transformer(layers: int) -> cr.Training:
    x = cr.input("x", ("batch", 6), dtype="int32")
    model = nn.Transformer(5, 8, 2, layers, 6)
    step = optim.Adam(lr=0.01).minimize(losses.cross_entropy(model(x), x))
    return cr.training(step, epochs=2, batch_size=4)


def test_layers_of_a_transformer_are_a_loop_and_their_mask_is_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    training = transformer(4)
    program = cr.compile(training, threads=2)
    assert re.search(r"for layer in 0..4:\n(?: .*\n)* .*softmax", program.loops)
    data = {"x": np.random.default_rng(0).integers(0, 5, (10, 6)).astype(np.int32)}
    start = program.initial_state()
    looped = program.run(data, state=start, progress=False)
    monkeypatch.setattr(repetition, "FEWER", 100)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # it is made again
    plain = cr.compile(training, threads=1)
    assert "for layer in 0..4:" not in plain.loops
    assert plain.run(data, state=start, progress=False).state == looped.state


@pytest.mark.parametrize("watch", [False, True])
def test_a_loop_over_layers_computes_what_the_layers_do(watch: bool) -> None:
    data = {"x": np.random.default_rng(0).standard_normal((20, 8)).astype(np.float32)}
    training = deep(LEAST + 4, watch=watch)
    one, two = (cr.compile(training, threads=each) for each in (1, 2))
    assert "for layer in 0.." in one.loops
    start = one.initial_state()
    native, threaded = (each.run(data, state=start, progress=False) for each in (one, two))
    assert native.state == threaded.state
    numpy = cr.compile(deep(LEAST + 4), target="numpy")
    renamed = numpy.run(data, state=start, progress=False)
    for name in renamed.state:
        found, wanted = (np.asarray(each.state[name], np.float64) for each in (native, renamed))
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_first_values_of_many_layers_are_those_of_each_alone() -> None:
    """In a loop over the layers, with a stream of its own for each."""
    many = [cr.parameter(f"w{i}", (8, 5), "he_normal") for i in range(LEAST + 3)]
    together = cr.compile(cr.concat(many, axis=0)).initial_state(3)
    for parameter in many:
        name = parameter.op.label
        alone = cr.compile(parameter * 1.0).initial_state(3)[name]
        np.testing.assert_array_equal(together[name], alone)
