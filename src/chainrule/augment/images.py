"""Checks of the images that are changed."""

from __future__ import annotations

from chainc.ir import Node, Operand, current_origin, describe
from chainc.ir.errors import DTypeError, ShapeError
from chainc.ir.leaves import as_nodes
from chainc.ir.types import Dim, Shape, Size, format_shape


def as_images(function: str, x: Operand) -> tuple[Node, int, int]:
    """A floating-point tensor of (batch, channels, height, width), with its height and width.

    Raises:
        ShapeError: it has another form.
        DTypeError: it holds no floating-point numbers.
    """
    (images,) = as_nodes(x)
    if images.ndim != 4 or not _is_known(images.shape[2]) or not _is_known(images.shape[3]):
        raise ShapeError(
            f"augment.{function}: {format_shape(images.shape)} holds no images of NCHW: "
            "batch, channels, height, width",
            where=f"{current_origin().location}\n         input: {describe(images)}",
            hint="bring it into this form with cr.reshape or cr.permute_dims",
        )
    require_float(function, images)
    _, _, height, width = images.shape
    assert isinstance(height, int)
    assert isinstance(width, int)
    return images, height, width


def _is_known(dim: Dim) -> bool:
    return not isinstance(dim, Size)


def require_float(function: str, x: Node) -> None:
    """Refuse integers, such as the bytes of a picture.

    Raises:
        DTypeError: x is not floating-point.
    """
    if not x.type.dtype.is_float:
        raise DTypeError(
            f"augment.{function}: the input {describe(x)} is not floating-point",
            where=f"{current_origin().location}\n         input: {describe(x)}",
            hint='convert it with cr.astype(x, "float32")',
        )


def one_each(images: Node) -> Shape:
    """The shape of one number for each image."""
    return (images.shape[0], 1, 1, 1)
