"""Checks of the images that are changed."""

from __future__ import annotations

from chainc.ir import Node, Operand, current_origin, describe
from chainc.ir.errors import ShapeError
from chainc.ir.leaves import as_nodes
from chainc.ir.types import Shape, format_shape
from chainrule.nn.fitting import require_float


def as_images(function: str, x: Operand) -> tuple[Node, int, int]:
    """A floating-point tensor of (batch, channels, height, width), with its height and width.

    Raises:
        ShapeError: it has another form.
        DTypeError: it holds no floating-point numbers.
    """
    (images,) = as_nodes(x)
    height, width = images.shape[2:] if images.ndim == 4 else (None, None)
    if not isinstance(height, int) or not isinstance(width, int):
        raise ShapeError(
            f"augment.{function}: {format_shape(images.shape)} holds no images of NCHW: "
            "batch, channels, height, width",
            where=f"{current_origin().location}\n         input: {describe(images)}",
            hint="bring it into this form with cr.reshape or cr.permute_dims",
        )
    require_float(f"augment.{function}", images)
    return images, height, width


def one_each(images: Node) -> Shape:
    """The shape of one number for each image."""
    return (images.shape[0], 1, 1, 1)
