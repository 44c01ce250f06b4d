"""Layers of images: what they compute, hold and refuse, and a network of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
from tests.sliding import Floats, convolved

import chainrule as cr
from chainc.ir.types import Array
from chainrule import datasets, init, losses, metrics, nn, optim

random = np.random.default_rng(6)


def floats(array: Array) -> Floats:
    return cast("Floats", array)


LINE = r"test_images\.py:\d+"


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_convolutional_layer_holds_its_kernels_and_a_bias(rank: int) -> None:
    sizes = (7, 6, 5)[:rank]
    kind = getattr(nn, f"Conv{rank}d")
    layer = kind(4, 6, 3, stride=2, padding=1, groups=2, name="conv")
    x, weight, bias = (
        random.standard_normal(shape) for shape in [(2, 4, *sizes), (6, 2, *(3,) * rank), (6,)]
    )
    y = layer(cr.input("x", ("batch", 4, *sizes)))
    state = cr.State({"conv/weight": np.float32(weight), "conv/bias": np.float32(bias)})
    function = cr.compile(y).bind(state)
    wanted = convolved(x, weight, [2] * rank, [(1, 1)] * rank, [1] * rank, 2)
    found = function(x=np.float32(x)) - bias.reshape(-1, *(1,) * rank)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_its_first_weight_is_he_s_by_the_fan_of_its_kernels() -> None:
    layer = nn.Conv2d(32, 64, 5, groups=2, name="conv")
    state = cr.compile(layer(cr.input("x", ("batch", 32, 6, 6)))).initial_state(0)
    weight = state["conv/weight"]
    assert weight.shape == (64, 16, 5, 5)
    assert np.std(weight.astype(np.float64)) == pytest.approx(np.sqrt(2 / (16 * 25)), rel=0.02)
    assert not state["conv/bias"].any()
    assert nn.Conv2d(2, 3, 1, bias=False).bias is None
    assert nn.Conv2d(2, 3, 1, init=init.zeros()).weight.shape == (3, 2, 1, 1)


def test_they_say_what_they_are() -> None:
    assert repr(nn.Conv2d(3, 16, 3)) == "Conv2d(3, 16, 3)"
    strided = nn.Conv2d(4, 8, (3, 5), stride=2, padding=((1, 0), (2, 2)), dilation=(1, 2), groups=2)
    assert repr(strided) == (
        "Conv2d(4, 8, (3, 5), stride=2, padding=((1, 0), 2), dilation=(1, 2), groups=2)"
    )
    assert repr(nn.Conv1d(3, 16, 5, padding="same")) == "Conv1d(3, 16, 5, padding=2)"
    assert repr(nn.MaxPool2d(2)) == "MaxPool2d(2)"
    assert repr(nn.AvgPool3d(3, stride=1, padding=1)) == "AvgPool3d(3, stride=1, padding=1)"
    assert repr(nn.BatchNorm2d(16)) == "BatchNorm2d(16)"


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_pooling_layers_are_the_functions(rank: int) -> None:
    x = cr.input("x", ("batch", 2, *(7, 6, 5)[:rank]))
    value = random.standard_normal((3, 2, *(7, 6, 5)[:rank])).astype(np.float32)
    for kind in ("max", "avg"):
        function = getattr(cr, f"{kind}_pool{rank}d")
        layer = getattr(nn, f"{kind.title()}Pool{rank}d")(3, stride=2, padding=1)
        found, wanted = cr.compile([layer(x), function(x, 3, 2, 1)])(x=value)
        assert np.array_equal(found, wanted)
    counted = getattr(nn, f"AvgPool{rank}d")(3, padding=1, count_include_pad=True)
    assert cr.compile(counted(x))(x=value).min() != cr.compile(counted(x))(x=value + 9).min()


def test_the_shape_of_an_image_is_not_guessed_from_a_later_layer() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 10))
    assert model.input_shape() is None
    with pytest.raises(cr.InputError, match=r"^summary: model does not tell(?s:.*)of images"):
        model.summary()
    total = model.summary(input=("batch", 1, 8, 8), batch=4).total
    assert (total.output_shape[1], total.parameters) == (10, 2 * 9 + 2 + 720 + 10)
    inner = nn.Sequential(nn.ReLU(), nn.Residual(nn.Conv2d(1, 1, 3, padding=1)))
    assert nn.Sequential(inner, nn.Flatten(), nn.Linear(64, 10)).input_shape() is None
    assert nn.Sequential(nn.Dropout2d(), nn.Flatten(), nn.Linear(64, 10)).input_shape() is None
    assert nn.Sequential(nn.Flatten(), nn.Linear(72, 10)).input_shape() == ("batch", 72)


def network() -> tuple[cr.Node, cr.Node, cr.Node]:
    """Images, labels and logits."""
    x, y = cr.input("x", ("batch", 1, 8, 8)), cr.input("y", ("batch",), dtype="int32")
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding="same", bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(512, 10),
    )  # fmt: skip
    return x, y, model(x)


def trained(target: str, rows: int, epochs: int) -> cr.Result:
    x, y, logits = network()
    step = optim.AdamW(lr=0.003).minimize(losses.cross_entropy(logits, y))
    measured = {"accuracy": metrics.accuracy(logits, y)}
    training = cr.training(step, epochs=epochs, batch_size=32, metrics=measured)
    digits = datasets.digits()
    parts = [
        {x: part.x[:rows].reshape(-1, 1, 8, 8), y: part.y[:rows]}
        for part in (digits.train, digits.test)
    ]
    return cr.compile(training, target=target).run(parts[0], validation=parts[1])


def test_a_convolutional_network_learns_digits() -> None:
    assert trained("llvm", rows=2000, epochs=5).history["val_accuracy"][-1] >= 0.97


def test_it_learns_the_same_on_both_targets() -> None:
    """The last of three batches is smaller, and its statistics count by its rows."""
    native, plain = (trained(target, rows=75, epochs=2) for target in ("llvm", "numpy"))
    for name, values in plain.history.items():
        np.testing.assert_allclose(native.history[name], values, rtol=2e-4)
    for name in ("running_mean", "running_var"):
        key = next(key for key in plain.state if key.endswith(name))
        np.testing.assert_allclose(floats(native.state[key]), floats(plain.state[key]), rtol=1e-4)


# --- what is refused

X = cr.input("x", ("batch", 4, 7, 6))

REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "channels last": (
        lambda: nn.Conv2d(3, 8, 3, name="first")(cr.input("i", ("batch", 32, 32, 3))),
        r"first: images are NCHW, \[batch,3,height,width\], and \[batch,32,32,3\] looks like NHWC",
    ),
    "other channels": (
        lambda: nn.Conv2d(3, 8, 3, name="first")(X),
        r"first: \[batch,4,7,6\] has 4 channels where 3 are wanted\n(?s:.*)try: give images with 3",
    ),
    "a kernel larger than the image": (
        lambda: nn.Conv2d(4, 8, 8, name="first")(X),
        r"first: a window of 8 × 8 is larger than images of 7 × 6\n(?s:.*)try: choose a smaller",
    ),
    "a pool larger than the image": (
        lambda: nn.MaxPool2d(8, name="pool")(X),
        r"pool: a window of 8 × 8 is larger than images of 7 × 6\n(?s:.*)try: choose a smaller",
    ),
    "rows": (
        lambda: nn.MaxPool2d(2, name="pool")(cr.input("rows", ("batch", 64))),
        r"pool: images are NCHW, \[batch,channels,height,width\], and \[batch,64\] has 2 axes\n",
    ),
    "groups that do not divide": (
        lambda: nn.Conv2d(4, 6, 3, groups=4),
        r"Conv2d: 6 channels do not divide into 4 groups\n(?s:.*)try: choose groups that divide",
    ),
    "no channels": (
        lambda: nn.Conv3d(0, 6, 3),
        r"Conv3d: in_channels must be a whole number, at least 1, got 0\n"
        r"(?s:.*)try: give the channels on both sides and the size, such as nn.Conv3d\(3, 16, 3\)",
    ),
    "no size": (
        lambda: nn.Conv1d(4, 6, (0,)),
        r"Conv1d: size must be a whole number, at least 1, or 1 of them, got \(0,\)\n",
    ),
    "same with a stride": (
        lambda: nn.Conv2d(4, 6, 3, stride=2, padding="same"),
        r'Conv2d: padding "same" keeps the size of an image, which a stride of 2 × 2 does not\n',
    ),
    "too much padding": (
        lambda: nn.AvgPool2d(2, padding=2),
        r"AvgPool2d: a padding of 2\+2, 2\+2 is more than half of a window of 2 × 2\n",
    ),
    "an argument that is none": (
        lambda: nn.Conv2d(4, 6, 3, kernel=3),  # type: ignore[call-arg]
        r"nn.Conv2d\(\) has no argument 'kernel'\n(?s:.*)try: its arguments are \(in_channels, ",
    ),
    "a normalisation of rows": (
        lambda: nn.BatchNorm2d(4, name="bn")(cr.input("rows", ("batch", 4))),
        r"bn: input \[batch,4\] does not fit: it must be \[batch,4,height,width\]\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_where_it_is_declared(name: str) -> None:
    action, message = REFUSED[name]
    with pytest.raises(cr.ChainruleError, match=f"^{message}") as caught:
        action()
    assert re.search(rf"\n  where: [^\n]*{LINE}\n", str(caught.value))


def test_statistics_of_a_single_value_are_refused_in_training() -> None:
    layer = nn.BatchNorm2d(3, name="bn")
    y = layer(cr.input("x", ("batch", 3, 1, 1)))
    function = cr.compile(y, mode="train")
    one = (
        r"bn needs at least 2 values for a statistic and would get 1(?s:.*)try: choose a batch_size"
    )
    with pytest.raises(cr.InputError, match=one):
        function.bind(function.initial_state(0))(x=np.ones((1, 3, 1, 1), np.float32))
    single = layer(cr.input("x", (1, 3, 1, 1)))
    with pytest.raises(cr.InputError, match=one):
        cr.compile(single, mode="train")
    assert cr.compile(layer(cr.input("x", (1, 3, 1, 2))), mode="train").plan is not None


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_batch_norm_takes_statistics_of_a_channel(rank: int, target: str) -> None:
    value = random.standard_normal((4, 3, *(3, 2, 2)[:rank]))
    layer = getattr(nn, f"BatchNorm{rank}d")(3, momentum=0.5, eps=0.01, name="bn")
    function = cr.compile(
        layer(cr.input("x", ("batch", *value.shape[1:]))), mode="train", target=target
    )
    bound = function.bind(function.initial_state(0))
    found = bound(x=value.astype(np.float32))
    axes = (0, *range(2, 2 + rank))
    mean, variance = value.mean(axes, keepdims=True), value.var(axes, keepdims=True)
    np.testing.assert_allclose(found, (value - mean) / np.sqrt(variance + 0.01), atol=1e-5)
    np.testing.assert_allclose(floats(bound.state["bn/running_mean"]), mean.ravel() / 2, rtol=1e-4)
    unbiased = value.var(axes, ddof=1)
    np.testing.assert_allclose(floats(bound.state["bn/running_var"]), 0.5 + unbiased / 2, rtol=1e-4)
