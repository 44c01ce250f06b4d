"""Checks of what a layer is applied to."""

from __future__ import annotations

from chainc.ir import Node, current_origin, describe
from chainc.ir.errors import DTypeError, ShapeError
from chainc.ir.leaves import Label
from chainc.ir.types import format_shape


def require_float(label: Label | str, x: Node) -> None:
    """Refuse integers, such as the bytes of a picture, and Booleans.

    Raises:
        DTypeError: x is not floating-point.
    """
    if not x.type.dtype.is_float:
        raise DTypeError(
            f"{label}: the input {describe(x)} is not floating-point",
            where=f"{current_origin().location}\n         input: {describe(x)}",
            hint='convert it with cr.astype(x, "float32")',
        )


def misfit(label: Label, x: Node, wanted: str, hint: str) -> ShapeError:
    """The error of an input that has another shape than the layer needs."""
    return ShapeError(
        f"{label}: input {format_shape(x.shape)} does not fit: {wanted}",
        where=f"{current_origin().location}\n         input: {describe(x)}",
        hint=hint,
    )
