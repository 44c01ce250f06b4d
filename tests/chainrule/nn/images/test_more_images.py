"""Layers of images beside convolution and pooling: by their definitions, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
from tests.sliding import Floats

import chainrule as cr
from chainc.ir.types import Array
from chainrule import nn

random = np.random.default_rng(8)
LINE = r"test_more_images\.py:\d+"
X = cr.input("x", ("batch", 4, 5, 6))


def applied(layer: nn.Module, value: Floats, mode: str = "infer") -> Floats:
    x = cr.input("x", ("batch", *value.shape[1:]))
    function = cr.compile(layer(x), mode="train" if mode == "train" else "infer")
    state = function.initial_state(0)
    found: Array = function.bind(state)(x=np.float32(value))
    return cast("Floats", found)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_transposed_convolution_goes_back_to_the_size(rank: int) -> None:
    sizes = (8, 7, 6)[:rank]
    numbers = {"stride": 2, "padding": 1, "groups": 2}
    forward = getattr(nn, f"Conv{rank}d")(4, 6, 3, **numbers)
    left = tuple((n - 1) % 2 for n in sizes)
    back = getattr(nn, f"ConvTranspose{rank}d")(6, 4, 3, output_padding=left, **numbers)
    x = cr.input("x", ("batch", 4, *sizes))
    assert back(forward(x)).shape == x.shape
    assert back.weight.shape == (6, 2, *(3,) * rank)


def test_a_transposed_layer_is_the_function() -> None:
    layer = nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, name="t")
    y = cr.conv_transpose2d(X, layer.weight, layer.bias, 2, 1, 1, 2)
    function = cr.compile([layer(X), y])
    found, wanted = function.bind(function.initial_state(0))(x=np.ones((2, 4, 5, 6), np.float32))
    assert np.array_equal(found, wanted)
    assert found.any()
    assert repr(layer) == "ConvTranspose2d(4, 6, 3, stride=2, padding=1, groups=2)"
    assert nn.ConvTranspose2d(4, 6, 3, bias=False).bias is None


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("shape", [(5, 6, 4, 3), (5, 6), (5, 6, 7)], ids=str)
def test_group_norm_brings_each_group_of_a_row_to_mean_0(
    groups: int, shape: tuple[int, ...]
) -> None:
    value = 3 + 2 * random.standard_normal(shape)
    found = applied(nn.GroupNorm(groups, 6, eps=0.01), value)
    rows = value.reshape(5, groups, -1)
    wanted = (rows - rows.mean(-1, keepdims=True)) / np.sqrt(rows.var(-1, keepdims=True) + 0.01)
    np.testing.assert_allclose(found, wanted.reshape(shape), atol=1e-4)


def test_group_norm_scales_and_shifts_each_channel() -> None:
    layer = nn.GroupNorm(2, 4, name="norm")
    values = {"norm/weight": np.arange(1.0, 5), "norm/bias": np.arange(5.0, 9)}
    value = random.standard_normal((2, 4, 5, 6)).astype(np.float32)
    plain = nn.GroupNorm(2, 4, affine=False)(X)
    function = cr.compile([layer(X), plain]).bind(
        cr.State({key: np.float32(each) for key, each in values.items()})
    )
    found, normal = function(x=value)
    scale, shift = (each.reshape(4, 1, 1) for each in values.values())
    np.testing.assert_allclose(found, normal * scale + shift, rtol=1e-5)


def test_dropout_of_channels_drops_them_whole() -> None:
    value = 1 + np.abs(random.standard_normal((50, 40, 3, 2)))
    found = applied(nn.Dropout2d(0.25), value, "train")
    kept = found[:, :, 0, 0] != 0
    np.testing.assert_allclose(found, np.where(kept[:, :, None, None], value / 0.75, 0), rtol=1e-6)
    assert kept.mean() == pytest.approx(0.75, abs=0.03)
    assert len({tuple(row) for row in kept}) == 50
    np.testing.assert_allclose(applied(nn.Dropout2d(0.25), value), value, rtol=1e-6)
    assert repr(nn.Dropout2d(0.25)) == "Dropout2d(0.25)"


def test_the_other_layers_are_the_functions() -> None:
    value = random.standard_normal((2, 4, 5, 6)).astype(np.float32)
    pairs = [
        (nn.AdaptiveAvgPool2d((2, 3)), cr.adaptive_avg_pool2d(X, (2, 3))),
        (nn.GlobalAvgPool2d(), cr.global_avg_pool(X)),
        (nn.Upsample(2), cr.upsample(X, 2)),
        (nn.Upsample((1, 3), "bilinear", True), cr.upsample(X, (1, 3), "bilinear", True)),
        (nn.MaxPool2d(2, ceil_mode=True), cr.max_pool2d(X, 2, ceil_mode=True)),
        (nn.AvgPool2d(4, 3, ceil_mode=True), cr.avg_pool2d(X, 4, 3, ceil_mode=True)),
    ]  # fmt: skip
    for layer, wanted in pairs:
        a, b = cr.compile([layer(X), wanted])(x=value)
        assert np.array_equal(a, b)
        assert layer.input_shape() is None
    assert repr([layer for layer, _ in pairs]) == (
        "[AdaptiveAvgPool2d((2, 3)), GlobalAvgPool2d(), Upsample((2, 2), 'nearest'), "
        "Upsample((1, 3), 'bilinear'), MaxPool2d(2, ceil_mode=True), "
        "AvgPool2d(4, stride=3, ceil_mode=True)]"
    )


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "groups that do not divide": (
        lambda: nn.GroupNorm(3, 4),
        r"GroupNorm: 4 channels do not divide into 3 groups\n(?s:.*)try: give groups that divide",
    ),
    "other channels": (
        lambda: nn.GroupNorm(2, 6, name="norm")(X),
        r"norm: input \[batch,4,5,6\] does not fit: it must be \[batch,6,...\]\n(?s:.*)try: change",
    ),
    "channels of rows": (
        lambda: nn.Dropout2d(name="drop")(cr.input("rows", ("batch", 4))),
        r"drop: images are NCHW, .* and \[batch,4\] has 2 axes\n",
    ),
    "means of rows": (
        lambda: nn.GlobalAvgPool2d(name="mean")(cr.input("rows", ("batch", 4, 3))),
        r"mean: images are NCHW, .* and \[batch,4,3\] has 3 axes\n",
    ),
    "a rate of 1": (
        lambda: nn.Dropout2d(1.0),
        r"Dropout2d: rate must be .* below 1, got 1.0\n(?s:.*)try: .* such as nn.Dropout2d\(0.3\)",
    ),
    "channels last": (
        lambda: nn.ConvTranspose2d(6, 3, 2, name="up")(X),
        r"up: images are NCHW, \[batch,6,height,width\], and \[batch,4,5,6\] looks like NHWC",
    ),
    "groups that do not divide a transposed one": (
        lambda: nn.ConvTranspose2d(6, 4, 2, groups=3),
        r"ConvTranspose2d: 4 channels do not divide into 3 groups\n",
    ),
    "more output padding than the stride": (
        lambda: nn.ConvTranspose2d(6, 3, 2, output_padding=1),
        r"ConvTranspose2d: output_padding 1 × 1 is not below the stride or the dilation\n",
    ),
    "no scale": (
        lambda: nn.Upsample(0),
        r"Upsample: scale must be a whole number, at least 1, or 2 of them, got 0\n",
    ),
    "no mode": (
        lambda: nn.Upsample(2, "area"),
        r"Upsample: there is no mode 'area'\n(?s:.*)try: give mode=",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_where_it_is_declared(name: str) -> None:
    action, message = REFUSED[name]
    with pytest.raises(cr.ChainruleError, match=f"^{message}") as caught:
        action()
    assert re.search(rf"\n  where: [^\n]*{LINE}\n", str(caught.value))
