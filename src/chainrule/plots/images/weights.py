"""Weights as images: what each unit of a first layer, or each filter, looks for."""

from __future__ import annotations

import math

from chainc.ir.errors import InputError
from chainrule.declare.arguments import count
from chainrule.plots.given import numbers
from chainrule.plots.images.tiles import numbered
from chainrule.plots.paper.plot import Plot
from chainrule.plots.paper.style import require_matplotlib

MOST = 256  # images in a plot


def weight_images(weights: object, shape: tuple[int, int] | None = None, *, most: int = 64) -> Plot:
    """The weights of each unit, laid out as its input is: orange below 0, white at 0, blue above.

    All images share one scale, symmetric about 0, so that their strengths can be compared.

    Args:
        weights: (in, out), such as `state[model[0].weight]`: an image for each of the `out`
            units, named by its number from 0.
        shape: height and width of an image, such as (28, 28); by default a square.
        most: so many units at most are shown, the first ones.

    Raises:
        InputError: the weights are no finite matrix, or the shape does not fit them.
    """
    require_matplotlib("weight_images")
    hint = "give a matrix (in, out), such as state[model[0].weight]"
    matrix = numbers("weight_images", "weights", weights, rank=2, hint=hint)
    limit = count("weight_images", "most", most, hint=f"give a number from 1 to {MOST}")
    if limit > MOST:
        raise InputError(f"weight_images: most={most} are too many", hint=f"at most {MOST}")
    height, width = shape_of("weight_images", matrix.shape[0], shape)
    images = matrix.T[:limit].reshape(-1, height, width)
    units = matrix.shape[1]
    shown = f"{len(images)} of {units}" if len(images) < units else f"{units}"
    title = f"Weights of {shown} unit{'s' if units > 1 else ''}, {height}×{width} each"
    return numbered(images, title)


def shape_of(function: str, size: int, given: object) -> tuple[int, int]:
    """Height and width of an image of so many pixels, by default a square.

    Raises:
        InputError: there is no such image.
    """
    side = math.isqrt(size)
    if given is None and side * side == size:
        return side, side
    hint = f"give height and width with a product of {size}, such as shape=(1, {size})"
    if given is None:
        raise InputError(f"{function}: {size} inputs make no square image", hint=hint)
    if not isinstance(given, tuple) or len(given) != 2:
        raise InputError(f"{function}: shape={given!r} is no height and width", hint=hint)
    height, width = (count(function, "a side of shape", side, hint=hint) for side in given)
    if height * width != size:
        raise InputError(
            f"{function}: an image of {height}×{width} does not hold {size} inputs", hint=hint
        )
    return height, width
