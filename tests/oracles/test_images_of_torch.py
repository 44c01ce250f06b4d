"""Functions and layers of images against PyTorch's, where it is installed.

Values, first and second derivatives of drawn settings, on both targets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import nn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

Floats = npt.NDArray[np.float64]
Random = np.random.Generator

DRAWN = 480
USUAL = 40  # of them in every run; the others with -m nightly


@dataclass(frozen=True)
class Setting:
    """One function in both libraries, and what it is applied to."""

    shown: str
    ours: Callable[..., cr.Node]
    theirs: Callable[..., Any]
    operands: Sequence[Floats]


def normal(random: Random, *shape: int) -> Floats:
    return random.standard_normal(shape)


def several(random: Random, rank: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(map(int, random.integers(low, high + 1, rank)))


def fitting(sizes: Sequence[int], size: Sequence[int], dilation: Sequence[int], pad: int) -> bool:
    rows = zip(sizes, size, dilation, strict=True)
    return all((k - 1) * d + 1 <= n + 2 * pad for n, k, d in rows)


def convolution(random: Random) -> Setting:
    rank = int(random.integers(1, 4))
    while True:
        sizes, size = several(random, rank, 1, 9 if rank < 3 else 5), several(random, rank, 1, 5)
        stride, dilation = several(random, rank, 1, 3), several(random, rank, 1, 3)
        padding = several(random, rank, 0, 3)
        if fitting(sizes, size, dilation, min(padding)):
            break
    groups, inside, outside = several(random, 3, 1, 3)
    named: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    if random.random() < 0.2:
        named = {"padding": "same", "dilation": dilation}
    named["groups"] = groups
    operands = [
        normal(random, int(random.integers(1, 4)), groups * inside, *sizes),
        normal(random, groups * outside, inside, *size),
        normal(random, groups * outside),
    ]
    name = f"conv{rank}d"
    theirs = getattr(torch.nn.functional, name)
    return Setting(
        f"{name} {[each.shape for each in operands]} {named}",
        lambda *nodes: getattr(cr, name)(*nodes, **named),
        lambda *tensors: theirs(*tensors, **named),
        operands,
    )


def transposed(random: Random) -> Setting:
    rank = int(random.integers(1, 4))
    sizes, size = several(random, rank, 1, 6 if rank < 3 else 3), several(random, rank, 2, 4)
    stride, dilation = several(random, rank, 1, 3), several(random, rank, 1, 3)
    rows = zip(stride, dilation, strict=True)
    further = tuple(int(random.integers(0, max(row))) for row in rows)
    spans = [
        (n - 1) * s + (k - 1) * d + 1
        for n, s, k, d in zip(sizes, stride, size, dilation, strict=True)
    ]
    padding = tuple(int(random.integers(0, (span - 1) // 2 + 1)) for span in spans)
    groups, inside, outside = several(random, 3, 1, 3)
    named = {
        "stride": stride, "padding": padding, "output_padding": further, "groups": groups,
        "dilation": dilation,
    }  # fmt: skip
    operands = [
        normal(random, 2, groups * inside, *sizes),
        normal(random, groups * inside, outside, *size),
        normal(random, groups * outside),
    ]
    name = f"conv_transpose{rank}d"
    theirs = getattr(torch.nn.functional, name)
    return Setting(
        f"{name} {[each.shape for each in operands]} {named}",
        lambda *nodes: getattr(cr, name)(*nodes, **named),
        lambda *tensors: theirs(*tensors, **named),
        operands,
    )


def pooling(random: Random) -> Setting:
    rank, kind = int(random.integers(1, 4)), str(random.choice(["max", "avg"]))
    while True:
        sizes, size = several(random, rank, 1, 9 if rank < 3 else 5), several(random, rank, 1, 4)
        stride = size if random.random() < 0.4 else several(random, rank, 1, 4)
        dilation = several(random, rank, 1, 2) if kind == "max" else (1,) * rank
        padding = tuple(int(random.integers(0, k // 2 + 1)) for k in size)
        # PyTorch wants images of a window's size without their padding, in three dimensions
        if fitting(sizes, size, dilation, 0):
            break
    named: dict[str, Any] = {"padding": padding, "ceil_mode": bool(random.integers(2))}
    named |= (
        {"dilation": dilation} if kind == "max" else {"count_include_pad": bool(random.integers(2))}
    )
    values = normal(random, 2, int(random.integers(1, 4)), *sizes)
    if random.random() < 0.5:
        values = values.round()  # so that elements of a window are equal
    name = f"{kind}_pool{rank}d"
    theirs = getattr(torch.nn.functional, name)
    return Setting(
        f"{name} {values.shape} {size} {stride} {named}",
        lambda x: getattr(cr, name)(x, size, stride, **named),
        lambda x: theirs(x, size, stride, **named),
        [values],
    )


def adaptive(random: Random) -> Setting:
    sizes, wanted = several(random, 2, 1, 9), several(random, 2, 1, 9)
    return Setting(
        f"adaptive_avg_pool2d {sizes} {wanted}",
        lambda x: cr.adaptive_avg_pool2d(x, wanted),
        lambda x: torch.nn.functional.adaptive_avg_pool2d(x, wanted),
        [normal(random, 2, int(random.integers(1, 4)), *sizes)],
    )


def upsampling(random: Random) -> Setting:
    rank = int(random.integers(1, 4))
    sizes, scale = several(random, rank, 1, 6), several(random, rank, 1, 4 if rank < 3 else 2)
    mode = str(random.choice(["nearest", ("linear", "bilinear", "trilinear")[rank - 1]]))
    aligned = None if mode == "nearest" else bool(random.integers(2))
    return Setting(
        f"upsample {sizes} {scale} {mode} {aligned}",
        lambda x: cr.upsample(x, scale, mode, bool(aligned)),
        lambda x: torch.nn.functional.interpolate(
            x, scale_factor=scale, mode=mode, align_corners=aligned
        ),
        [normal(random, 2, int(random.integers(1, 4)), *sizes)],
    )


def unfolding(random: Random) -> Setting:
    while True:
        sizes, size = several(random, 2, 1, 9), several(random, 2, 1, 4)
        stride, dilation = several(random, 2, 1, 3), several(random, 2, 1, 2)
        padding = several(random, 2, 0, 2)
        if fitting(sizes, size, dilation, min(padding)):
            break
    named = {"stride": stride, "padding": padding, "dilation": dilation}
    return Setting(
        f"unfold {sizes} {size} {named}",
        lambda x: cr.unfold(x, size, **named),
        lambda x: torch.nn.functional.unfold(x, size, **named),
        [normal(random, 2, int(random.integers(1, 4)), *sizes)],
    )


def normalization(random: Random) -> Setting:
    rank, groups = int(random.integers(0, 4)), int(random.integers(1, 4))
    channels = groups * int(random.integers(1, 4))
    eps = float(random.choice([1e-5, 1e-2]))
    value = normal(random, 3, channels, *several(random, rank, 2, 4))
    ours = nn.GroupNorm(groups, channels, eps, affine=False)
    return Setting(
        f"group_norm {value.shape} {groups} {eps}",
        ours,
        lambda x: torch.nn.functional.group_norm(x, groups, eps=eps),
        [value],
    )


KINDS = (
    convolution, convolution, convolution, transposed, transposed, pooling, pooling, adaptive,
    upsampling, unfolding, normalization,
)  # fmt: skip


def setting(number: int) -> Setting:
    return KINDS[number % len(KINDS)](np.random.default_rng(number))


NUMBERS = [
    pytest.param(number, marks=[] if number < USUAL else pytest.mark.nightly)
    for number in range(DRAWN)
]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_values_first_and_second_derivatives_are_theirs(number: int) -> None:
    drawn = setting(number)
    expected = of_torch(drawn)
    for target in ("numpy", "llvm"):
        for name, found in of_chainrule(drawn, target).items():
            np.testing.assert_allclose(
                found, expected[name], rtol=1e-7, atol=1e-8, err_msg=f"{drawn.shown}: {name}"
            )


def weights(shape: Sequence[int]) -> Floats:
    """The same numbers for both libraries."""
    return np.cos(np.arange(np.prod(shape, dtype=np.int64), dtype=np.float64)).reshape(shape)


def of_torch(drawn: Setting) -> Mapping[str, Floats]:
    operands = [torch.tensor(each, requires_grad=True) for each in drawn.operands]
    y = drawn.theirs(*operands)
    loss = (y.sin() * torch.tensor(weights(y.shape))).sum()
    first = torch.autograd.grad(loss, operands, create_graph=True)
    mixed = sum((each.sin() * torch.tensor(weights(each.shape))).sum() for each in first)
    second = torch.autograd.grad(mixed, operands, allow_unused=True)
    return named(
        y.detach().numpy(),
        [each.detach().numpy() for each in first],
        [
            np.zeros(x.shape) if each is None else each.numpy()
            for x, each in zip(operands, second, strict=True)
        ],
    )


def of_chainrule(drawn: Setting, target: str) -> Mapping[str, Floats]:
    nodes = [
        cr.input(f"x{number}", each.shape, dtype="float64")
        for number, each in enumerate(drawn.operands)
    ]
    y = drawn.ours(*nodes)
    first = cr.grad(weighted(y), nodes)
    mixed = weighted(first[0])
    for each in first[1:]:
        mixed = mixed + weighted(each)
    second = cr.grad(mixed, nodes, allow_unused=True)
    given = {f"x{number}": each for number, each in enumerate(drawn.operands)}
    values = cr.compile([y, *first, *second], target=target)(**given)
    count = len(nodes)
    return named(values[0], values[1 : 1 + count], values[1 + count :])


def weighted(y: cr.Node) -> cr.Node:
    shape = [dim for dim in y.shape if isinstance(dim, int)]
    return cr.sum(cr.sin(y) * cr.constant(weights(shape)))


def named(y: Floats, first: Sequence[Floats], second: Sequence[Floats]) -> Mapping[str, Floats]:
    return {
        "value": y,
        **{f"first derivative {number}": each for number, each in enumerate(first)},
        **{f"second derivative {number}": each for number, each in enumerate(second)},
    }


# --- layers


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_batch_norm_keeps_their_running_statistics(rank: int, affine: bool, target: str) -> None:
    """Over several steps of different sizes, and the predictions that read them."""
    random = np.random.default_rng(rank)
    ours = getattr(nn, f"BatchNorm{rank}d")(3, 1e-3, 0.3, affine, name="bn")
    theirs = getattr(torch.nn, f"BatchNorm{rank}d")(3, 1e-3, 0.3, affine)
    sizes = (4, 3, 2)[:rank]
    x = cr.input("x", ("batch", 3, *sizes))
    y = ours(x)
    train, infer = (cr.compile(y, mode=mode, target=target) for mode in ("train", "infer"))
    bound = train.bind(train.initial_state(0))
    for rows in (4, 7, 2):
        value = (2 + 3 * random.standard_normal((rows, 3, *sizes))).astype(np.float32)
        expected = theirs(torch.tensor(value)).detach().numpy()
        np.testing.assert_allclose(bound(x=value), expected, rtol=1e-4, atol=1e-5)
    for part in ("running_mean", "running_var"):
        kept = np.asarray(bound.state[f"bn/{part}"], float)
        np.testing.assert_allclose(kept, getattr(theirs, part).numpy(), rtol=1e-5)
    expected = theirs.eval()(torch.tensor(value)).detach().numpy()
    np.testing.assert_allclose(infer.bind(bound.state)(x=value), expected, rtol=1e-4, atol=1e-5)


def test_their_weights_give_their_outputs() -> None:
    """A network of layers in both libraries, with the weights of theirs."""
    ours = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1), nn.Conv2d(6, 6, 3, groups=6, padding=1), nn.SiLU(),
        nn.GroupNorm(2, 6), nn.AvgPool2d(2), nn.ConvTranspose2d(6, 4, 2, stride=2),
        nn.Upsample(2, "bilinear"), nn.AdaptiveAvgPool2d((3, 2)), nn.Flatten(), name="net",
    )  # fmt: skip
    layers = torch.nn
    theirs = layers.Sequential(
        layers.Conv2d(3, 6, 3, padding=1, bias=False), layers.BatchNorm2d(6), layers.ReLU(),
        layers.MaxPool2d(3, stride=2, padding=1), layers.Conv2d(6, 6, 3, groups=6, padding=1),
        layers.SiLU(), layers.GroupNorm(2, 6), layers.AvgPool2d(2),
        layers.ConvTranspose2d(6, 4, 2, stride=2),
        layers.Upsample(scale_factor=2, mode="bilinear"), layers.AdaptiveAvgPool2d((3, 2)),
        layers.Flatten(),
    )  # fmt: skip
    theirs[1].running_mean.normal_()
    theirs.eval()
    given = [each for name, each in theirs.state_dict().items() if "num_batches" not in name]
    keys = [slot.op.label for slot in ours.states()]
    state = cr.State({key: each.numpy() for key, each in zip(keys, given, strict=True)})
    value = np.random.default_rng(3).standard_normal((4, 3, 13, 11)).astype(np.float32)
    predict = cr.compile(ours(cr.input("x", ("batch", 3, 13, 11)))).bind(state)
    expected = theirs(torch.tensor(value)).detach().numpy()
    np.testing.assert_allclose(predict(x=value), expected, rtol=1e-4, atol=1e-5)
