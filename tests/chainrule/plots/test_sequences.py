"""Pictures along sequences: colours over a text, units over time, attention, gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tests.chainrule.plots.legible import assert_legible, texts

import chainrule as cr
from chainc.ir import Node

RNG = np.random.default_rng(0)


def test_each_character_stands_on_the_colour_of_its_number() -> None:
    content = 'if (x) "y"\n  z'
    values = np.linspace(-1, 1, len(content))
    plot = cr.plots.coloured_text(content, values, width=8)
    letters = [text for text in texts(plot) if len(text) == 1 and text not in "01"]
    assert letters == [letter for letter in content if not letter.isspace()]
    assert_legible(plot)
    cells = np.asarray(plot.figure.axes[0].images[0].get_array(), float)
    assert cells.shape[0] == 3  # a full line, its rest, and the line after the end of one
    seen = cells[~np.isnan(cells)]
    np.testing.assert_allclose(seen, values)


def test_a_panel_for_each_kind_of_unit_and_a_mark_for_each_step() -> None:
    values = {"forget": RNG.random((5, 3)), "c": RNG.normal(size=(5, 3))}
    plot = cr.plots.over_time(values, "a b\nc")
    assert_legible(plot)
    assert {"forget", "c", "·", "↵"} <= set(texts(plot))
    shown = [np.asarray(axes.images[0].get_array()) for axes in plot.figure.axes[:2]]
    for image, given in zip(shown, values.values(), strict=True):
        np.testing.assert_array_equal(image, given.T)


def test_a_square_for_each_head() -> None:
    plot = cr.plots.attention_maps(RNG.random((2, 3, 4)), "abc", ["one", "two", "three", "four"])
    assert_legible(plot)
    assert {"head 1", "head 2", "a", "three"} <= set(texts(plot))


def test_gradients_through_time_are_those_of_a_loop_written_by_hand() -> None:
    x, rate = cr.input("x", ("time",)), cr.parameter("rate", (), 0.5)
    last, _ = cr.scan(lambda h, x_t: (h * rate + x_t, None), carry=0.0, xs=x)
    assert isinstance(last, Node)
    plot = cr.plots.gradients_through_time({"linear": last}, {x: np.ones(4)})
    assert_legible(plot)
    (line,) = plot.figure.axes[0].lines
    np.testing.assert_allclose(np.asarray(line.get_xdata(), np.float64), [1, 2, 3, 4])
    slopes = np.asarray(line.get_ydata(), np.float64)
    np.testing.assert_allclose(slopes, [1 / 8, 1 / 4, 1 / 2, 1])
    assert "linear, h" in texts(plot)
    other = cr.plots.gradients_through_time(last, {x: np.ones(2)}, cr.State({"rate": 2.0}))
    slopes = np.asarray(other.figure.axes[0].lines[0].get_ydata(), np.float64)
    np.testing.assert_allclose(slopes, [2, 1])


def test_what_cannot_be_shown_is_refused() -> None:
    refused: list[tuple[str, Callable[[], object]]] = [
        ("2 values for 3 characters", lambda: cr.plots.coloured_text("abc", np.ones(2))),
        ("panels have .2, 3. steps", lambda: cr.plots.over_time(
            {"a": np.ones((2, 1)), "b": np.ones((3, 1))})),
        ("2 marks for 3 steps", lambda: cr.plots.over_time({"a": np.ones((3, 1))}, "ab")),
        ("is computed without a loop", lambda: cr.plots.gradients_through_time(
            cr.sum(cr.input("x", (2,))), {"x": np.ones(2)})),
    ]  # fmt: skip
    for message, call in refused:
        with pytest.raises(cr.InputError, match=rf"{message}[\s\S]*try: "):
            call()


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_layers_tell_what_they_hold_in_each_step(kind: str) -> None:
    layer = getattr(cr.nn, kind)(2, 3)
    x = cr.input("x", (1, 4, 2))
    held = layer.steps(x)
    gates = {
        "RNN": [],
        "LSTM": ["forget", "input", "new", "output"],
        "GRU": ["reset", "update", "new"],
    }
    assert list(held) == [*gates[kind], *layer.names]
    run = cr.compile([layer(x), held["h"], *held.values()], target="numpy", passes=())
    every, last, *values = run.bind(run.initial_state())(x=RNG.normal(size=(1, 4, 2)))
    np.testing.assert_array_equal(every, last)
    opened = np.array(values[: len(gates[kind])])
    assert np.all(np.abs(opened) <= 1)
