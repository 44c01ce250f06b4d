"""What each layer of a convolutional network makes of an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node
from chainc.ir.errors import InputError
from chainrule.compiled.compilation import compile
from chainrule.compiled.state import State
from chainrule.declare.arguments import count
from chainrule.declare.leaves import input
from chainrule.evaluation.values import Floats
from chainrule.nn.images.convolution import Kernels
from chainrule.nn.images.pooling import AdaptiveAvgPool2d, AvgPool, MaxPool
from chainrule.nn.module import Module
from chainrule.nn.summary import layers_applied
from chainrule.plots.given import numbers
from chainrule.plots.images.tiles import ACROSS, DOWN, above, beside, bound, seen, signed
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import label, require_matplotlib
from chainrule.writing.array_text import number_text

MOST_LAYERS = 12
MOST_MAPS = 12  # of a layer
SLIDING = (Kernels, MaxPool, AvgPool, AdaptiveAvgPool2d)


@dataclass(frozen=True)
class _Maps:
    """What a layer gives for one image: (channels, height, width)."""

    name: str
    values: Floats

    @property
    def scale(self) -> float:
        return float(np.abs(self.values).max()) or 1.0

    def told(self) -> str:
        sizes = "×".join(map(str, self.values.shape))
        return f"{label(self.name)}\n{sizes}\n±{number_text(self.scale, 2)}"


def feature_maps(
    model: Module, images: object, state: State, *, layers: int = 12, most: int = 8
) -> Plot:
    """The maps that every layer of convolution and pooling gives for an image, a row a layer.

    Orange is below 0, white 0, blue above; each row has a scale of its own, which is written
    beside it with the layer's name and sizes. Batch statistics are the running ones, and nothing
    is dropped, as in a prediction.

    Args:
        model: a layer of layers, applied to images (batch, channels, height, width).
        images: of which the first is shown.
        state: the values of the model's parameters, such as `result.state`.
        layers: so many layers at most, spread evenly from the first to the last.
        most: so many maps at most of each, the first ones.

    Raises:
        InputError: the model has no such layers, the images are none, or a number does not fit.
        StateError: the state lacks a value.
    """
    require_matplotlib("feature_maps")
    rows = count("feature_maps", "layers", layers, hint="give a number from 1 to 12")
    across = count("feature_maps", "most", most, hint="give a number from 1 to 12")
    if rows > MOST_LAYERS or across > MOST_MAPS:
        raise InputError(
            f"feature_maps: {rows} layers of {across} maps do not fit on a page",
            hint=f"give at most layers={MOST_LAYERS} and most={MOST_MAPS}",
        )
    image = image_of("feature_maps", images)[:1]
    found = _computed(checked_model("feature_maps", model), image, state)
    shown = [found[position] for position in _spread(len(found), rows)]
    return _plot(image[0], shown, min(across, max(len(each.values) for each in shown)), len(found))


def image_of(function: str, images: object) -> Floats:
    """Images (batch, channels, height, width), at least one."""
    hint = "give images (batch, channels, height, width), such as images[:1]"
    return numbers(function, "images", images, rank=4, hint=hint)


def checked_model(function: str, model: object) -> Module:
    """The model, if it is one.

    Raises:
        InputError: it is none.
    """
    if isinstance(model, Module):
        return model
    raise InputError(
        f"{function}: a {type(model).__name__} is no model",
        hint="give a layer of layers, such as nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU())",
    )


def sliding_layers(model: Module, y: Node) -> Iterator[tuple[str, Module, Node]]:
    """(name inside the model, layer, its result) for convolutions and poolings, as applied."""
    nodes = Graph((y,)).nodes
    results = [
        (path.partition("/")[2] or path, layer, inside[-1])
        for path, layer, inside in layers_applied(model, nodes)
        if isinstance(layer, SLIDING) and inside[-1].ndim == 4
    ]
    order = {node: position for position, node in enumerate(nodes)}
    yield from sorted(results, key=lambda result: order[result[2]])


def _computed(model: Module, image: Floats, state: State) -> Sequence[_Maps]:
    x = input("x", ("batch", *image.shape[1:]))
    results: Mapping[str, Node] = {name: y for name, _, y in sliding_layers(model, model(x))}
    if not results:
        raise InputError(
            f"feature_maps: {model.label} has no layers of convolution or pooling",
            hint="give a network for images, such as nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU())",
        )
    run = compile(list(results.values()), target="numpy").bind(state)
    values = run(x=image.astype(np.float32))
    pairs = zip(results, values, strict=True)
    return [_Maps(name, value[0].astype(np.float64)) for name, value in pairs]


def _spread(found: int, most: int) -> Sequence[int]:
    if found <= most:
        return range(found)
    return sorted({round(position) for position in np.linspace(0, found - 1, most)})


def _plot(image: Floats, layers: Sequence[_Maps], columns: int, found: int) -> Plot:
    rows = len(layers) + 1
    told = f"{len(layers)} of {found}" if len(layers) < found else f"{found}"
    title = f"Feature maps of {told} layer{'s' if found > 1 else ''}"
    width = max(0.95 * ACROSS * columns + 3.0, 6.5)
    with paper(title, width, 0.95 * DOWN * rows + 0.9) as figure:
        axes = figure.subplots()
        beside(axes, f"image\n{'×'.join(map(str, image.shape))}", 0)
        seen(axes, image, 0, 0, float(image.min()), float(image.max()))
        for row, each in enumerate(layers, start=1):
            beside(axes, each.told(), row)
            for column, values in enumerate(each.values[:columns]):
                above(axes, f"{column}", column, row)
                signed(axes, values, column, row, each.scale)
        bound(axes, columns, rows)
    return Plot(figure, title)
