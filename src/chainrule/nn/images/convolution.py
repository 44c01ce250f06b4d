"""Convolutional layers."""

from __future__ import annotations

from typing import ClassVar

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ops.movement import as_flag
from chainrule.declare.arguments import count
from chainrule.declare.init import InitializerLike
from chainrule.declare.leaves import parameter
from chainrule.declare.windows.convolution import convolution, left_over, transposed
from chainrule.declare.windows.geometry import Geometry, Numbers, Padding, geometry
from chainrule.nn.images.layer import ImageLayer
from chainrule.nn.module import DTypeLike

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
]


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Kernels(ImageLayer):
    """What all layers share whose weight slides over images."""

    rank: ClassVar[int]

    in_channels: int
    out_channels: int
    slides: Geometry
    groups: int
    weight: Node
    bias: Node | None

    def _channels(self, inputs: object, outputs: object) -> tuple[int, int]:
        kind = type(self).__name__
        hint = f"give the channels on both sides and the size, such as nn.{kind}(3, 16, 3)"
        return (
            count(kind, "in_channels", inputs, hint=hint),
            count(kind, "out_channels", outputs, hint=hint),
        )

    def _groups(self, groups: object, *channels: int) -> int:
        """A number into which the channels of both sides divide."""
        kind = type(self).__name__
        hint = "choose groups that divide the channels on both sides, or leave groups=1"
        parts = count(kind, "groups", groups, hint=hint)
        for number in channels:
            if number % parts:
                raise InputError(
                    f"{kind}: {number} channels do not divide into {parts} groups", hint=hint
                )
        return parts

    def _bias(self, wanted: object, channels: int) -> Node | None:
        shifted = as_flag(type(self).__name__, "bias", wanted)
        return parameter("bias", (channels,), "zeros") if shifted else None

    def __repr__(self) -> str:
        slides = self.slides.shown(stride=(1,) * self.rank)
        groups = f", groups={self.groups}" if self.groups > 1 else ""
        channels = f"{self.in_channels}, {self.out_channels}"
        return f"{type(self).__name__}({channels}, {slides}{groups})"


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Convolution(Kernels):
    """What the convolutional layers of every rank share."""

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
        dtype: DTypeLike = None,
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
            dtype: of them, "float32" or "float64"; by default float32.

        Raises:
            InputError: a number is none or too small, the groups do not divide the channels,
                padding "same" meets a stride, or the initialiser cannot be used.
        """
        inputs, outputs = self._channels(in_channels, out_channels)
        parts = self._groups(groups, inputs, outputs)
        slides = geometry(type(self).__name__, self.rank, size, stride, padding, dilation)
        self._set(
            name=name,
            dtype=dtype,
            in_channels=inputs,
            out_channels=outputs,
            slides=slides,
            groups=parts,
            weight=parameter("weight", (outputs, inputs // parts, *slides.taps), init),
            bias=self._bias(bias, outputs),
        )
        self.__post_init__()

    def forward(self, x: Node) -> Node:
        slides = self.slides.called(str(self.label))
        return convolution(slides, x, self.weight, self.bias, self.groups)


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


@dataclass(frozen=True, eq=False, init=False, repr=False)
class TransposedConvolution(Kernels):
    """What the transposed ones of every rank share."""

    output_padding: tuple[int, ...]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        size: Numbers,
        stride: Numbers = 1,
        padding: Padding = 0,
        output_padding: Numbers = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Numbers = 1,
        init: InitializerLike = "he_normal",
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        """Declare the layer's parameters.

        Args:
            in_channels: of the images.
            out_channels: of the result.
            size: of a kernel: a number, or one an axis.
            stride: pixels of the result from one kernel to the next.
            padding: what is cut off around the result, as a convolution would add it.
            output_padding: further rows and columns at the end, for a stride that left some over.
            groups: channels are taken in so many parts.
            bias: whether to add a number for each output channel.
            dilation: pixels from one tap of a kernel to the next.
            init: the initialiser of the weight, its name, a number, or an array of values.
            name: the layer's own part of its parameters' names.
            dtype: of them, "float32" or "float64"; by default float32.

        Raises:
            InputError: a number is none or too small, the groups do not divide the channels, or
                the initialiser cannot be used.
        """
        inputs, outputs = self._channels(in_channels, out_channels)
        parts = self._groups(groups, inputs, outputs)
        slides = geometry(type(self).__name__, self.rank, size, stride, padding, dilation)
        self._set(
            name=name,
            dtype=dtype,
            in_channels=inputs,
            out_channels=outputs,
            slides=slides,
            groups=parts,
            output_padding=left_over(slides, output_padding),
            weight=parameter("weight", (inputs, outputs // parts, *slides.taps), init),
            bias=self._bias(bias, outputs),
        )
        self.__post_init__()

    def forward(self, x: Node) -> Node:
        slides = self.slides.called(str(self.label))
        return transposed(slides, x, self.weight, self.bias, self.output_padding, self.groups)


class ConvTranspose1d(TransposedConvolution):
    """`ConvTranspose2d` of sequences (batch, channels, length)."""

    rank = 1


class ConvTranspose2d(TransposedConvolution):
    """The adjoint of `Conv2d`: each pixel adds its multiple of a kernel to the result.

    With the same numbers it goes back to the size that a convolution began with.

    Attributes:
        in_channels: of the images.
        out_channels: of the result.
        slides: how the kernel slides over the result: its size, stride, dilation and padding.
        output_padding: further rows and columns at the end.
        groups: the parts in which channels are taken.
        weight: the kernels (in, out / groups, height, width), by default drawn by He's rule for
            ReLU, with the fan that PyTorch counts: out / groups times the taps.
        bias: a number for each output channel, at first 0; None for a layer without it.
    """

    rank = 2


class ConvTranspose3d(TransposedConvolution):
    """`ConvTranspose2d` of volumes (batch, channels, depth, height, width)."""

    rank = 3
