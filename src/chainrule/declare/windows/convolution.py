"""Convolutions: contractions over a window.

    y[b,o,p,q] = Σ x[b,c, p·stride + i·dilation, q·stride + j·dilation] · w[o,c,i,j]

As in every framework the kernel is not turned around; a text on signals calls this the
cross-correlation. Their derivatives follow from those of windows and contractions.
"""

from __future__ import annotations

from chainc.ir import Node, Operand, scope
from chainc.ir.errors import InputError
from chainc.ir.leaves import as_nodes
from chainc.ir.types import format_shape, product, static
from chainc.ops import einsum, overlap_add, pad, permute_dims, reshape
from chainrule.declare.arguments import count
from chainrule.declare.windows.geometry import (
    AXES,
    Geometry,
    Numbers,
    Padding,
    geometry,
    images,
    misfit,
    numbers,
    require_channels,
    times,
)

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "unfold",
]

POSITIONS, TAPS = "xyz", "ijk"  # letters of contractions


def kernel_slides(
    title: str,
    rank: int,
    weight: Operand,
    stride: Numbers,
    padding: Padding,
    dilation: Numbers,
) -> Geometry:
    """How this kernel slides.

    Raises:
        ShapeError: it has another rank, or sizes that are unknown or 0.
    """
    (kernel,) = as_nodes(weight)
    shape = kernel.shape
    if len(shape) != rank + 2 or not all(isinstance(dim, int) and dim > 0 for dim in shape):
        raise misfit(
            title,
            kernel,
            f"the weight {format_shape(shape)} is no kernel: it must have an axis for the "
            f"channels on each side, then {AXES[rank]}",
            f"give a weight of {rank + 2} axes whose sizes are known and at least 1",
        )
    return geometry(title, rank, static(shape[2:]), stride, padding, dilation)


def convolution(
    slides: Geometry, x: Operand, weight: Operand, bias: Operand | None, groups: int
) -> Node:
    """The convolution of images, with a kernel that slides so."""
    title, rank = slides.title, slides.rank
    x, (kernel,) = images(title, x, rank), as_nodes(weight)
    outputs, inputs = static(kernel.shape[:2])
    parts = _groups(title, x, groups, *static(x.shape[1:2]), outputs)
    require_channels(title, x, inputs * parts)
    positions, taps = POSITIONS[:rank], TAPS[:rank]
    if parts == 1:
        sums = f"bc{positions}{taps},oc{taps}->bo{positions}"
        return _with_bias(title, einsum(sums, slides.windows(x), kernel), bias)
    grouped = reshape(x, (x.shape[0], parts, inputs, *x.shape[2:]))
    kernels = reshape(kernel, (parts, outputs // parts, inputs, *slides.taps))
    sums = f"bgc{positions}{taps},goc{taps}->bgo{positions}"
    y = einsum(sums, slides.windows(grouped), kernels)
    return _with_bias(title, reshape(y, (y.shape[0], outputs, *y.shape[3:])), bias)


def transposed(
    slides: Geometry,
    x: Operand,
    weight: Operand,
    bias: Operand | None,
    output_padding: Numbers,
    groups: int,
) -> Node:
    """The adjoint of the convolution whose kernel slides so."""
    title, rank = slides.title, slides.rank
    x, (kernel,) = images(title, x, rank), as_nodes(weight)
    inputs, outputs = static(kernel.shape[:2])
    parts = _groups(title, x, groups, inputs)
    require_channels(title, x, inputs)
    further = left_over(slides, output_padding)
    positions, taps = POSITIONS[:rank], TAPS[:rank]
    grouped = reshape(x, (x.shape[0], parts, inputs // parts, *x.shape[2:]))
    kernels = reshape(kernel, (parts, inputs // parts, outputs, *slides.taps))
    products = einsum(f"bgc{positions},gco{taps}->bgo{positions}{taps}", grouped, kernels)
    y = _added(slides, products, static(x.shape[2:]))
    y = _cropped(slides, reshape(y, (y.shape[0], parts * outputs, *y.shape[3:])), further)
    return _with_bias(title, y, bias)


def _groups(title: str, x: Node, groups: object, *channels: int) -> int:
    """How many groups of channels are convolved apart: they divide both sides."""
    parts = count(title, "groups", groups, hint="give groups=1, or a divisor of the channels")
    for side, number in zip(("input", "output"), channels, strict=False):
        if number % parts:
            raise misfit(
                title,
                x,
                f"{number} {side} channels do not divide into {parts} groups",
                "choose groups that divide the input and the output channels",
            )
    return parts


def left_over(slides: Geometry, given: object) -> tuple[int, ...]:
    """Rows that no window of the convolution reaches, where its stride left some.

    Raises:
        InputError: they are no numbers, or as many as a stride or more.
    """
    title = slides.title
    found = numbers(title, "output_padding", given, slides.rank, at_least=0)
    for each, slide in zip(found, slides.slides, strict=True):
        if each >= max(slide.stride, slide.dilation):
            raise InputError(
                f"{title}: output_padding {times(found)} is not below the stride or the dilation",
                hint="give what the convolution's stride left over, less than the stride",
            )
    return found


def _added(slides: Geometry, products: Node, positions: tuple[int, ...]) -> Node:
    """Windows at these positions, added where they lie."""
    pairs = zip(slides.slides, positions, strict=True)
    lengths = [slide.covered(position) for slide, position in pairs]
    axes = range(products.ndim - 2 * slides.rank, products.ndim - slides.rank)
    strides = [slide.stride for slide in slides.slides]
    dilations = [slide.dilation for slide in slides.slides]
    return overlap_add(products, lengths, tuple(axes), strides, dilations)


def _cropped(slides: Geometry, y: Node, further: tuple[int, ...]) -> Node:
    """Without the padding of the convolution, and with what its stride left over."""
    sizes = static(y.shape[2:])
    rows = list(zip(sizes, slides.padding, further, strict=True))
    if any(size + more <= low + high for size, (low, high), more in rows):
        raise misfit(
            slides.title,
            y,
            f"a padding of {slides.border} leaves nothing of {times(sizes)} positions",
            "give less padding",
        )
    beyond = [max(more - high, 0) for _, (_, high), more in rows]
    y = pad(y, [(0, 0), (0, 0), *((0, more) for more in beyond)]) if any(beyond) else y
    parts = [slice(low, size - high + more) for size, (low, high), more in rows]
    return y[(slice(None), slice(None), *parts)]


def _with_bias(title: str, y: Node, bias: Operand | None) -> Node:
    if bias is None:
        return y
    (shift,) = as_nodes(bias)
    if shift.shape != y.shape[1:2]:
        raise misfit(
            title,
            shift,
            f"the bias {format_shape(shift.shape)} is not one number for each of "
            f"{y.shape[1]} output channels",
            f"give a bias of shape [{y.shape[1]}]",
        )
    return y + reshape(shift, (*shift.shape, *(1,) * (y.ndim - 2)))


def conv1d(
    x: Operand,
    weight: Operand,
    bias: Operand | None = None,
    stride: Numbers = 1,
    padding: Padding = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> Node:
    """`conv2d` of sequences (batch, channels, length)."""
    with scope("conv1d"):
        slides = kernel_slides("conv1d", 1, weight, stride, padding, dilation)
        return convolution(slides, x, weight, bias, groups)


def conv2d(
    x: Operand,
    weight: Operand,
    bias: Operand | None = None,
    stride: Numbers = 1,
    padding: Padding = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> Node:
    """A kernel slides over images and is contracted with each window of them.

    Args:
        x: images, (batch, channels, height, width).
        weight: (out, channels / groups, height, width).
        bias: (out,), added to every position.
        stride: pixels from one window to the next: a number, or one an axis.
        padding: zeros around the images: a number, one an axis, a pair (before, after) an axis,
            "valid" for none, or "same" for as many as keep the size, the odd one at the end.
        dilation: pixels from one tap of the kernel to the next.
        groups: channels are convolved in so many parts; as many as channels: each on its own.

    Raises:
        ShapeError: the images are not NCHW, their channels do not fit the weight or do not divide
            into groups, or the kernel is larger than the padded images.
        InputError: a number is none or too small, or padding "same" meets a stride.
    """
    with scope("conv2d"):
        slides = kernel_slides("conv2d", 2, weight, stride, padding, dilation)
        return convolution(slides, x, weight, bias, groups)


def conv3d(
    x: Operand,
    weight: Operand,
    bias: Operand | None = None,
    stride: Numbers = 1,
    padding: Padding = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> Node:
    """`conv2d` of volumes (batch, channels, depth, height, width)."""
    with scope("conv3d"):
        slides = kernel_slides("conv3d", 3, weight, stride, padding, dilation)
        return convolution(slides, x, weight, bias, groups)


def conv_transpose1d(
    x: Operand,
    weight: Operand,
    bias: Operand | None = None,
    stride: Numbers = 1,
    padding: Padding = 0,
    output_padding: Numbers = 0,
    groups: int = 1,
    dilation: Numbers = 1,
) -> Node:
    """`conv_transpose2d` of sequences (batch, channels, length)."""
    with scope("conv_transpose1d"):
        slides = kernel_slides("conv_transpose1d", 1, weight, stride, padding, dilation)
        return transposed(slides, x, weight, bias, output_padding, groups)


def conv_transpose2d(
    x: Operand,
    weight: Operand,
    bias: Operand | None = None,
    stride: Numbers = 1,
    padding: Padding = 0,
    output_padding: Numbers = 0,
    groups: int = 1,
    dilation: Numbers = 1,
) -> Node:
    """The adjoint of `conv2d`: each pixel adds its multiple of the kernel to the result.

    It undoes the change of size of a convolution with the same numbers, not its values.

    Args:
        x: images, (batch, channels, height, width).
        weight: (channels, out / groups, height, width).
        bias: (out,), added to every position.
        stride: pixels of the result from one kernel to the next.
        padding: what is cut off around the result, as `conv2d` would add it.
        output_padding: further rows and columns at the end, for a stride that left some over.
        groups: channels are taken in so many parts.
        dilation: pixels from one tap of the kernel to the next.

    Raises:
        ShapeError: the images are not NCHW, their channels do not fit the weight or do not divide
            into groups, or nothing of the result is left.
        InputError: a number is none or too small.
    """
    with scope("conv_transpose2d"):
        slides = kernel_slides("conv_transpose2d", 2, weight, stride, padding, dilation)
        return transposed(slides, x, weight, bias, output_padding, groups)


def conv_transpose3d(
    x: Operand,
    weight: Operand,
    bias: Operand | None = None,
    stride: Numbers = 1,
    padding: Padding = 0,
    output_padding: Numbers = 0,
    groups: int = 1,
    dilation: Numbers = 1,
) -> Node:
    """`conv_transpose2d` of volumes (batch, channels, depth, height, width)."""
    with scope("conv_transpose3d"):
        slides = kernel_slides("conv_transpose3d", 3, weight, stride, padding, dilation)
        return transposed(slides, x, weight, bias, output_padding, groups)


def unfold(
    x: Operand,
    size: Numbers,
    stride: Numbers = 1,
    padding: Padding = 0,
    dilation: Numbers = 1,
) -> Node:
    """Every window of the images as a column: (batch, channels · height · width, positions).

    A kernel as a row times these columns is a convolution, as many libraries compute it.

    Args:
        x: images, (batch, channels, height, width).
        size: of a window: a number, or one an axis.
        stride: pixels from one window to the next.
        padding: zeros around the images, as in `conv2d`.
        dilation: pixels from one element of a window to the next.

    Raises:
        ShapeError: the images are not NCHW, or smaller than a window.
        InputError: a number is none or too small.
    """
    with scope("unfold"):
        slides = geometry("unfold", 2, size, stride, padding, dilation)
        windows = slides.windows(images("unfold", x, 2))
        batch, channels, high, wide = windows.shape[:4]
        taps_first = permute_dims(windows, (0, 1, 4, 5, 2, 3))
        rows = product((channels, *slides.taps))
        return reshape(taps_first, (batch, rows, product((high, wide))))
