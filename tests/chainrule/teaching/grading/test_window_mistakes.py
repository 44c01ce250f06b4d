"""Grading of a convolution and a pooling written by hand, with loops over pixels and taps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.grading import found, verdicts

import chainrule as cr
from chainrule.teaching.grading.report import BackwardCheck, Finding, Verdict

Numbers = NDArray[Any]
RNG = np.random.default_rng(4)
POINT = {"x": RNG.normal(size=(3, 2, 7, 7)), "t": RNG.normal(size=(3, 4, 2, 2))}
TIES = {**POINT, "x": np.where(np.arange(7) < 4, 0.0, POINT["x"])}  # dark on one side


class Convolution:
    """z = conv(x, W) with stride 2 and a border of one zero; a = the 2×2 maxima of z; Σ a·t."""

    def __init__(self) -> None:
        self.x, self.t = cr.input("x", ("batch", 2, 7, 7)), cr.input("t", ("batch", 4, 2, 2))
        self.W = cr.parameter("W", (4, 2, 3, 3), "he_normal")
        self.z = cr.conv2d(self.x, self.W, stride=2, padding=1)
        self.loss = cr.sum(cr.max_pool2d(self.z, 2) * self.t)


class Student:
    """The right backward pass; a mistake is another number, or another line."""

    stride = 2  # with which positions meet pixels, on the way back
    border = 1
    flip = False
    keep_border = False
    share: Callable[[Numbers], Numbers] = staticmethod(
        lambda w: np.arange(w.size).reshape(w.shape) == w.argmax()
    )
    rows: slice | None = None
    summed = True

    def __init__(self, **mistakes: Any) -> None:
        for name, value in mistakes.items():
            setattr(self, name, value)

    def __call__(self, point: Mapping[str, Numbers]) -> dict[str, Numbers]:
        x, t, w = point["x"], point["t"], point["W"]
        z = np.zeros((len(x), 4, 4, 4))
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        for p, q in np.ndindex(4, 4):
            part = padded[:, :, 2 * p : 2 * p + 3, 2 * q : 2 * q + 3]
            z[:, :, p, q] = np.einsum("bcij,ocij->bo", part, w)
        dz = self.pooled(z, t)
        return {"z": dz, "W": self.kernel(x, dz), "x": self.image(w, dz)}

    def pooled(self, z: Numbers, t: Numbers) -> Numbers:
        dz = np.zeros_like(z)
        for b, o, p, q in np.ndindex(t.shape):
            here = b, o, slice(2 * p, 2 * p + 2), slice(2 * q, 2 * q + 2)
            dz[here] = t[b, o, p, q] * self.share(z[here])
        return dz

    def kernel(self, x: Numbers, dz: Numbers) -> Numbers:
        padded = np.pad(x, ((0, 0), (0, 0), (self.border, 2), (self.border, 2)))
        dw = np.zeros((len(x), 4, 2, 3, 3))
        for p, q, i, j in np.ndindex(4, 4, 3, 3):
            pixels = padded[:, :, p * self.stride + i, q * self.stride + j]
            dw[:, :, :, i, j] += dz[:, :, None, p, q] * pixels[:, None]
        if self.flip:
            dw = dw[..., ::-1, ::-1]
        if self.rows is not None:
            dw = dw[self.rows]
        return dw.sum(axis=0) if self.summed else dw

    def image(self, w: Numbers, dz: Numbers) -> Numbers:
        dx = np.zeros((len(dz), 2, 9, 9))
        for p, q, i, j in np.ndindex(4, 4, 3, 3):
            tap = w[:, :, 2 - i, 2 - j] if self.flip else w[:, :, i, j]
            dx[:, :, p * self.stride + i, q * self.stride + j] += dz[:, :, p, q] @ tap
        return dx if self.keep_border else dx[:, :, self.border :, self.border :][:, :, :7, :7]


def check(point: Mapping[str, Any] = POINT, **mistakes: Any) -> BackwardCheck:
    model = Convolution()
    return cr.check_backward(Student(**mistakes), model.loss, point, names={"z": model.z})


def explained(report: BackwardCheck, name: str, kind: str, words: str) -> None:
    finding: Finding = found(report, name)
    assert finding.verdict is Verdict.WRONG, report
    assert [cause.mistake for cause in finding.causes] == [kind], report
    assert words in str(report)


def test_the_right_one_is_right() -> None:
    assert set(verdicts(check()).values()) == {Verdict.RIGHT}


@pytest.mark.parametrize(
    ("mistake", "name", "kind", "words"),
    [
        ({"flip": True}, "W", "kernel's direction", "the gradient of the kernel 'W' is flipped"),
        ({"flip": True}, "x", "kernel's direction", "the kernel 'W' is not flipped"),
        ({"border": 0}, "W", "forgotten padding", "from the image without its border"),
        ({"border": 0}, "x", "forgotten padding", "cut off at the end alone"),
        ({"border": 2}, "x", "forgotten padding", "cut off at the beginning alone"),
        ({"keep_border": True}, "x", "forgotten padding", "whose border is not cut off"),
        ({"stride": 1}, "W", "forgotten stride", "from windows one pixel apart"),
        ({"stride": 1}, "x", "forgotten stride", "is added one pixel apart"),
        ({"summed": False}, "W", "missing sum", "has shape [3,4,2,3,3], 'W' has [4,2,3,3]"),
        ({"rows": slice(-1, None)}, "W", "one row only", "only the last of the 3 rows counts"),
        ({"share": np.ones_like}, "z", "pooling's mask", "to every pixel of a window"),
        ({"share": lambda w: w * 0 + 0.25}, "z", "pooling's mask", "as in average pooling"),
    ],
)
def test_a_usual_mistake_is_named(
    mistake: dict[str, Any], name: str, kind: str, words: str
) -> None:
    explained(check(**mistake), name, kind, words)


def test_what_is_below_a_mistake_is_a_consequence() -> None:
    report = check(share=np.ones_like)
    assert found(report, "W").verdict is Verdict.FOLLOWS
    assert found(report, "x").verdict is Verdict.FOLLOWS


def test_all_of_several_equal_largest_pixels() -> None:
    report = check(TIES, share=lambda w: w == w.max())
    explained(report, "z", "pooling's mask", "to each of several equal largest pixels")
