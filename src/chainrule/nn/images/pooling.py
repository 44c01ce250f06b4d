"""Pooling layers, which have no parameters."""

from __future__ import annotations

from typing import ClassVar

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ops.movement import as_flag
from chainrule.declare.windows.geometry import Geometry, Numbers, Padding, images, numbers
from chainrule.declare.windows.pooling import (
    average_pooling,
    global_average,
    max_pooling,
    pool_slides,
)
from chainrule.declare.windows.resizing import adaptive_average
from chainrule.nn.images.layer import ImageLayer

__all__ = [
    "AdaptiveAvgPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "GlobalAvgPool2d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
]


def _shown(slides: Geometry, ceil_mode: bool) -> str:
    return slides.shown(stride=slides.taps) + (", ceil_mode=True" if ceil_mode else "")


@dataclass(frozen=True, eq=False, init=False)
class MaxPool(ImageLayer):
    """What the layers of every rank share."""

    rank: ClassVar[int]

    slides: Geometry
    ceil_mode: bool

    def __init__(
        self,
        size: Numbers,
        stride: Numbers | None = None,
        padding: Padding = 0,
        dilation: Numbers = 1,
        ceil_mode: bool = False,
        name: str | None = None,
    ) -> None:
        """Keep the numbers of the window.

        Args:
            size: of a window: a number, or one an axis.
            stride: pixels from one window to the next; by default the size, so none overlap.
            padding: pixels around the images that are never the largest, at most half a window.
            dilation: pixels from one element of a window to the next.
            ceil_mode: whether there is a last window that begins in the image and ends beyond it.
            name: the layer's own part of its full name.

        Raises:
            InputError: a number is none or too small, or the padding too large.
        """
        kind = type(self).__name__
        slides = pool_slides(kind, self.rank, size, stride, padding, dilation)
        self._set(name=name, slides=slides, ceil_mode=as_flag(kind, "ceil_mode", ceil_mode))
        self.__post_init__()

    def forward(self, x: Node) -> Node:
        return max_pooling(self.slides.called(str(self.label)), x, self.ceil_mode)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_shown(self.slides, self.ceil_mode)})"


class MaxPool1d(MaxPool):
    """`MaxPool2d` of sequences (batch, channels, length)."""

    rank = 1


class MaxPool2d(MaxPool):
    """The largest pixel of each window; the first of equal ones takes the whole derivative.

    Attributes:
        slides: how the window slides: its size, stride, dilation and padding.
        ceil_mode: whether there is a last window that ends beyond the image.
    """

    rank = 2


class MaxPool3d(MaxPool):
    """`MaxPool2d` of volumes (batch, channels, depth, height, width)."""

    rank = 3


@dataclass(frozen=True, eq=False, init=False)
class AvgPool(ImageLayer):
    """What the layers of every rank share."""

    rank: ClassVar[int]

    slides: Geometry
    count_include_pad: bool
    ceil_mode: bool

    def __init__(
        self,
        size: Numbers,
        stride: Numbers | None = None,
        padding: Padding = 0,
        count_include_pad: bool = False,
        ceil_mode: bool = False,
        name: str | None = None,
    ) -> None:
        """Keep the numbers of the window.

        Args:
            size: of a window: a number, or one an axis.
            stride: pixels from one window to the next; by default the size, so none overlap.
            padding: zeros around the images, at most half a window.
            count_include_pad: whether these zeros count in a mean.
            ceil_mode: whether there is a last window that begins in the image and ends beyond it.
            name: the layer's own part of its full name.

        Raises:
            InputError: a number is none or too small, or the padding too large.
        """
        kind = type(self).__name__
        slides = pool_slides(kind, self.rank, size, stride, padding)
        counts = as_flag(kind, "count_include_pad", count_include_pad)
        rounds_up = as_flag(kind, "ceil_mode", ceil_mode)
        self._set(name=name, slides=slides, count_include_pad=counts, ceil_mode=rounds_up)
        self.__post_init__()

    def forward(self, x: Node) -> Node:
        slides = self.slides.called(str(self.label))
        return average_pooling(slides, x, self.count_include_pad, self.ceil_mode)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_shown(self.slides, self.ceil_mode)})"


class AvgPool1d(AvgPool):
    """`AvgPool2d` of sequences (batch, channels, length)."""

    rank = 1


class AvgPool2d(AvgPool):
    """The mean of each window, over the pixels of the image that it holds.

    Attributes:
        slides: how the window slides: its size, stride and padding.
        count_include_pad: whether the zeros around an image count.
        ceil_mode: whether there is a last window that ends beyond the image.
    """

    rank = 2


class AvgPool3d(AvgPool):
    """`AvgPool2d` of volumes (batch, channels, depth, height, width)."""

    rank = 3


@dataclass(frozen=True, eq=False, init=False)
class AdaptiveAvgPool2d(ImageLayer):
    """Means over parts of an image, as many along each axis as the result is to have.

    Part i of an axis of n pixels in m parts is from ⌊i·n/m⌋ to ⌈(i+1)·n/m⌉, as in PyTorch.

    Attributes:
        size: of the result, (height, width).
    """

    size: tuple[int, ...]

    def __init__(self, size: Numbers, name: str | None = None) -> None:
        """Keep the size, (height, width), or one number for both.

        Raises:
            InputError: a size is no positive whole number.
        """
        self._set(name=name, size=numbers("AdaptiveAvgPool2d", "size", size, 2))
        self.__post_init__()

    def forward(self, x: Node) -> Node:
        return adaptive_average(str(self.label), x, self.size)

    def __repr__(self) -> str:
        return f"AdaptiveAvgPool2d({self.size})"


@dataclass(frozen=True, eq=False)
class GlobalAvgPool2d(ImageLayer):
    """The mean of each channel: (batch, channels, height, width) to (batch, channels)."""

    def forward(self, x: Node) -> Node:
        return global_average(str(self.label), images(str(self.label), x, 2))

    def __repr__(self) -> str:
        return "GlobalAvgPool2d()"
