"""Mistakes in convolution and pooling: the kernel's direction, the border, the stride, the mask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from chainc.ir import Node
from chainc.ops.contract import Contract
from chainc.ops.index import Pick
from chainc.ops.parts.slicing import Pad
from chainc.ops.parts.window import Sliding, Window
from chainrule.evaluation.values import Floats
from chainrule.teaching.grading.case import Case, Site, Suspect
from chainrule.teaching.grading.mistakes import Mistake


def wrong_direction(case: Case) -> Iterator[Suspect]:
    """The kernel turned where it should not be, or not where it should."""
    for site, windows in _convolutions(case):
        taps = _taps(windows)
        kernel = site.reader.inputs[1 - site.added.position]
        if site.operand is windows:
            turned = {kernel: np.flip(case.value(kernel), taps)}
            value = case.attempt.steps.pull(site.reader, site.above, turned)[site.added.position]
            what = (
                f"going back through {case.called(site.reader)} the kernel {case.called(kernel)} "
                "is not flipped: a pixel meets tap (i, j) where the window begins i rows and j "
                "columns before it"
            )
            hint = "add for each tap: dx[p + i, q + j] += G[p, q]·w[i, j]; as a convolution of G "
            hint += "this is one with the kernel turned in both directions"
        else:
            value = np.flip(site.added.value, taps)
            what = f"the gradient of the kernel {case.called(site.operand)} is flipped"
            hint = "dw[i, j] = Σ G[p, q]·x[p + i, q + j]: the pixels are read as in the forward "
            hint += "pass"
        gradient = case.instead(site, np.asarray(value))
        if gradient is not None:
            yield Suspect("kernel's direction", gradient, what, site.reader, hint)


def forgotten_border(case: Case) -> Iterator[Suspect]:
    """The padding not cut off, cut off at one side alone, or left out of the sums."""
    for site in case.sites():
        if not isinstance(site.reader.op, Pad):
            continue
        for word, value in _cut(site):
            gradient = case.instead(site, value)
            if gradient is not None:
                yield Suspect(
                    "forgotten padding",
                    gradient,
                    f"this is the gradient of the padded image of {case.called(site.reader)}, "
                    f"{word}",
                    site.reader,
                    "the gradient of an image is that of the padded one without its border: cut "
                    "off what was put around it, on each side",
                    word,
                )
    for site, windows in _convolutions(case):
        padded = windows.inputs[0]
        if site.operand is windows or not isinstance(padded.op, Pad):
            continue
        unmoved = _moved_to_corner(case.value(padded.inputs[0]), case.value(padded).shape)
        yield from _other_windows(
            case, site, windows, case.attempt.steps.apply(windows, unmoved), "forgotten padding",
            "is computed from the image without its border",
            "take the windows of the padded image, as the forward pass does",
        )  # fmt: skip


def forgotten_stride(case: Case) -> Iterator[Suspect]:
    """Positions one pixel apart, where the kernel moved by more."""
    for site, windows in _convolutions(case):
        if site.operand is not windows and _strides(windows):
            near = _near_windows(case.value(windows.inputs[0]), windows, case.value(windows))
            yield from _other_windows(
                case, site, windows, near, "forgotten stride",
                "is computed from windows one pixel apart",
                "position p reads the pixels from p·stride on, in the backward pass too",
            )  # fmt: skip
    for site in case.sites():
        if not isinstance(site.reader.op, Window) or not _strides(site.reader):
            continue
        near = _added_near(site.above, site.reader, site.added.value)
        gradient = case.instead(site, near)
        if gradient is not None:
            yield Suspect(
                "forgotten stride",
                gradient,
                f"what comes back to {case.called(site.operand)} is added one pixel apart, while "
                f"the windows of {case.called(site.reader)} lie further apart",
                site.reader,
                "position p adds to the pixels from p·stride on: dx[p·stride + i] += …",
            )


def wrong_mask(case: Case) -> Iterator[Suspect]:
    """Max pooling that gives its gradient to others than the largest element."""
    for site in case.sites():
        if not isinstance(site.reader.op, Pick) or site.added.position != 0:
            continue
        rows = case.value(site.operand)
        everywhere = np.broadcast_to(site.above[..., None], rows.shape)
        largest = rows == rows.max(axis=-1, keepdims=True)
        for word, value in (
            ("to every pixel of a window", everywhere),
            ("in equal parts to all pixels of a window, as in average pooling",
             everywhere / rows.shape[-1]),
            ("to each of several equal largest pixels", everywhere * largest),
        ):  # fmt: skip
            gradient = case.instead(site, np.asarray(value))
            if gradient is not None:
                yield Suspect(
                    "pooling's mask",
                    gradient,
                    f"{case.called(site.reader)} hands its gradient {word}",
                    site.reader,
                    "only the pixel that was the largest changes the maximum; of equal ones the "
                    "first takes it all: keep its place from the forward pass",
                    word,
                )


def _convolutions(case: Case) -> Iterator[tuple[Site, Node]]:
    """Steps back through a contraction over windows, with these."""
    for site in case.sites():
        operands = site.reader.inputs
        if isinstance(site.reader.op, Contract) and len(operands) == 2:
            for operand in operands:
                if isinstance(operand.op, Window):
                    yield site, operand


def _slides(windows: Node) -> tuple[Sliding, ...]:
    assert isinstance(windows.op, Window)
    return windows.op.slides


def _taps(windows: Node) -> tuple[int, ...]:
    """Their axes, which are the last ones of windows and of kernels."""
    return tuple(range(-len(_slides(windows)), 0))


def _strides(windows: Node) -> bool:
    return any(slide.stride > 1 for slide in _slides(windows))


def _other_windows(
    case: Case, site: Site, windows: Node, value: Floats, kind: str, what: str, hint: str
) -> Iterator[Suspect]:
    """The gradient of a kernel, had the windows been others."""
    added = case.attempt.steps.pull(site.reader, site.above, {windows: value})
    gradient = case.instead(site, added[site.added.position])
    if gradient is not None:
        told = f"the gradient of the kernel {case.called(site.operand)} {what}"
        yield Suspect(kind, gradient, told, site.reader, hint)


def _cut(site: Site) -> Iterator[tuple[str, Floats]]:
    """What one gets by cutting a padded gradient wrongly."""
    yield "whose border is not cut off", site.above
    shape = site.added.value.shape
    low = tuple(slice(0, size) for size in shape)
    high = tuple(slice(many - size, many) for size, many in zip(shape, site.above.shape,
                                                                strict=True))  # fmt: skip
    yield "cut off at the end alone", site.above[low]
    yield "cut off at the beginning alone", site.above[high]


def _moved_to_corner(image: Floats, shape: Sequence[int]) -> Floats:
    after = [(0, whole - size) for size, whole in zip(image.shape, shape, strict=True)]
    return np.pad(image, after)


def _near_windows(image: Floats, windows: Node, like: Floats) -> Floats:
    """The windows of an image, at as many positions as there are, but one pixel apart."""
    read = [image[pixels] for pixels in _near(windows, like.shape)]
    return np.stack(read, axis=-1).reshape(like.shape)


def _added_near(above: Floats, windows: Node, like: Floats) -> Floats:
    """Windows added to an image one pixel apart."""
    value = np.zeros_like(like)
    taps = above.reshape(*above.shape[: value.ndim], -1)
    for tap, pixels in enumerate(_near(windows, above.shape)):
        value[pixels] += taps[..., tap]
    return value


def _near(windows: Node, shape: Sequence[int]) -> Iterator[tuple[slice, ...]]:
    """For each tap the pixels that it would read, one apart; `shape` is that of the windows."""
    assert isinstance(windows.op, Window)
    slides = windows.op.slides
    for taps in product(*(range(slide.taps) for slide in slides)):
        index = [slice(None)] * windows.inputs[0].ndim
        for axis, tap, slide in zip(windows.op.axes, taps, slides, strict=True):
            start = tap * slide.dilation
            index[axis] = slice(start, start + shape[axis])
        yield tuple(index)


WINDOWS: tuple[Mistake, ...] = (wrong_direction, forgotten_border, forgotten_stride, wrong_mask)
