"""Convolutions against loops over positions and taps, their derivatives, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.sliding import convolved

import chainrule as cr

random = np.random.default_rng(4)
NAMES = ("conv1d", "conv2d", "conv3d")
LINE = r"test_convolution\.py:\d+"

SETTINGS: list[dict[str, Any]] = [
    {},
    {"stride": 2},
    {"padding": 1},
    {"padding": "same"},
    {"padding": "valid", "dilation": 2},
    {"padding": "same", "dilation": 3},
    {"padding": 2, "stride": 3, "dilation": 2},
    {"groups": 2, "padding": 1},
    {"groups": 4, "stride": 2},
]


def normal(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return random.standard_normal(shape)


def pairs(padding: object, size: tuple[int, ...], dilation: int) -> list[tuple[int, int]]:
    if padding == "same":
        return [
            ((k - 1) * dilation // 2, (k - 1) * dilation - (k - 1) * dilation // 2) for k in size
        ]
    return [(int(str(padding).replace("valid", "0")),) * 2 for _ in size]


@pytest.mark.parametrize("target", ["numpy", "llvm"])
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_convolution_is_a_sum_over_taps(rank: int, setting: dict[str, Any], target: str) -> None:
    size, groups = (3, 2, 2)[:rank], setting.get("groups", 1)
    sizes = (7, 6, 5)[:rank]
    x, w, b = normal(2, 4, *sizes), normal(8, 4 // groups, *size), normal(8)
    images = cr.input("x", ("batch", 4, *sizes), dtype="float64")
    y = getattr(cr, NAMES[rank - 1])(images, cr.constant(w), cr.constant(b), **setting)
    dilation, stride = setting.get("dilation", 1), setting.get("stride", 1)
    border = pairs(setting.get("padding", 0), size, dilation)
    wanted = convolved(x, w, [stride] * rank, border, [dilation] * rank, groups)
    found = cr.compile(y, target=target)(x=x)
    np.testing.assert_allclose(found, wanted + b.reshape(-1, *(1,) * rank), atol=1e-12)


def test_numbers_may_differ_by_axis_and_by_side() -> None:
    x, w = normal(1, 1, 6, 7), normal(1, 1, 2, 3)
    images = cr.input("x", (1, 1, 6, 7), dtype="float64")
    border = ((0, 2), (1, 0))
    y = cr.conv2d(images, w, stride=(2, 3), padding=border, dilation=(1, 2))
    wanted = convolved(x, w, (2, 3), border, (1, 2))
    np.testing.assert_allclose(cr.compile(y)(x=x), wanted, atol=1e-12)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_transposed_convolution_is_the_adjoint(rank: int, setting: dict[str, Any]) -> None:
    """⟨conv(x), y⟩ = ⟨x, conv_transpose(y)⟩ for the same kernel, and the shapes go back."""
    if "padding" in setting and not isinstance(setting["padding"], int):
        setting = {**setting, "padding": 0}
    size, groups = (3, 2, 2)[:rank], setting.get("groups", 1)
    sizes = (7, 6, 5)[:rank]
    x, w = normal(2, 4, *sizes), normal(8, 4 // groups, *size)
    images = cr.input("x", (2, 4, *sizes), dtype="float64")
    forward = getattr(cr, NAMES[rank - 1])(images, w, **setting)
    value = cr.compile(forward)(x=x)
    y = normal(*value.shape)
    d, s, p = (setting.get(name, n) for name, n in (("dilation", 1), ("stride", 1), ("padding", 0)))
    left = tuple((n + 2 * p - (k - 1) * d - 1) % s for n, k in zip(sizes, size, strict=True))
    back = getattr(cr, NAMES[rank - 1].replace("conv", "conv_transpose"))(
        cr.input("y", y.shape, dtype="float64"), w, output_padding=left, **setting
    )
    assert back.shape == x.shape
    assert (cr.compile(back)(y=y) * x).sum() == pytest.approx((value * y).sum(), rel=1e-9)


def test_a_transposed_convolution_by_hand() -> None:
    """Each pixel adds its multiple of the kernel; the border is cut."""
    x, w = np.array([[[1.0, 2.0]]]), np.array([[[1.0, 10.0, 100.0]]])
    images = cr.input("x", (1, 1, 2), dtype="float64")
    whole = cr.conv_transpose1d(images, w, stride=2)
    assert cr.compile(whole)(x=x).tolist() == [[[1, 10, 102, 20, 200]]]
    cut = cr.conv_transpose1d(images, w, np.array([0.5]), stride=2, padding=1)
    assert cr.compile(cut)(x=x).tolist() == [[[10.5, 102.5, 20.5]]]
    more = cr.conv_transpose1d(images, w, stride=2, output_padding=1)
    assert cr.compile(more)(x=x).tolist() == [[[1, 10, 102, 20, 200, 0]]]


@pytest.mark.parametrize("function", ["conv2d", "conv_transpose2d"])
@pytest.mark.parametrize("setting", SETTINGS[:3] + SETTINGS[-3:], ids=str)
def test_derivatives(function: str, setting: dict[str, Any]) -> None:
    inside = 4 // setting.get("groups", 1)
    point = {"x": normal(2, 4, 5, 4), "w": normal(4, inside, 2, 3), "b": normal(4)}
    nodes = [cr.input(name, value.shape, dtype="float64") for name, value in point.items()]
    y = getattr(cr, function)(*nodes, **setting)
    loss = cr.sum(cr.sin(y))
    assert cr.check_grad(loss, nodes, point).worst.error < 1e-6
    second = cr.sum(cr.square(cr.grad(loss, nodes[0])))
    assert cr.check_grad(second, nodes, point).worst.error < 1e-6


def test_forward_derivatives_and_the_hessian_follow() -> None:
    """A convolution is linear in its kernel: of its squares the Hessian is 2 AᵀA."""
    x, v = normal(2, 2, 4, 4), normal(3, 2, 2, 2)
    w = cr.input("w", v.shape, dtype="float64")
    y = cr.conv2d(cr.constant(x), w, stride=2, padding=1)
    loss = cr.sum(cr.square(y))
    along = cr.jvp([y], [w], [cr.constant(v)])[0]
    product = cr.hvp(loss, w, cr.constant(v))
    jacobian, hessian = cr.jacobian(y, w), cr.hessian(loss, w)
    found = cr.compile([along, product, jacobian, hessian])(w=normal(*v.shape))
    a = found[2].reshape(-1, v.size)
    border = [(1, 1), (1, 1)]
    np.testing.assert_allclose(found[0], convolved(x, v, (2, 2), border, (1, 1)), atol=1e-12)
    np.testing.assert_allclose(found[3].reshape(v.size, v.size), 2 * a.T @ a, atol=1e-12)
    np.testing.assert_allclose(found[1].ravel(), 2 * a.T @ a @ v.ravel(), atol=1e-12)


# --- what is refused

X = cr.input("x", ("batch", 4, 7, 6))
W = np.ones((6, 4, 3, 3), np.float32)
HALVES = np.ones((6, 2, 3, 3), np.float32)

REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "channels last": (
        lambda: cr.conv2d(cr.input("i", ("batch", 28, 28, 1)), W[:, :1]),
        r"conv2d: images are NCHW, \[batch,1,height,width\], and \[batch,28,28,1\] looks like "
        rf"NHWC, with the channels last\n  where: .*{LINE}\n         input: i .*"
        r"\n  try: bring the channels to axis 1 with cr.permute_dims\(x, \(0, 3, 1, 2\)\)",
    ),
    "volumes with channels last": (
        lambda: cr.conv3d(cr.input("i", ("b", 9, 9, 9, 3)), np.ones((8, 3, 2, 2, 2), np.float32)),
        r"conv3d: images are NCDHW.* looks like NDHWC.*\n(?s:.*)permute_dims\(x, \(0, 4, 1, 2, 3\)",
    ),
    "other channels": (
        lambda: cr.conv2d(X, np.ones((6, 3, 3, 3), np.float32)),
        r"conv2d: \[batch,4,7,6\] has 4 channels where 3 are wanted\n(?s:.*)try: give images",
    ),
    "another rank": (
        lambda: cr.conv2d(cr.input("s", ("batch", 4, 9)), W),
        r"conv2d: images are NCHW, \[batch,channels,height,width\], and \[batch,4,9\] has 3 axes"
        r'\n(?s:.*)try: declare the input so, such as cr.input\("x", \("batch", 3, 32, 32\)\)',
    ),
    "a named size": (
        lambda: cr.conv2d(cr.input("i", ("batch", 4, "height", 9)), W),
        r"conv2d: \[batch,4,height,9\] has a named size beside the batch\n(?s:.*)try: declare",
    ),
    "a kernel of another rank": (
        lambda: cr.conv2d(X, np.ones((6, 4, 3), np.float32)),
        r"conv2d: the weight \[6,4,3\] is no kernel.*\n(?s:.*)try: give a weight of 4 axes",
    ),
    "a kernel larger than the image": (
        lambda: cr.conv2d(X, np.ones((6, 4, 3, 9), np.float32), padding=1),
        r"conv2d: a window of 3 × 9 is larger than images of 7 × 6 with padding 1\+1, 1\+1\n"
        r"(?s:.*)try: choose a smaller window or dilation, or more padding",
    ),
    "groups that do not divide": (
        lambda: cr.conv2d(X, HALVES, groups=3),
        r"conv2d: 4 input channels do not divide into 3 groups\n(?s:.*)try: choose groups",
    ),
    "groups that do not divide the output": (
        lambda: cr.conv2d(X, np.ones((5, 2, 3, 3), np.float32), groups=2),
        r"conv2d: 5 output channels do not divide into 2 groups\n(?s:.*)try: choose groups",
    ),
    "groups that do not divide, transposed": (
        lambda: cr.conv_transpose2d(X, W[:4], groups=3),
        r"conv_transpose2d: 4 input channels do not divide into 3 groups\n",
    ),
    "no groups": (
        lambda: cr.conv2d(X, W, groups=0),
        r"conv2d: groups must be a whole number, at least 1, got 0\n(?s:.*)try: give groups=1",
    ),
    "same with a stride": (
        lambda: cr.conv2d(X, W, padding="same", stride=(1, 2)),
        r'conv2d: padding "same" keeps the size of an image, which a stride of 1 × 2 does not\n'
        r"(?s:.*)try: give numbers: padding=\(size - 1\) // 2",
    ),
    "no padding of this kind": (
        lambda: cr.conv2d(X, W, padding=((1, 2),)),
        r"conv2d: padding must be a number, 2 of them, 2 pairs \(before, after\), \"same\" or "
        r"\"valid\", got \(\(1, 2\),\)\n(?s:.*)try: give padding=1",
    ),
    "a stride of 0": (
        lambda: cr.conv2d(X, W, stride=(1, 0)),
        r"conv2d: stride must be a whole number, at least 1, or 2 of them, got \(1, 0\)\n"
        r"(?s:.*)try: give stride=2 or stride=\(2, 2\)",
    ),
    "a negative dilation": (
        lambda: cr.conv2d(X, W, dilation=-1),
        r"conv2d: dilation must be a whole number, at least 1, or 2 of them, got -1\n",
    ),
    "another bias": (
        lambda: cr.conv2d(X, W, np.ones(5, np.float32)),
        r"conv2d: the bias \[5\] is not one number for each of 6 output channels\n"
        r"(?s:.*)try: give a bias of shape \[6\]",
    ),
    "more output padding than the stride": (
        lambda: cr.conv_transpose2d(X, W[:4], stride=2, output_padding=2),
        r"conv_transpose2d: output_padding 2 × 2 is not below the stride or the dilation\n"
        r"(?s:.*)try: give what the convolution's stride left over",
    ),
    "padding that leaves nothing": (
        lambda: cr.conv_transpose2d(X, W[:4], padding=5),
        r"conv_transpose2d: a padding of 5\+5, 5\+5 leaves nothing of 9 × 8 positions\n"
        r"(?s:.*)try: give less padding",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_where_it_is_declared(name: str) -> None:
    action, message = REFUSED[name]
    with pytest.raises(cr.ChainruleError, match=f"^{message}") as caught:
        action()
    assert re.search(rf"\n  where: [^\n]*{LINE}\n", str(caught.value))
