"""Gradient norms and activation histograms against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.chainrule.plots.legible import assert_legible, curve, texts
from tests.chainrule.plots.problems import DATA, ROWS, forward, gradient_norms_of, trained

import chainrule as cr
from chainrule import nn, optim

ROWS_OF_X = {"x": DATA.train.x}


def test_gradient_norms_are_those_of_a_backward_pass_by_hand() -> None:
    classifier, recording = trained()
    plot = cr.plots.gradient_norms(classifier.loss, ROWS, recording.states)
    expected = np.array([gradient_norms_of(state) for state in recording.states])
    for layer in range(2):
        line = curve(plot, 0, layer)
        assert list(line.x) == list(range(13))
        np.testing.assert_allclose(line.y, expected[:, layer], rtol=1e-4)
    assert {"model/linear1", "model/linear2", "epoch"} <= set(texts(plot))
    assert plot.figure.axes[0].get_yscale() == "log"
    assert_legible(plot)


def test_gradients_vanish_in_a_deep_network_of_sigmoids() -> None:
    x = cr.input("x", ("batch", 2))
    layers = [
        part for _ in range(9) for part in (nn.Linear(8, 8, init="xavier_normal"), nn.Sigmoid())
    ]
    model = nn.Sequential(nn.Linear(2, 8), *layers, nn.Linear(8, 1), name="deep")
    loss = cr.mean(cr.square(model(x) - 1.0))
    state = cr.compile(loss, target="numpy").initial_state(0)
    plot = cr.plots.gradient_norms(loss, ROWS_OF_X, state, unit="step")
    first, *_, last = (curve(plot, 0, k).y[0] for k in range(11))
    assert first < 1e-4 * last
    assert len(plot.figure.axes[0].lines) == 11
    assert_legible(plot)


def test_norms_that_are_zero_or_not_finite_are_told() -> None:
    a, b = cr.parameter("a", (), 0.0), cr.parameter("b", (), 1.0)
    loss = a * b * b / b  # ∂/∂b = a
    states = [cr.State({"a": np.float32(v), "b": np.float32(1)}) for v in (0, 2, np.inf)]
    plot = cr.plots.gradient_norms(loss, None, states)
    assert "b (0 at 1, not finite at 1 of 3)" in texts(plot)
    values = curve(plot, 0, 1).y
    np.testing.assert_allclose(values, [np.nan, 2, np.nan])
    assert_legible(plot)


def test_norms_around_clipping_are_those_of_the_whole_gradient() -> None:
    classifier, recording = trained()
    limit = 0.1
    plot = cr.plots.clipped_norms(
        classifier.loss, ROWS, recording.states, optim.clip.by_global_norm(limit), unit="epoch"
    )
    norms = np.array([np.hypot(*gradient_norms_of(state)) for state in recording.states])
    before, behind = curve(plot, 0, 0), curve(plot, 0, 1)
    np.testing.assert_allclose(before.y, norms, rtol=1e-4)
    np.testing.assert_allclose(behind.y, np.minimum(norms, limit), rtol=1e-4)
    shorter = int((norms > limit).sum())
    assert 0 < shorter < len(norms)
    assert f"behind it (shorter at {shorter} of {len(norms)})" in texts(plot)
    assert list(before.x) == list(range(13))
    assert_legible(plot)


def test_what_is_no_clipping_is_refused() -> None:
    classifier, recording = trained()
    attempts: list[Any] = [5.0, lambda signals: list(signals.values()), lambda _: {}]
    message = r"clipped_norms: the clipping .* gives no gradient for .*\n  where: .*\n  try: give"
    for clip in attempts:
        with pytest.raises(cr.GraphError, match=message):
            cr.plots.clipped_norms(classifier.loss, ROWS, recording.states, clip)


def test_each_column_of_shades_is_a_histogram() -> None:
    classifier, recording = trained()
    layers = {"hidden": classifier.hidden, "logit": classifier.logits}
    plot = cr.plots.activation_histograms(layers, ROWS_OF_X, recording.states)
    for panel in range(2):
        values = [forward(state, DATA.train.x)[panel] for state in recording.states]
        low, high = min(v.min() for v in values), max(v.max() for v in values)
        (image,) = plot.figure.axes[panel].images
        shades = np.asarray(image.get_array(), np.float64)
        assert image.get_extent() == pytest.approx((-0.5, 12.5, low, high), rel=1e-4)
        for epoch, column in enumerate(values):
            counts, _ = np.histogram(column, 40, (low, high))
            # a value at the edge of a bin may fall into the next one in float32
            assert np.abs(shades[:, epoch] - counts / column.size).sum() <= 4 / column.size
        mean, below, above = (curve(plot, panel, k).y for k in range(3))
        np.testing.assert_allclose(mean, [v.mean() for v in values], atol=1e-5)
        np.testing.assert_allclose(below, [v.mean() - v.std() for v in values], atol=1e-4)
        np.testing.assert_allclose(above, [v.mean() + v.std() for v in values], atol=1e-4)
    assert {"hidden", "logit", "share of the values in a bin"} <= set(texts(plot))
    assert_legible(plot)


def test_dead_units_are_counted_and_values_that_are_not_finite_leave_a_column_empty() -> None:
    x = cr.input("x", ("batch", 2))
    bias = cr.parameter("bias", (4,), 0.0)
    hidden = cr.relu(cr.sum(x, axis=1, keepdims=True) + bias)
    biases = ([1, 1, 1, 1], [np.nan] * 4, [1, -9, 1, 1])
    states = [cr.State({"bias": np.array(b, np.float32)}) for b in biases]
    plot = cr.plots.activation_histograms({"hidden": hidden}, ROWS_OF_X, states)
    assert "25% of the units dead" in texts(plot)
    shades = np.asarray(plot.figure.axes[0].images[0].get_array(), np.float64)
    np.testing.assert_allclose(shades[:, [0, 2]].sum(axis=0), 1)
    assert np.isnan(shades[:, 1]).all()
    assert_legible(plot)


def test_what_has_no_layers_is_refused() -> None:
    classifier, recording = trained()
    x, wrong = cr.input("x"), {"hidden": 3}
    unnamed: Any = [classifier.hidden]
    not_nodes: Any = wrong
    for layers in (unnamed, not_nodes):
        with pytest.raises(cr.InputError, match="layers are not nodes by name"):
            cr.plots.activation_histograms(layers, ROWS_OF_X, recording.states)
    with pytest.raises(cr.InputError, match="0 layers, not from 1 to 12"):
        cr.plots.activation_histograms({}, ROWS_OF_X, recording.states)
    with pytest.raises(cr.InputError, match="there is no input 'y'"):
        cr.plots.activation_histograms({"hidden": classifier.hidden}, ROWS, recording.states)
    with pytest.raises(cr.InputError, match=r"gradient_norms: .* reads no parameter"):
        cr.plots.gradient_norms(x * x, {"x": 1.0}, recording.states)
    with pytest.raises(cr.GradientError, match="gradient_norms"):
        cr.plots.gradient_norms(classifier.hidden, ROWS_OF_X, recording.states)
