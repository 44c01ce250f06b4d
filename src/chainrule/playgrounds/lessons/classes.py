"""The page of a classifier: of points in the plane, or of pictures that are drawn or dropped."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from chainc import ir, ops
from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ir.types import Array, float32, has_named_size, static
from chainrule.datasets.dataset import Dataset, Split
from chainrule.declare.calls import answering
from chainrule.declare.functional import softmax
from chainrule.declare.leaves import input
from chainrule.playgrounds.lessons.contents import Contents, Line
from chainrule.playgrounds.lessons.functions import Outputs
from chainrule.playgrounds.lessons.looks import Look, Size, looks_at_picture
from chainrule.playgrounds.lessons.plane import grid_of, reach_of
from chainrule.playgrounds.modules import GRID
from chainrule.steps.loop import Training

Model = Callable[[Node], Node]
EXAMPLES = 20  # of the test data that can be looked at
SMALLEST = 4  # side of what is taken for a picture
LIGHTNESS = (0.299, 0.587, 0.114)  # of red, green and blue (Rec. 601)


def classes(function: str, model: Model, training: Training, data: Dataset) -> Contents:
    """What a page of a classifier shows.

    Raises:
        InputError: data, training and model do not fit each other.
    """
    inputs = _inputs(function, training, data)
    answers = answering(model, f"the model of {function}")
    shares = _shares(function, answers(inputs.x), data)
    size = _picture_size(inputs.x)
    beside, looks = ({}, []) if size is None else _for_pictures(model, inputs.x, size, data)
    is_plane = data.train.x.shape[1] == 2
    reach = reach_of(data.train.x) if is_plane else []
    loss = training.step.names[0]
    return Contents(
        kind="classes",
        scripts=("plane", "looks", "drawing", "picture_file"),
        train=inputs.arrays(data.train),
        test=inputs.arrays(data.test),
        lines=(
            Line("train-loss", "Training loss", "train", loss),
            Line("test-loss", "Test loss", "test", loss),
        ),
        drawn=shares,
        told={
            "classes": data.classes,
            "truth": data.test.y.tolist(),
            "width": math.prod(static(shares.shape[1:])),
            "size": size,
            "levels": [float(data.train.x.min()), float(data.train.x.max())],
            "examples": data.test.x[:EXAMPLES].tolist() if size else [],
            "looks": [{"title": each.title, "told": each.told} for each in looks],
            "grid": GRID if is_plane else 0,
            "reach": reach,
            "points": np.column_stack([data.train.x, data.train.y]).tolist() if is_plane else [],
        },
        to_worker={
            "x": inputs.x.op.label,
            "judges": True,
            "plane": [float(each) for each in grid_of(reach).ravel()] if is_plane else None,
        },
        predict=shares,
        beside=beside,
    )


@dataclass(frozen=True, eq=False)
class _Inputs:
    """The inputs of a training: features and classes."""

    x: Node
    y: Node

    def arrays(self, split: Split) -> Mapping[str, Array]:
        shape = (len(split), *static(self.x.shape[1:]))
        x = np.ascontiguousarray(split.x.reshape(shape), self.x.dtype.numpy)
        y = np.ascontiguousarray(split.y.reshape(len(split), *static(self.y.shape[1:])))
        return {self.x.op.label: x, self.y.op.label: y.astype(self.y.dtype.numpy)}


def _inputs(function: str, training: Training, data: Dataset) -> _Inputs:
    found = [
        node for node in ir.Graph(training.outputs).leaves("input") if has_named_size(node.shape)
    ]
    wide = [node for node in found if len(node.shape) > 1]
    features = data.train.x.shape[1]
    others = [node for node in found if not any(node is each for each in wide[:1])]
    if not wide or len(others) != 1 or math.prod(static(wide[0].shape[1:])) != features:
        shown = ", ".join(f"{node.op.label} {node.type}" for node in found)
        raise InputError(
            f"{function}: the training takes {shown or 'no rows'}; the data have {features} "
            "features and a class for each row",
            hint='declare cr.input("x", ("batch", features)) and '
            'cr.input("y", ("batch",), dtype="int32")',
        )
    return _Inputs(wide[0], others[0])


def _shares(function: str, scores: object, data: Dataset) -> Node:
    """Probabilities of the classes, or of the second of two."""
    count = len(data.classes)
    if isinstance(scores, Node):
        width = math.prod(static(scores.shape[1:]))
        if width == count and len(scores.shape) == 2:
            return softmax(scores, axis=1)
        if width == 1 and count == 2:
            return ops.sigmoid(scores)
    raise InputError(
        f"{function}: the model gives {scores!r} for {count} classes",
        hint="let it give a row of scores, one for each class",
    )


def _picture_size(x: Node) -> Size | None:
    """Of one row, if it is a picture that can be drawn: grey, or in red, green and blue."""
    shape = static(x.shape[1:])
    side = math.isqrt(math.prod(shape))
    if len(shape) == 3 and shape[0] in (1, 3) and min(shape[1:]) >= SMALLEST:
        return shape[0], shape[1], shape[2]
    if len(shape) < 3 and side >= SMALLEST and side * side == math.prod(shape):
        return 1, side, side
    return None


def _for_pictures(
    model: Model, x: Node, size: Size, data: Dataset
) -> tuple[Mapping[str, Outputs], list[Look]]:
    """Functions of one picture: what is seen in it, and how a file becomes one."""
    one = input("x", (1, *static(x.shape[1:])), x.dtype)
    scores = model(one)
    looks = looks_at_picture(model, one, ops.reshape(scores, (1, -1)), size)
    seen = {
        name: node
        for i, look in enumerate(looks)
        for name, node in zip((f"look{i}", f"most{i}"), look.scaled(), strict=True)
    }
    return {"looks": seen, "picture": {"x": _from_pixels(size, data)}}, looks


def _from_pixels(size: Size, data: Dataset) -> Node:
    """A picture for the model, of the bytes of red, green, blue and cover of its pixels.

    What is grey gets the whole range of greys, and where the data are on a dark ground a picture
    on a light one is turned into its negative.
    """
    channels, height, width = size
    low, high = float(data.train.x.min()), float(data.train.x.max())
    pixels = ops.astype(input("pixels", (height, width, 4), "uint8"), float32) / 255.0
    cover = pixels[..., 3:]
    colours = pixels[..., :3] * cover + (1 - cover)  # on white paper
    if channels == 3:
        return low + (high - low) * ops.permute_dims(colours, (2, 0, 1))
    grey = _lightness(colours)
    least, most = ops.min(grey), ops.max(grey)
    spread = (grey - least) / ops.maximum(most - least, 0.1)
    if _is_dark(data.train.x.reshape(-1, height, width), (low + high) / 2):
        spread = ops.where(_edge(spread) > 0.5, 1 - spread, spread)
    return low + (high - low) * ops.reshape(spread, (1, height, width))


def _lightness(colours: Node) -> Node:
    """The lightness of each pixel."""
    red, green, blue = (share * colours[..., i] for i, share in enumerate(LIGHTNESS))
    return red + green + blue


def _edge(picture: Node) -> Node:
    """The mean of a picture's border."""
    sides = picture[0], picture[-1], picture[1:-1, 0], picture[1:-1, -1]
    return ops.mean(ops.concat(list(sides)))


def _is_dark(pictures: Array, middle: float) -> bool:
    edges = pictures[:, 0], pictures[:, -1], pictures[:, :, 0], pictures[:, :, -1]
    return float(np.mean([each.mean() for each in edges])) < middle
