"""Convolutional layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ops.movement import as_flag
from chainrule.declare.arguments import count
from chainrule.declare.init import InitializerLike
from chainrule.declare.leaves import parameter
from chainrule.declare.windows.convolution import convolution
from chainrule.declare.windows.geometry import Geometry, Numbers, Padding, geometry
from chainrule.nn.module import Module

__all__ = ["Conv1d", "Conv2d", "Conv3d"]


@dataclass(frozen=True, eq=False, init=False)
class Convolution(Module):
    """What the convolutional layers of every rank share."""

    rank: ClassVar[int]
    takes_any_shape: ClassVar[bool] = False

    in_channels: int
    out_channels: int
    slides: Geometry
    groups: int
    weight: Node
    bias: Node | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        size: Numbers,
        stride: Numbers = 1,
        padding: Padding = 0,
        dilation: Numbers = 1,
        groups: int = 1,
        bias: bool = True,
        init: InitializerLike = "he_normal",
        name: str | None = None,
    ) -> None:
        """Declare the layer's parameters.

        Args:
            in_channels: of the images.
            out_channels: of the result: so many kernels.
            size: of a kernel: a number, or one an axis.
            stride: pixels from one window to the next.
            padding: zeros around the images: a number, one an axis, a pair (before, after) an axis,
                "valid" for none, or "same" for as many as keep the size.
            dilation: pixels from one tap of a kernel to the next.
            groups: channels are convolved in so many parts; in_channels of them: each on its own.
            bias: whether to add a number for each output channel.
            init: the initialiser of the weight, its name, a number, or an array of values.
            name: the layer's own part of its parameters' names.

        Raises:
            InputError: a number is none or too small, the groups do not divide the channels,
                padding "same" meets a stride, or the initialiser cannot be used.
        """
        kind = type(self).__name__
        hint = f"give the channels on both sides and the size, such as nn.{kind}(3, 16, 3)"
        inputs = count(kind, "in_channels", in_channels, hint=hint)
        outputs = count(kind, "out_channels", out_channels, hint=hint)
        parts = divisor(kind, groups, inputs, outputs)
        slides = geometry(kind, self.rank, size, stride, padding, dilation)
        shifted = as_flag(kind, "bias", bias)
        self._set(
            name=name,
            in_channels=inputs,
            out_channels=outputs,
            slides=slides,
            groups=parts,
            weight=parameter("weight", (outputs, inputs // parts, *slides.taps), init),
            bias=parameter("bias", (outputs,), "zeros") if shifted else None,
        )
        self.__post_init__()

    def forward(self, x: Node) -> Node:
        slides = self.slides.called(str(self.label))
        return convolution(slides, x, self.weight, self.bias, self.groups)

    def __repr__(self) -> str:
        slides = self.slides.shown(stride=(1,) * self.rank)
        groups = f", groups={self.groups}" if self.groups > 1 else ""
        channels = f"{self.in_channels}, {self.out_channels}"
        return f"{type(self).__name__}({channels}, {slides}{groups})"


def divisor(kind: str, groups: object, *channels: int) -> int:
    """A number of groups into which the channels of both sides divide.

    Raises:
        InputError: it is none.
    """
    hint = "choose groups that divide the channels on both sides, or leave groups=1"
    parts = count(kind, "groups", groups, hint=hint)
    for number in channels:
        if number % parts:
            raise InputError(
                f"{kind}: {number} channels do not divide into {parts} groups", hint=hint
            )
    return parts


class Conv1d(Convolution):
    """`Conv2d` of sequences (batch, channels, length)."""

    rank = 1


class Conv2d(Convolution):
    """A kernel for each output channel slides over images (batch, channels, height, width).

    y[b,o,p,q] = Σ x[b,c, p·stride + i·dilation, q·stride + j·dilation] · weight[o,c,i,j] + bias[o]

    Attributes:
        in_channels: of the images.
        out_channels: of the result.
        slides: how the kernel slides: its size, stride, dilation and padding.
        groups: the parts in which channels are convolved.
        weight: the kernels (out, in / groups, height, width), by default drawn by He's rule for
            ReLU.
        bias: a number for each output channel, at first 0; None for a layer without it.
    """

    rank = 2


class Conv3d(Convolution):
    """`Conv2d` of volumes (batch, channels, depth, height, width)."""

    rank = 3
