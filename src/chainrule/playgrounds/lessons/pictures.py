"""Pictures for a model: their size, and numbers out of the pixels of a file."""

from __future__ import annotations

import math

import numpy as np

from chainc import ops
from chainc.ir import Node
from chainc.ir.types import Array, float32, static
from chainrule.declare.leaves import input
from chainrule.playgrounds.lessons.looks import Size

SMALLEST = 4  # side of what is taken for a picture
LIGHTNESS = (0.299, 0.587, 0.114)  # of red, green and blue (Rec. 601)


def picture_size(x: Node) -> Size | None:
    """Of one row, if it is a picture that can be drawn: grey, or in red, green and blue."""
    shape = static(x.shape[1:])
    side = math.isqrt(math.prod(shape))
    if len(shape) == 3 and shape[0] in (1, 3) and min(shape[1:]) >= SMALLEST:
        return shape[0], shape[1], shape[2]
    if len(shape) < 3 and side >= SMALLEST and side * side == math.prod(shape):
        return 1, side, side
    return None


def from_pixels(size: Size, data: Array) -> Node:
    """A picture for the model, of the bytes of red, green, blue and cover of its pixels.

    What is grey gets the whole range of greys, and where the data are on a dark ground a picture
    on a light one is turned into its negative.
    """
    channels, height, width = size
    low, high = float(data.min()), float(data.max())
    pixels = ops.astype(input("pixels", (height, width, 4), "uint8"), float32) / 255.0
    cover = pixels[..., 3:]
    colours = pixels[..., :3] * cover + (1 - cover)  # on white paper
    if channels == 3:
        return low + (high - low) * ops.permute_dims(colours, (2, 0, 1))
    grey = _lightness(colours)
    least, most = ops.min(grey), ops.max(grey)
    spread = (grey - least) / ops.maximum(most - least, 0.1)
    if _is_dark(data.reshape(-1, height, width), (low + high) / 2):
        spread = ops.where(_edge(spread) > 0.5, 1 - spread, spread)
    return low + (high - low) * ops.reshape(spread, (1, height, width))


def _lightness(colours: Node) -> Node:
    """The lightness of each pixel."""
    red, green, blue = (share * colours[..., i] for i, share in enumerate(LIGHTNESS))
    return red + green + blue


def _edge(picture: Node) -> Node:
    """The mean of a picture's border."""
    sides = picture[0], picture[-1], picture[1:-1, 0], picture[1:-1, -1]
    return ops.mean(ops.concat(list(sides)))


def _is_dark(pictures: Array, middle: float) -> bool:
    edges = pictures[:, 0], pictures[:, -1], pictures[:, :, 0], pictures[:, :, -1]
    return float(np.mean([each.mean() for each in edges])) < middle
