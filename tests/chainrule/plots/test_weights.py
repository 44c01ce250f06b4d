"""Weights as images and as lines between circles, read back from the figure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Circle
from tests.chainrule.plots.legible import assert_legible, texts
from tests.chainrule.plots.problems import forward, trained, weights

import chainrule as cr
from chainrule import nn
from chainrule.plots.paper.style import BLUE, VERMILLION


def test_each_unit_has_an_image_on_one_scale_about_0() -> None:
    matrix = np.random.default_rng(0).standard_normal((12, 7))
    plot = cr.plots.weight_images(matrix, (3, 4))
    images = [image for axes in plot.figure.axes for image in axes.images]
    for unit, image in enumerate(images):
        np.testing.assert_array_equal(image.get_array(), matrix[:, unit].reshape(3, 4))
        assert image.get_clim() == (-np.abs(matrix).max(), np.abs(matrix).max())
        assert image.cmap(0.5)[:3] == pytest.approx((1, 1, 1), abs=0.02)
        assert image.cmap(0.75)[:3] == pytest.approx(to_rgb(BLUE), abs=0.01)  # above 0
        assert image.cmap(0.25)[:3] == pytest.approx(to_rgb(VERMILLION), abs=0.01)
    assert len(images) == 7
    lines = texts(plot)
    assert [line for line in lines if line.isdigit() and line != "0"][:6] == list("123456")
    scale = f"{np.abs(matrix).max():.3g}"
    assert f"weight, from −{scale} to {scale}" in lines
    assert_legible(plot)


@pytest.mark.parametrize(("inputs", "units"), [(64, 32), (784, 100), (1, 1), (4, 3)])
def test_images_of_many_sizes_are_legible(inputs: int, units: int) -> None:
    plot = cr.plots.weight_images(np.linspace(-1, 2, inputs * units).reshape(inputs, units))
    shown = min(units, 64)
    assert sum(len(axes.images) for axes in plot.figure.axes) == shown
    assert any(text.startswith(f"Weights of {shown}") for text in texts(plot))
    assert_legible(plot)


@pytest.mark.parametrize(
    ("matrix", "options", "message"),
    [
        (np.zeros(3), {}, "weights has shape"),
        (np.zeros((3, 0)), {}, "weights has shape"),
        (np.zeros((3, 2)), {}, "3 inputs make no square image"),
        (np.zeros((4, 2)), {"shape": (3, 2)}, "an image of 3×2 does not hold 4 inputs"),
        (np.zeros((4, 2)), {"shape": 4}, "shape=4 is no height and width"),
        (np.zeros((4, 2)), {"shape": (-2, -2)}, "a side of shape must be a whole number"),
        (np.full((4, 2), np.nan), {}, "weights holds NaN or infinities"),
        (np.zeros((4, 2)), {"most": 300}, "most=300 are too many"),
    ],
)
def test_what_is_no_image_is_refused(matrix: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(cr.InputError, match=message):
        cr.plots.weight_images(matrix, **options)


Line = tuple[tuple[float, float], tuple[float, float]]


def edges(plot: cr.plots.Plot) -> dict[Line, tuple[float, str]]:
    """Width and colour of each line, by its ends."""
    found: dict[Line, tuple[float, str]] = {}
    for collection in plot.figure.axes[0].collections:
        assert isinstance(collection, LineCollection)
        lines: Any = collection
        widths, colours = lines.get_linewidths(), lines.get_colors()
        for segment, width, colour in zip(lines.get_segments(), widths, colours, strict=True):
            (x0, y0), (x1, y1) = segment.tolist()
            found[(x0, y0), (x1, y1)] = (float(width), to_hex(colour).upper())
    return found


def circles(plot: cr.plots.Plot) -> list[list[tuple[float, float]]]:
    """Centres, layer by layer, from the top."""
    centres: list[Any] = [
        c.get_center() for c in plot.figure.axes[0].patches if isinstance(c, Circle)
    ]
    columns = sorted({x for x, _ in centres})
    return [sorted((c for c in centres if c[0] == x), key=lambda c: -c[1]) for x in columns]


def test_lines_are_as_wide_as_weights_are_large_and_coloured_by_sign() -> None:
    first = np.array([[1.0, -2.0], [0.5, 0.25]])
    second = np.array([[4.0], [-3.0]])
    plot = cr.plots.network(
        [first, second], values=[[1, 0], [0.73, -0.12], [0.88]], names=["a", "b"]
    )
    places, lines = circles(plot), edges(plot)
    assert [len(column) for column in places] == [2, 2, 1]
    assert len(lines) == 6
    for k, matrix in enumerate((first, second)):
        for (i, j), weight in np.ndenumerate(matrix):
            width, colour = lines[places[k][i], places[k + 1][j]]
            assert width == pytest.approx(6 * abs(weight) / 4)
            assert colour == (BLUE if weight > 0 else VERMILLION)
    shown = set(texts(plot))
    assert {"a", "b", "1", "0", "0.73", "−0.12", "0.88", "Network 2-2-1"} <= shown
    assert {"inputs", "layer 1", "output", "widest: |w| = 4", "1 unit"} <= shown
    assert_legible(plot)


def test_a_model_shows_its_weights_and_what_it_computes() -> None:
    classifier, recording = trained()
    state = recording.states[-1]
    plot = cr.plots.network(classifier.model, state, inputs=[0.5, -0.25])
    w1, _, w2, _ = weights(state)
    places, lines = circles(plot), edges(plot)
    widest = max(np.abs(w1).max(), np.abs(w2).max())
    for k, matrix in enumerate((w1, w2)):
        for (i, j), weight in np.ndenumerate(matrix):
            width, _ = lines[places[k][i], places[k + 1][j]]
            assert width == pytest.approx(max(6 * abs(weight) / widest, 0.3), rel=1e-5)
    hidden, logit = forward(state, np.array([[0.5, -0.25]], np.float32))
    shown = [text.replace("−", "-") for text in texts(plot)]
    for value in (*hidden[0], *logit):
        assert any(abs(float(t) - value) < 0.006 * max(1, abs(value)) * 10
                   for t in shown if t.lstrip("-").replace(".", "").isdigit())  # fmt: skip
    assert_legible(plot)


def test_large_layers_are_shown_in_part() -> None:
    first, second = np.ones((64, 32)), np.ones((32, 10))
    plot = cr.plots.network([first, second], largest=6)
    assert [len(column) for column in circles(plot)] == [5, 5, 5]
    lines = texts(plot)
    assert lines.count("⋮") == 3
    assert {"64", "32 units", "10 units", "x1", "x3", "x63", "x64"} <= set(lines)
    assert "x4" not in lines
    assert len(edges(plot)) == 50
    assert_legible(plot)
    assert_legible(cr.plots.network([np.ones((3, 3))] * 6))


def refused(message: str, *given: Any, **options: Any) -> None:
    with pytest.raises(cr.InputError, match=message):
        cr.plots.network(*given, **options)


def test_what_is_no_network_is_refused() -> None:
    _, recording = trained()
    state = recording.states[0]
    refused("0 matrices, not from 1 to 12", [])
    refused("matrix 2 has 3 rows, but matrix 1 has 2 columns", [np.ones((2, 2)), np.ones((3, 1))])
    refused("matrix 1 has shape", [np.ones(3)])
    refused("values for 2 units, not 2, 1", [np.ones((2, 1))], values=[[1, 2]])
    refused("1 names for 2 inputs", [np.ones((2, 1))], names=["a"])
    refused("largest must be a whole number, at least 3", [np.ones((2, 1))], largest=2)
    refused("a model needs a state", nn.Sequential(nn.Linear(2, 1)))
    refused("no nn.Linear at its beginning", nn.Sequential(nn.Tanh()), state)
    inner = nn.Sequential(nn.Sequential(nn.Linear(2, 1)), nn.Linear(1, 1))
    refused("it has Sequential", inner, state)
    model = nn.Sequential(nn.Linear(2, 1), name="model")
    good = cr.State({"model/linear1/weight": np.ones((2, 1), np.float32)})
    refused("inputs has shape", model, good, inputs=[[1, 2]])
