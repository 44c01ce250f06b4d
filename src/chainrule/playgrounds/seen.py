"""What is shown of a network: values over the plane as bytes for a scale of colours, and counts."""

from __future__ import annotations

import numpy as np

from chainc import ops
from chainc.ir import Node
from chainc.ir.types import float32, uint8
from chainrule.declare.leaves import constant, input
from chainrule.playgrounds.choices import WIDTH
from chainrule.playgrounds.kernels import Kernel

COARSE = 2  # points of the plane to one of a neuron's picture, along each side
NOTHING = 1e-20  # where no value is above it, all are left as they are
PARTS, REACH = 20, 1.5  # of a histogram, from -1.5 to 1.5


def output(grid: int) -> Kernel:
    """Neuron 0 at every point of the plane; `scale` is what is as blue as can be."""
    return {"bytes": as_bytes(input("values", (grid * grid, WIDTH))[:, 0] / input("scale"))}


def pictures(grid: int) -> Kernel:
    """Every neuron of a layer, each a smaller picture behind the other."""
    side = grid // COARSE
    values = ops.reshape(
        input("values", (grid * grid, WIDTH)), (side, COARSE, side, COARSE, WIDTH)
    )[:, 0, :, 0]
    return {"bytes": as_bytes(ops.permute_dims(values, (2, 0, 1)) / input("scale"))}


def on_one_scale(values: Node) -> tuple[Node, Node]:
    """Numbers from -1 to 1, and what is 1."""
    most = ops.max(ops.abs(values))
    return values / ops.maximum(most, NOTHING), most


def as_bytes(values: Node) -> Node:
    """-1 is 0, and 1 is 255."""
    byte = ops.floor(127.5 * values + 128.0)
    return ops.astype(ops.minimum(ops.maximum(byte, 0.0), 255.0), uint8)


def histogram() -> Kernel:
    """How many values are in each part; those of a neuron that is not there count for nothing."""
    values, there = input("values", ("rows", WIDTH)), input("there", (WIDTH,))
    part = ops.floor((values + REACH) * (PARTS / (2 * REACH)))
    inside = ops.minimum(ops.maximum(part, 0.0), PARTS - 1.0)
    parts = constant(np.arange(PARTS, dtype=np.float32))
    falls = ops.astype(ops.equal(inside[..., None], parts), float32)
    return {"counts": ops.sum(falls * there[:, None], axis=(0, 1))}
