"""On which pixels a score depends most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainc.autodiff import grad
from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ops import sum as sum_of
from chainrule.compiled.compilation import compile
from chainrule.compiled.state import State
from chainrule.declare.arguments import count, several
from chainrule.declare.leaves import input
from chainrule.evaluation.values import Floats
from chainrule.nn.activation import LogSoftmax, Softmax
from chainrule.nn.module import Module
from chainrule.nn.sequential import Sequential
from chainrule.plots.given import at_most
from chainrule.plots.images.maps import checked_model, image_of
from chainrule.plots.images.tiles import ACROSS, DOWN, above, beside, bound, place, seen
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import VERMILLION, require_matplotlib

MOST = 8  # images in a plot


def saliency(
    model: Module, images: object, state: State, *, classes: Sequence[int] | None = None
) -> Plot:
    """|∂ score / ∂ pixel| of each image, the largest of its channels, alone and over the image.

    The score is that of a class before the softmax: a probability also rises where the scores of
    other classes fall. A softmax at the end of an `nn.Sequential` is left out. The darker a pixel,
    the more the score changes with it; each image has a scale of its own (Simonyan, Vedaldi and
    Zisserman, ICLR workshop 2014).

    Args:
        model: a classifier: images (batch, channels, height, width) to scores (batch, classes).
        images: at most 8.
        state: the values of the model's parameters, such as `result.state`.
        classes: one an image, of which the score is taken; by default that with the highest.

    Raises:
        InputError: the model gives no scores, the images are none or too many, or the classes
            do not fit.
        StateError: the state lacks a value.
    """
    require_matplotlib("saliency")
    given = image_of("saliency", images)
    at_most("saliency", "images", len(given), MOST, "give some of them, such as images[:8]")
    x = input("x", ("batch", *given.shape[1:]))
    scores = _before_softmax(checked_model("saliency", model))(x)
    if scores.ndim != 2 or not isinstance(scores.shape[1], int):
        raise InputError(
            f"saliency: {model.label} gives {scores.type}, not scores [batch,classes]",
            hint="give a classifier whose last layer is an nn.Linear",
        )
    wanted = None if classes is None else _classes(classes, len(given), scores.shape[1])
    chosen, slopes = _computed(x, scores, given, state, wanted)
    return _plot(given, slopes, chosen)


def _before_softmax(model: Module) -> Module:
    if isinstance(model, Sequential) and isinstance(model[len(model) - 1], Softmax | LogSoftmax):
        return model[:-1]
    return model


def _classes(given: object, images: int, most: int) -> list[int]:
    hint = f"give a class from 0 to {most - 1} for each of the images"
    listed = several("saliency", "classes", given, hint=hint)
    found = [count("saliency", "a class", each, at_least=0, hint=hint) for each in listed]
    if len(found) != images or max(found) >= most:
        raise InputError(f"saliency: classes {found} do not fit {images} images", hint=hint)
    return found


def _computed(
    x: Node, scores: Node, images: Floats, state: State, wanted: list[int] | None
) -> tuple[list[int], Floats]:
    """The class of each image, and the slopes (image, height, width)."""
    chosen = input("chosen", scores.shape)
    slope = grad(sum_of(scores * chosen), x)
    pixels = images.astype(np.float32)
    if wanted is None:
        found = compile(scores, target="numpy").bind(state)(x=pixels)
        wanted = [int(each) for each in found.argmax(axis=1)]
    one_hot = np.eye(_width(scores), dtype=np.float32)[wanted]
    values = compile(slope, target="numpy").bind(state)(x=pixels, chosen=one_hot)
    return wanted, np.abs(values.astype(np.float64)).max(axis=1)


def _width(scores: Node) -> int:
    width = scores.shape[1]
    assert isinstance(width, int)
    return width


def _plot(images: Floats, slopes: Floats, classes: Sequence[int]) -> Plot:
    from matplotlib.colors import LinearSegmentedColormap

    columns = len(images)
    title = f"Saliency of {columns} image{'s' if columns > 1 else ''}"
    hot = LinearSegmentedColormap.from_list("saliency", ["#FFFFFF", VERMILLION, "#5A2800"])
    tile = 1.7 if columns <= 4 else 1.4
    size = max(tile * ACROSS * columns + 2.2, 6.0), tile * DOWN * 3 + 0.9
    with paper(title, *size) as figure:
        axes = figure.subplots()
        for row, text in enumerate(("image", "|∂ score\n/ ∂ pixel|", "both")):
            beside(axes, text, row)
        for column, (image, slope) in enumerate(zip(images, slopes, strict=True)):
            share = slope / (slope.max() or 1.0)
            above(axes, f"class {classes[column]}", column, 0)
            for row in (0, 2):
                seen(axes, image, column, row, float(image.min()), float(image.max()))
            for row, cover in ((1, 1.0), (2, share)):
                axes.imshow(
                    share, extent=place(column, row, share), interpolation="none",
                    cmap=hot, vmin=0.0, vmax=1.0, alpha=cover,
                )  # fmt: skip
        bound(axes, columns, 3)
    return Plot(figure, title)
