"""Kernels, feature maps and saliency, read back from the figure."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.chainrule.plots.legible import assert_legible, texts

import chainrule as cr
from chainrule import nn

IMAGES = np.random.default_rng(5).standard_normal((3, 2, 6, 6)).astype(np.float32)


@cache
def network() -> tuple[nn.Sequential, cr.State]:
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(36, 3), name="net",
    )  # fmt: skip
    x = cr.input("x", ("batch", 2, 6, 6))
    return model, cr.compile(model(x), target="numpy").initial_state(seed=3)


def shown(plot: cr.plots.Plot) -> list[NDArray[np.float64]]:
    """The numbers of every image, in the order of drawing."""
    axes = plot.figure.axes[0]
    return [np.asarray(image.get_array(), np.float64) for image in axes.images]


def convolved(image: NDArray[Any], weight: NDArray[Any]) -> NDArray[np.float64]:
    """A 3×3 convolution with a border of one zero, by loops."""
    padded = np.pad(image.astype(np.float64), ((0, 0), (1, 1), (1, 1)))
    height, width = image.shape[1:]
    result = np.zeros((len(weight), height, width))
    for o, i, j in np.ndindex(result.shape):
        result[o, i, j] = (padded[:, i : i + 3, j : j + 3] * weight[o]).sum()
    return result


def pooled(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    channels, height, width = maps.shape
    blocks = maps.reshape(channels, height // 2, 2, width // 2, 2)
    return np.asarray(blocks.max(axis=(2, 4)))


def scores(image: NDArray[Any], state: cr.State) -> NDArray[np.float64]:
    hidden = pooled(np.maximum(convolved(image, state["net/conv2d1/weight"]), 0))
    return np.asarray(hidden.ravel() @ state["net/linear1/weight"].astype(np.float64))


def test_kernels_of_one_channel_are_images_on_one_scale() -> None:
    kernels = np.random.default_rng(0).standard_normal((7, 1, 3, 4))
    plot = cr.plots.filters(kernels)
    for image, kernel in zip(shown(plot), kernels, strict=True):
        np.testing.assert_array_equal(image, kernel[0])
    limits = {image.get_clim() for image in plot.figure.axes[0].images}
    assert limits == {(-np.abs(kernels).max(), np.abs(kernels).max())}
    assert "7 kernels, 3×4 each" in texts(plot)
    assert_legible(plot)


def test_kernels_of_three_channels_are_in_colour_with_grey_for_0() -> None:
    kernels = np.zeros((5, 3, 2, 2))
    kernels[0, 0], kernels[0, 2] = 2.0, -2.0
    first, second, *_ = shown(cr.plots.filters(kernels))
    np.testing.assert_allclose(first, np.broadcast_to([1.0, 0.5, 0.0], (2, 2, 3)))
    np.testing.assert_allclose(second, np.full((2, 2, 3), 0.5))


def test_other_kernels_are_columns_of_a_table() -> None:
    model, state = network()
    weight = state["net/conv2d1/weight"]
    plot = cr.plots.filters(model.layers[0].weight, state)
    wanted = weight.reshape(-1, 3, 3)
    for image, kernel in zip(shown(plot), wanted, strict=True):
        np.testing.assert_array_equal(image, kernel)
    assert {"channel 0", "channel 1", "4 kernels, 2 channels, 3×3 each"} <= set(texts(plot))
    assert_legible(plot)


@pytest.mark.parametrize(
    ("shape", "title", "images"),
    [
        ((200, 1, 5, 5), "64 of 200 kernels, 5×5 each", 64),
        ((64, 32, 3, 3), "12 of 64 kernels, 10 of 32 channels, 3×3 each", 120),
        ((1, 2, 1, 1), "1 kernel, 2 channels, 1×1 each", 2),
        ((96, 3, 11, 11), "64 of 96 kernels, 3 channels, 11×11 each", 64),
    ],
)
def test_a_page_holds_so_many_kernels(shape: tuple[int, ...], title: str, images: int) -> None:
    plot = cr.plots.filters(np.linspace(-1, 2, int(np.prod(shape))).reshape(shape))
    assert title in texts(plot)
    assert len(shown(plot)) == images
    assert_legible(plot)


def test_feature_maps_are_what_each_layer_computes() -> None:
    model, state = network()
    plot = cr.plots.feature_maps(model, IMAGES, state)
    first = convolved(IMAGES[0], state["net/conv2d1/weight"])
    _, *maps = shown(plot)
    wanted = [*first, *pooled(np.maximum(first, 0))]
    for image, values in zip(maps, wanted, strict=True):
        np.testing.assert_allclose(image, values, rtol=1e-5, atol=1e-6)
    lines = texts(plot)
    assert {"conv2d1", "4×6×6", "maxpool2d1", "4×3×3", "image", "2×6×6"} <= set(lines)
    assert lines.index("conv2d1") < lines.index("maxpool2d1")
    assert_legible(plot)


def test_of_many_layers_some_are_shown_from_first_to_last() -> None:
    model = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1) for _ in range(20)), name="deep")
    state = cr.compile(model(cr.input("x", ("batch", 1, 4, 4))), target="numpy").initial_state()
    plot = cr.plots.feature_maps(model, np.ones((1, 1, 4, 4)), state, layers=3)
    named = [text for text in texts(plot) if text.startswith("conv")]
    assert named == ["conv2d1", "conv2d11", "conv2d20"]
    assert "Feature maps of 3 of 20 layers" in texts(plot)


def test_saliency_is_the_slope_of_the_score_of_a_class() -> None:
    """Against differences of a forward pass by loops; ReLU and maximum are linear around here."""
    model, state = network()
    plot = cr.plots.saliency(model, IMAGES[:1], state, classes=[2])
    slopes, step = np.zeros((2, 6, 6)), 1e-6
    for place in np.ndindex(slopes.shape):
        change = np.zeros((2, 6, 6))
        change[place] = step
        up, down = (scores(IMAGES[0] + sign * change, state)[2] for sign in (1, -1))
        slopes[place] = (up - down) / (2 * step)
    wanted = np.abs(slopes).max(axis=0)
    alone, over = shown(plot)[2:]
    np.testing.assert_array_equal(over, alone)
    np.testing.assert_allclose(alone, wanted / wanted.max(), rtol=1e-3, atol=1e-4)
    assert "class 2" in texts(plot)
    assert_legible(plot)


def test_saliency_takes_the_highest_score_before_the_softmax() -> None:
    model, state = network()
    best = [f"class {scores(image, state).argmax()}" for image in IMAGES]
    plain = cr.plots.saliency(model, IMAGES, state)
    assert [text for text in texts(plain) if text.startswith("class")] == best
    probable = nn.Sequential(*model.layers, nn.Softmax(), name="net")
    for one, other in zip(
        shown(plain), shown(cr.plots.saliency(probable, IMAGES, state)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def refused(message: str, function: str, *given: Any, **options: Any) -> None:
    with pytest.raises(cr.InputError, match=message):
        getattr(cr.plots, function)(*given, **options)


def test_what_is_no_kernel_is_refused() -> None:
    model, _ = network()
    refused("weight has shape", "filters", np.zeros((3, 3)))
    refused("a parameter needs a state", "filters", model.layers[0].weight)
    refused("this is no parameter", "filters", cr.input("x", (2, 1, 3, 3)))
    refused("most=300 are too many", "filters", np.zeros((3, 1, 2, 2)), most=300)
    refused("most must be a whole number", "filters", np.zeros((3, 1, 2, 2)), most=0)


def test_what_is_no_network_for_images_is_refused() -> None:
    model, state = network()
    refused("images has shape", "feature_maps", model, IMAGES[0], state)
    refused("a list is no model", "feature_maps", [], IMAGES, state)
    refused("13 layers of 8 maps", "feature_maps", model, IMAGES, state, layers=13)
    flat = nn.Sequential(nn.Flatten(), nn.ReLU(), name="flat")
    refused("flat has no layers of conv", "feature_maps", flat, IMAGES, state)
    refused("9 images, not from 1 to 8", "saliency", model, np.ones((9, 2, 6, 6)), state)
    refused("do not fit 3 images", "saliency", model, IMAGES, state, classes=[0, 1])
    refused("do not fit 3 images", "saliency", model, IMAGES, state, classes=[0, 1, 3])
    refused("not scores", "saliency", nn.Sequential(nn.Tanh(), name="t"), IMAGES, state)
