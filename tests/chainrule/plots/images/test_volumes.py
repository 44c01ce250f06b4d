"""A network as volumes: sizes, names and proportions."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.patches import Polygon
from tests.chainrule.plots.legible import assert_legible, corners, texts

import chainrule as cr
from chainrule import nn, zoo


def small() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 64, (1, 3), stride=2), nn.ConvTranspose2d(64, 4, 2),
        nn.GlobalAvgPool2d(), nn.Flatten(), nn.Linear(4, 10), name="small",
    )  # fmt: skip


def test_each_result_is_named_with_its_sizes() -> None:
    plot = cr.plots.volumes(small(), (1, 8, 8))
    lines = texts(plot)
    shown = lines[: lines.index("10") + 1]
    assert [line for line in shown if line != "small as volumes"] == [
        "image", "1×8×8", "2 × conv 3×3", "16×8×8", "max 2×2, /2", "16×4×4", "conv 1×3, /2",
        "64×2×1", "transposed 2×2", "4×3×2", "average", "4", "linear", "10",
    ]  # fmt: skip
    assert {"convolution", "pooling", "linear"} <= set(lines)
    assert_legible(plot)


def test_boxes_have_the_proportions_of_their_sizes() -> None:
    """By square roots: a quarter of the side is half as high, four times the channels twice."""
    model = nn.Sequential(nn.Conv2d(16, 64, 4, stride=4), name="m")
    plot = cr.plots.volumes(model, (16, 32, 32))
    faces = [corners(p.get_path()) for p in plot.figure.axes[0].patches if isinstance(p, Polygon)]
    (wide, high), (wider, lower) = (
        tuple(face.max(axis=0) - face.min(axis=0)) for face in (faces[0], faces[3])
    )
    assert lower == pytest.approx(high / 2)
    assert wider == pytest.approx(wide * 2)


def test_deep_networks_are_legible() -> None:
    plot = cr.plots.volumes(zoo.vgg16(), (3, 224, 224))
    assert {"3 × conv 3×3", "512×14×14", "2 × linear", "4096", "1000"} <= set(texts(plot))
    assert_legible(plot)


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (small(), (1, 8), "2 sizes are no shape of an image"),
        (small(), (1, 8, 0), "a size of shape must be a whole number"),
        (nn.Sequential(nn.ReLU(), name="r"), (1, 8, 8), "0 results of layers, not from 1"),
        ([], (1, 8, 8), "a list is no model"),
    ],
)
def test_what_has_no_volumes_is_refused(model: Any, shape: Any, message: str) -> None:
    with pytest.raises(cr.InputError, match=message):
        cr.plots.volumes(model, shape)
