"""A convolutional network as the volumes of numbers that flow through it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from chainc.dataclass import dataclass
from chainc.ir import Graph
from chainc.ir.errors import InputError
from chainrule.declare.arguments import count, several
from chainrule.declare.leaves import input
from chainrule.declare.windows.geometry import times
from chainrule.nn.images.convolution import Convolution, Kernels
from chainrule.nn.images.pooling import AvgPool, GlobalAvgPool2d, MaxPool
from chainrule.nn.images.resizing import Upsample
from chainrule.nn.linear import Linear
from chainrule.nn.module import Module
from chainrule.nn.summary import layers_applied
from chainrule.plots.given import at_most
from chainrule.plots.images.maps import SLIDING, checked_model
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import INK, legend_below, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 60
LINE = 14.5  # inches of a row
TALLEST, DEEPEST, THINNEST = 1.7, 0.8, 0.07  # inches
OBLIQUE = 0.35  # of a width, to the right and up
LETTER = 0.092  # inches
KINDS = {"image": "#E4E4E4", "convolution": "#9CC9E8", "pooling": "#F3C98B", "linear": "#9FD3BF"}


@dataclass(frozen=True)
class _Volume:
    """What one or more layers give: (channels, height, width), or a vector."""

    kind: str
    name: str
    sizes: tuple[int, ...]
    layers: int = 1

    @property
    def caption(self) -> str:
        many = f"{self.layers} × " if self.layers > 1 else ""
        return f"{many}{self.name}\n{'×'.join(map(str, self.sizes))}"

    @property
    def room(self) -> float:
        """Inches that its caption takes."""
        return LETTER * max(map(len, self.caption.split("\n"))) + 0.2


def volumes(model: Module, shape: Sequence[int]) -> Plot:
    """The results of convolutions, poolings and linear layers as boxes with their sizes.

    A box is as high and deep as its image and as thick as it has channels, by their square roots.
    Layers one after another that are alike and give the same sizes are one box.

    Args:
        model: a layer of layers, applied to images.
        shape: of one image: (channels, height, width).

    Raises:
        InputError: the shape is none, or the model has no such layers or too many.
        ShapeError: the model does not take such images.
    """
    require_matplotlib("volumes")
    hint = "give channels, height and width, such as (3, 224, 224)"
    given = several("volumes", "shape", shape, hint=hint)
    sizes = tuple(count("volumes", "a size of shape", size, hint=hint) for size in given)
    if len(sizes) != 3:
        raise InputError(f"volumes: {len(sizes)} sizes are no shape of an image", hint=hint)
    found = _joined([_Volume("image", "image", sizes), *_results(model, sizes)])
    at_most("volumes", "results of layers", len(found) - 1, MOST, "give a part of a model")
    return _plot(found, f"{checked_model('volumes', model).label} as volumes")


def _results(model: Module, sizes: tuple[int, ...]) -> Iterator[_Volume]:
    y = checked_model("volumes", model)(input("x", ("batch", *sizes)))
    nodes = Graph((y,)).nodes
    order = {node: position for position, node in enumerate(nodes)}
    found = [
        (order[inside[-1]], layer, inside[-1].shape[1:])
        for _, layer, inside in layers_applied(model, nodes)
        if isinstance(layer, (*SLIDING, GlobalAvgPool2d, Upsample, Linear))
    ]
    for _, layer, shape in sorted(found, key=lambda each: each[0]):
        known = tuple(dim for dim in shape if isinstance(dim, int))
        yield _Volume(*_called(layer), known)


def _called(layer: Module) -> tuple[str, str]:
    """Kind and name: `conv 3×3, /2` for a stride of 2."""
    if isinstance(layer, Linear):
        return "linear", "linear"
    if not isinstance(layer, Kernels | MaxPool | AvgPool):
        return "pooling", "upsample" if isinstance(layer, Upsample) else "average"
    kind = "convolution" if isinstance(layer, Kernels) else "pooling"
    word = {"convolution": "conv", "pooling": "max" if isinstance(layer, MaxPool) else "average"}
    upwards = isinstance(layer, Kernels) and not isinstance(layer, Convolution)
    name = "transposed" if upwards else word[kind]
    stride = max(slide.stride for slide in layer.slides.slides)
    taps = times(layer.slides.taps).replace(" ", "")
    return kind, f"{name} {taps}" + (f", /{stride}" if stride > 1 else "")


def _joined(volumes: Sequence[_Volume]) -> list[_Volume]:
    found: list[_Volume] = []
    for volume in volumes:
        if found and replace(found[-1], layers=1) == volume:
            found[-1] = replace(volume, layers=found[-1].layers + 1)
        else:
            found.append(volume)
    return found


def _rows(volumes: Sequence[_Volume]) -> list[list[tuple[float, _Volume]]]:
    """Volumes by rows, each with the middle of the room that it has."""
    rows: list[list[tuple[float, _Volume]]] = [[]]
    end = 0.0
    largest = _largest(volumes)
    for volume in volumes:
        room = max(volume.room, sum(_box(volume, largest)[::2]) + 0.25)
        if rows[-1] and end + room > LINE:
            rows.append([])
            end = 0.0
        rows[-1].append((end + room / 2, volume))
        end += room
    return rows


def _largest(volumes: Sequence[_Volume]) -> tuple[int, int]:
    """Channels, and the side of an image."""
    sides = [size for volume in volumes for size in volume.sizes[1:]]
    return max(volume.sizes[0] for volume in volumes), max(sides)


def _box(volume: _Volume, largest: tuple[int, int]) -> tuple[float, float, float]:
    """Thickness, height, and how far the back is moved: in inches."""
    channels, *sides = (
        math.sqrt(size / most)
        for size, most in zip(volume.sizes, (largest[0], largest[1], largest[1]), strict=False)
    )
    if not sides:  # a vector stands upright
        return THINNEST, TALLEST * max(channels, 0.1), 0.0
    high, wide = (max(TALLEST * side, THINNEST) for side in sides)
    return max(DEEPEST * channels, THINNEST), high, OBLIQUE * wide


def _plot(volumes: Sequence[_Volume], title: str) -> Plot:
    from matplotlib.patches import Patch

    rows, largest = _rows(volumes), _largest(volumes)
    pitch = TALLEST * (1 + OBLIQUE) + 0.75
    width = max(row[-1][0] + row[-1][1].room / 2 for row in rows)
    with paper(title, max(width + 0.7, 7.0), pitch * len(rows) + 1.2) as figure:
        axes = figure.subplots()
        for line, row in enumerate(rows):
            for middle, volume in row:
                _draw(axes, volume, largest, middle, -line * pitch)
        axes.set_axis_off()
        axes.set_aspect("equal")
        axes.set_xlim(-0.1, width + 0.1)
        axes.set_ylim(-pitch * (len(rows) - 1) - 0.65, TALLEST * (1 + OBLIQUE))
        kinds = dict.fromkeys(volume.kind for volume in volumes)
        legend_below(figure, [(Patch(facecolor=KINDS[kind]), kind) for kind in kinds])
    return Plot(figure, title)


def _draw(
    axes: Axes, volume: _Volume, largest: tuple[int, int], middle: float, bottom: float
) -> None:
    """A box: front, top and right side, the front's lower left corner on the bottom line."""
    from matplotlib.patches import Polygon

    thick, high, back = _box(volume, largest)
    left, right, top = middle - (thick + back) / 2, middle + (thick - back) / 2, bottom + high
    faces = (
        [(left, bottom), (right, bottom), (right, top), (left, top)],
        [(left, top), (right, top), (right + back, top + back), (left + back, top + back)],
        [(right, bottom), (right + back, bottom + back), (right + back, top + back), (right, top)],
    )
    for face in faces[: 3 if back else 1]:
        axes.add_patch(Polygon(face, facecolor=KINDS[volume.kind], edgecolor=INK, linewidth=0.8))
    axes.text(middle, bottom - 0.1, volume.caption, ha="center", va="top", fontsize=10)
