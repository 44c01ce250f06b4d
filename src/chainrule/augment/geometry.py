"""Where things stand in an image: moved, mirrored, cut."""

from __future__ import annotations

import numpy as np

from chainc.ir import Node, Operand, current_origin, scope
from chainc.ir.errors import InputError, ShapeError
from chainc.ir.leaves import constant
from chainc.ops import (
    astype,
    bernoulli,
    by_mode,
    einsum,
    one_hot,
    pad,
    uniform,
    where,
    window,
)
from chainc.ops import flip as reversed_along
from chainrule.augment.images import as_images, one_each
from chainrule.declare.arguments import count, number

Size = int | tuple[int, int]


def shift(x: Operand, most: int) -> Node:
    """Each image moved by up to `most` pixels, in both directions; 0 comes in at the edges.

    All (2 · most + 1)² places are equally likely.

    Args:
        x: images, (batch, channels, height, width).
        most: pixels, at least 0.

    Raises:
        InputError: `most` is no whole number from 0 on.
        ShapeError: x has another form.
    """
    images, height, width = as_images("shift", x)
    pixels = _pixels("shift", "most", most)
    return _cropped(images, (height, width), pixels, "shift")


def crop(x: Operand, size: Size, padding: int = 0) -> Node:
    """A part of each image, of `size`, at a place of its own; in the middle except in training.

    Args:
        x: images, (batch, channels, height, width).
        size: of the part, height and width, or one number for both.
        padding: zeros around the image before it is cut.

    Raises:
        InputError: a number is no whole number from 0 on.
        ShapeError: x has another form, or the part is larger than the padded image.
    """
    images, height, width = as_images("crop", x)
    border = _pixels("crop", "padding", padding)
    pair = size if isinstance(size, tuple) and len(size) == 2 else (size, size)
    hint = "give height and width, such as size=(24, 24)"
    high, wide = (count("augment.crop", "size", each, hint=hint) for each in pair)
    if high > height + 2 * border or wide > width + 2 * border:
        raise ShapeError(
            f"augment.crop: a part of {high} × {wide} is larger than the padded images of "
            f"{height + 2 * border} × {width + 2 * border}",
            where=str(current_origin().location),
            hint="cut a smaller part, or give more padding",
        )
    return _cropped(images, (high, wide), border, "crop")


def _cropped(x: Node, size: tuple[int, int], border: int, name: str) -> Node:
    """One place for each image; in the middle where there is no training.

    A window over the rows that a part can start at, times a code that is 1 at one of them, is the
    part; then the same for columns.
    """
    with scope(name):
        padded = pad(x, [(0, 0), (0, 0), (border, border), (border, border)])
        height, width = (dim for dim in padded.shape[2:] if isinstance(dim, int))
        rows, columns = height - size[0] + 1, width - size[1] + 1
        top, left = rows // 2, columns // 2
        middle = padded[:, :, top : top + size[0], left : left + size[1]]
        if rows == columns == 1:
            return middle
        moved = einsum("bchwt,bt->bchw", window(padded, rows, 2), _place(x, rows))
        moved = einsum("bchwt,bt->bchw", window(moved, columns, 3), _place(x, columns))
        return by_mode(train=moved, infer=middle)


def _place(x: Node, places: int) -> Node:
    """For each image 1 at one of so many places, else 0."""
    drawn = uniform(x.shape[:1], low=0.0, high=float(places))
    return one_hot(astype(drawn, "int32"), places, x.type.dtype)


def flip(x: Operand, probability: float = 0.5) -> Node:
    """Each image mirrored, left to right, with a probability.

    Args:
        x: images, (batch, channels, height, width).
        probability: from 0 to 1.

    Raises:
        InputError: the probability is not from 0 to 1.
        ShapeError: x has another form.
    """
    images, _, _ = as_images("flip", x)
    hint = "give a share, such as probability=0.5"
    share = number("augment.flip", "probability", probability, at_least=0, hint=hint)
    if share > 1:
        raise InputError(f"augment.flip: probability must be at most 1, got {share:g}", hint=hint)
    with scope("flip"):
        chosen = bernoulli(one_each(images), share)
        return by_mode(train=where(chosen, reversed_along(images, 3), images), infer=images)


def cutout(x: Operand, size: int) -> Node:
    """A square of each image set to 0, around any pixel (DeVries and Taylor 2017).

    At the edges a part of the square falls outside.

    Args:
        x: images, (batch, channels, height, width).
        size: pixels of a side, at least 1.

    Raises:
        InputError: the size is no positive whole number.
        ShapeError: x has another form.
    """
    images, height, width = as_images("cutout", x)
    side = count("augment.cutout", "size", size, hint="give the pixels of a side, such as size=8")
    with scope("cutout"):
        rows = _hidden(images, height, side, (1, 1, height, 1))
        columns = _hidden(images, width, side, (1, 1, 1, width))
        return by_mode(train=where(rows & columns, 0, images), infer=images)


def _hidden(x: Node, extent: int, side: int, shape: tuple[int, ...]) -> Node:
    """Which positions along an axis lie among the `side` around one that is drawn."""
    centre = astype(uniform(one_each(x), low=0.0, high=float(extent)), "int32")
    positions = constant(np.arange(extent, dtype=np.int32).reshape(shape))
    first = centre - side // 2
    return (positions >= first) & (positions < first + side)


def _pixels(function: str, name: str, given: int) -> int:
    hint = f"give a number of pixels, such as {name}=2"
    return count(f"augment.{function}", name, given, at_least=0, hint=hint)
