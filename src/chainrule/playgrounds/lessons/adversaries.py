"""The page of two networks against each other: points are made, and told from real ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainc import ir, ops
from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ir.types import has_named_size
from chainrule.datasets.dataset import Dataset
from chainrule.declare.leaves import input
from chainrule.nn.module import Module
from chainrule.playgrounds.lessons.contents import Contents, Line
from chainrule.playgrounds.lessons.plane import grid_of, painted, reach_of
from chainrule.playgrounds.modules import GRID
from chainrule.steps.loop import Training

MADE, SHOWN = 400, 400  # points that are made, and real ones that are drawn
HINT = (
    "give (generator, discriminator): from noise to points in the plane, and from points to a score"
)


def adversaries(
    function: str, networks: Sequence[object], training: Training, data: Dataset
) -> Contents:
    """What a page of a generator and a discriminator shows.

    Raises:
        InputError: data, training and networks do not fit each other.
    """
    generator, discriminator = networks if len(networks) == 2 else (None, None)
    if not isinstance(generator, Module) or not isinstance(discriminator, Module):
        raise InputError(f"{function}: {networks!r} are no two networks", hint=HINT)
    real = _real(function, training)
    seed, places = input("seed", (), "int64"), input("places", (GRID * GRID, 2))
    made = generator(ops.normal((MADE, _noise(function, generator)), seed, stream="made"))
    judged = discriminator(places)
    if made.shape != (MADE, 2) or judged.shape != (GRID * GRID, 1) or data.train.x.shape[1] != 2:
        raise InputError(
            f"{function}: of points in the plane the generator gives {made.type}, the "
            f"discriminator {judged.type}",
            hint=HINT,
        )
    shares = ops.reshape(ops.sigmoid(judged), (GRID * GRID,))
    names = training.step.names
    reach = reach_of(data.train.x)
    labels = [name.removesuffix("_loss") for name in names]
    return Contents(
        kind="adversaries",
        scripts=("plane",),
        train={real.op.label: np.ascontiguousarray(data.train.x, real.dtype.numpy)},
        test={real.op.label: np.empty((0, 2), real.dtype.numpy)},
        lines=tuple(
            Line(f"{place}-loss", f"Loss of {label}", "train", name)
            for place, label, name in zip(("train", "test"), labels, names, strict=False)
        ),
        drawn=discriminator(generator(input("noise", ("batch", _noise(function, generator))))),
        told={
            "classes": ["made by the generator", "real"],
            "width": 1,
            "grid": GRID,
            "reach": reach,
            "places": [float(each) for each in grid_of(reach).ravel()],
            "points": [[*map(float, point), 1] for point in data.train.x[:SHOWN]],
        },
        beside={
            "made": {"points": made},
            "judged": {"shares": shares, "painted": painted(shares, 2)},
        },
    )


def _real(function: str, training: Training) -> Node:
    found = [n for n in ir.Graph(training.outputs).leaves("input") if has_named_size(n.shape)]
    if len(found) == 1 and found[0].ndim == 2 and found[0].shape[1] == 2:
        return found[0]
    shown = ", ".join(f"{node.op.label} {node.type}" for node in found)
    raise InputError(
        f"{function}: the training takes {shown or 'no rows'}, and no points in the plane alone",
        hint='declare cr.input("real", ("batch", 2)), and draw the noise with cr.normal',
    )


def _noise(function: str, generator: Module) -> int:
    shape = generator.input_shape()
    width = shape[-1] if shape else None
    if isinstance(width, int):
        return width
    raise InputError(
        f"{function}: {generator!r} does not say how much noise it takes",
        hint="let it begin with a layer such as nn.Linear(2, 32)",
    )
