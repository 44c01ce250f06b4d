"""What the page needs to slide a kernel over an image: both as numbers, and the steps."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from chainc.ir import Node
from chainc.ir.types import Array
from chainc.ops.contract import Contract
from chainc.ops.parts.slicing import Pad
from chainc.ops.parts.window import Window
from chainrule.evaluation.values import Floats
from chainrule.teaching.derivations.windows import is_slid, windows_of

WIDEST, MOST_TAPS = 40, 7  # pixels of a padded image, and of a kernel, along an axis
MOST = 30_000  # numbers of an image and all kernels: about 200 kB


def sliding(node: Node, values: Mapping[Node, Array]) -> dict[str, object] | None:
    """The first image of a convolution and its kernels, by groups and channels; None for no such.

    A sequence is an image of one row.
    """
    operand = next((x for x in node.inputs if isinstance(x.op, Window)), None)
    if operand is None or not is_slid(operand, node):
        return None
    op, place, windows = node.op, windows_of(node), operand.op
    assert isinstance(op, Contract)
    assert isinstance(windows, Window)
    rank = len(windows.axes)
    if rank > 2:
        return None
    windowed, kernel = (op.a, op.b) if place == 0 else (op.b, op.a)
    positions = "".join(windowed[axis] for axis in windows.axes)
    taps = windowed[-rank:]
    groups = [x for x in windowed if x in kernel and x in op.result]
    inside = [x for x in windowed[:-rank] if x in kernel and x not in op.result]
    rows = [x for x in windowed[:-rank] if x not in kernel and x not in positions]
    filters = [x for x in kernel if x not in windowed]
    padded = operand.inputs[0]
    images = _arranged(values[padded], windowed[:-rank], rows, groups, inside, positions)
    kernels = _arranged(values[node.inputs[1 - place]], kernel, groups, filters, inside, taps)
    if not _can_be_shown(images[0], kernels):
        return None
    missing = [1] * (2 - rank)
    return {
        "image": _numbers(images[0]),
        "images": len(images),
        "kernel": _numbers(kernels),
        "stride": [*missing, *(slide.stride for slide in windows.slides)],
        "dilation": [*missing, *(slide.dilation for slide in windows.slides)],
        "border": [*[[0, 0] for _ in missing], *_border(padded, windows.axes)],
    }


def _arranged(value: Array, letters: str, *order: list[str] | str) -> Floats:
    """The array with its axes in this order: each list of letters as one, the last as two."""
    axes = [letters.index(letter) for part in order for letter in part]
    sizes = [[value.shape[letters.index(letter)] for letter in part] for part in order]
    along = [1, *sizes[-1]][-2:]
    shape = [*(math.prod(part) for part in sizes[:-1]), *along]
    return np.asarray(value, np.float64).transpose(axes).reshape(shape)


def _can_be_shown(image: Floats, kernels: Floats) -> bool:
    small = max(image.shape[-2:]) <= WIDEST and max(kernels.shape[-2:]) <= MOST_TAPS
    few = image.size + kernels.size <= MOST
    return small and few and bool(np.isfinite(image).all() and np.isfinite(kernels).all())


def _border(padded: Node, axes: tuple[int, ...]) -> list[list[int]]:
    """How many pixels before and after each axis are padding."""
    op = padded.op
    return [[op.low[axis], op.high[axis]] if isinstance(op, Pad) else [0, 0] for axis in axes]


def _numbers(value: Floats) -> object:
    """Nested lists, rounded to what a sum of products needs to be shown."""
    if value.ndim:
        return [_numbers(part) for part in value]
    return float(f"{value.item():.6g}")
