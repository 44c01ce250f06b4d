"""What the pixels of an image are: noise, brightness."""

from __future__ import annotations

from chainc.ir import Node, Operand, scope
from chainc.ir.leaves import as_nodes
from chainc.ops import by_mode, normal, uniform
from chainrule.augment.images import as_images, one_each
from chainrule.declare.arguments import number
from chainrule.nn.fitting import require_float


def noise(x: Operand, scale: float) -> Node:
    """Normal noise added, of standard deviation `scale`, drawn for each element.

    Args:
        x: a floating-point tensor of any shape.
        scale: above 0.

    Raises:
        InputError: the scale is not above 0.
        DTypeError: x is not floating-point.
    """
    (values,) = as_nodes(x)
    require_float("augment.noise", values)
    hint = "give a standard deviation, such as scale=0.1"
    deviation = number("augment.noise", "scale", scale, above=0, hint=hint)
    with scope("noise"):
        drawn = normal(values.shape, scale=deviation, dtype=values.type.dtype)
        return by_mode(train=values + drawn, infer=values)


def brightness(x: Operand, most: float) -> Node:
    """Each image times a number of its own, uniform from 1 - `most` to 1 + `most`.

    Args:
        x: images, (batch, channels, height, width).
        most: above 0 and at most 1, where an image may become black.

    Raises:
        InputError: `most` is not above 0 and at most 1.
        ShapeError: x has another form.
    """
    images, _, _ = as_images("brightness", x)
    hint = "give a share, such as most=0.2"
    share = number("augment.brightness", "most", most, above=0, below=1 + 1e-9, hint=hint)
    with scope("brightness"):
        dtype = images.type.dtype
        factor = uniform(one_each(images), low=1 - share, high=1 + share, dtype=dtype)
        return by_mode(train=images * factor, infer=images)
