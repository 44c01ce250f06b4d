"""The page of a classifier: of points in the plane, or of pictures that are drawn or dropped."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from chainc import ir, ops
from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ir.types import Array, has_named_size, static
from chainrule.datasets.dataset import Dataset, Split
from chainrule.declare.calls import answering
from chainrule.declare.functional import softmax
from chainrule.declare.leaves import input
from chainrule.playgrounds.lessons.contents import Contents, Line
from chainrule.playgrounds.lessons.functions import Outputs
from chainrule.playgrounds.lessons.looks import Look, Size, looks_at_picture
from chainrule.playgrounds.lessons.pictures import from_pixels, picture_size
from chainrule.playgrounds.lessons.plane import grid_of, painted_of_shares, reach_of
from chainrule.playgrounds.modules import GRID
from chainrule.steps.loop import Training

Model = Callable[[Node], Node]
EXAMPLES = 20  # of the test data that can be looked at


def classes(function: str, model: Model, training: Training, data: Dataset) -> Contents:
    """What a page of a classifier shows.

    Raises:
        InputError: data, training and model do not fit each other.
    """
    inputs = _inputs(function, training, data)
    answers = answering(model, f"the model of {function}")
    shares = _shares(function, answers(inputs.x), data)
    size = picture_size(inputs.x)
    beside, looks = ({}, []) if size is None else _for_pictures(model, inputs.x, size, data)
    is_plane = data.train.x.shape[1] == 2
    width = math.prod(static(shares.shape[1:]))
    if is_plane:
        beside = {**beside, "paint": {"painted": painted_of_shares(width, len(data.classes))}}
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
            "width": width,
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


def _for_pictures(
    model: Model, x: Node, size: Size, data: Dataset
) -> tuple[Mapping[str, Outputs], list[Look]]:
    """Functions of one picture: what is seen in it, and how a file becomes one."""
    one = input("x", (1, *static(x.shape[1:])), x.dtype)
    scores = model(one)
    looks = looks_at_picture(model, one, ops.reshape(scores, (1, -1)), size)
    seen = {name: node for i, look in enumerate(looks) for name, node in look.outputs(i).items()}
    return {"looks": seen, "picture": {"x": from_pixels(size, data.train.x)}}, looks
