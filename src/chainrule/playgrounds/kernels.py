"""The graphs that the page runs: every number on it comes from one of these.

A network of the page has up to 6 hidden layers of up to 8 neurons. Its parameters are one array
of blocks, one for each layer: 8 x 8 weights, the weights of a neuron beside each other, and 8
biases. A neuron that is not there has a mask of 0; the output is neuron 0 of the last block.
Activations and optimizers are coefficients of one formula each: to choose another needs no other
program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainc import ops
from chainc.ir import Node
from chainc.ir.types import float32, static
from chainrule.declare.derivatives import grad
from chainrule.declare.leaves import constant, input
from chainrule.playgrounds.choices import ACTIVATION_PARTS, INITIALISATIONS, OPTIMIZER_PARTS

WIDTH = 8  # of every layer, and the features
DEEPEST = 6  # hidden layers
BLOCK = WIDTH * WIDTH + WIDTH
Kernel = Mapping[str, Node]  # what a function computes, by name


def step(depth: int) -> Kernel:
    """One update of a network with that many hidden layers, on the rows of a batch."""
    x, target = input("x", ("rows", WIDTH)), input("target", ("rows",))
    parameters = input("parameters", ((depth + 1) * BLOCK,))
    coefficients = input("coefficients", (depth + 1, ACTIVATION_PARTS))
    masks = input("masks", (depth + 1, WIDTH))
    values, parts = x, []
    for layer in range(depth):
        weights, biases = _parts(parameters, layer)
        parts += [weights, biases]
        z = values @ weights.T + biases
        values = activation(z, coefficients[layer]) * masks[layer]
    weights, biases = (part[0] for part in _parts(parameters, depth))
    output = activation(values @ weights + biases, coefficients[depth])
    loss = ops.mean(losses(output, target, input("logistic")))
    gradients = grad(loss, [*parts, weights, biases])
    return _updated(parameters, _in_blocks(gradients))


def _in_blocks(gradients: Sequence[Node]) -> Node:
    """As the parameters lie: the last block has only neuron 0."""
    *others, weights, bias = gradients
    flat = [ops.reshape(each, (-1,)) for each in others]
    unused = [np.zeros(count, np.float32) for count in (WIDTH * WIDTH - WIDTH, WIDTH - 1)]
    last = [weights, constant(unused[0]), ops.reshape(bias, (1,)), constant(unused[1])]
    return ops.concat([*flat, *last])


def _parts(parameters: Node, layer: int) -> tuple[Node, Node]:
    start = layer * BLOCK
    weights = parameters[start : start + WIDTH * WIDTH]
    return ops.reshape(weights, (WIDTH, WIDTH)), parameters[start + WIDTH * WIDTH : start + BLOCK]


def activation(z: Node, part: Node) -> Node:
    """(a t + b z t) / (1 - c t) + d z + e relu(z) + f; see `choices.ACTIVATIONS`."""
    positive = ops.relu(z)
    t = ops.tanh(part[0] * z + part[1] * positive + part[2] * z * z * z)
    bent = (part[3] * t + part[4] * z * t) / (1 - part[5] * t)
    return bent + part[6] * z + part[7] * positive + part[8]


def losses(output: Node, target: Node, logistic: Node) -> Node:
    """Of each row: half the squared error, or the logistic loss of a target of -1 or 1."""
    error = output - target
    return ops.where(logistic > 0.5, ops.softplus(-target * output), 0.5 * error * error)


def _updated(parameters: Node, gradient: Node) -> Kernel:
    (size,) = static(parameters.shape)
    first, second = input("first", (size,)), input("second", (size,))
    sums, rate = input("sums", (2,)), input("rate")
    part = input("optimizer", (OPTIMIZER_PARTS,))
    is_weight = np.tile(np.repeat([1.0, 0.0], [WIDTH * WIDTH, WIDTH]), size // BLOCK)
    shrunk = input("l2") * parameters + input("l1") * ops.sign(parameters)
    slope = gradient + constant(is_weight.astype(np.float32)) * shrunk
    new_first = part[0] * first + part[1] * slope
    new_second = part[2] * second + part[3] * slope * slope
    # what the moments would be if all gradients so far had been 1: Adam divides by it
    new_sums = sums * part[0:4:2] + part[1:4:2]
    first_sum, second_sum = (part[8] * new_sums[i] + (1 - part[8]) for i in range(2))
    direction = part[4] * new_first / first_sum + part[5] * slope
    change = rate * direction / (part[6] * ops.sqrt(new_second / second_sum) + part[7])
    return {
        "parameters": parameters - change,
        "first": new_first,
        "second": new_second,
        "sums": new_sums,
    }


def layer() -> Kernel:
    """A layer's sums and its values."""
    z, values = _layer(input("x", ("rows", WIDTH)), input("block", (BLOCK,)))
    return {"z": z, "values": values}


def layer_backward() -> Kernel:
    """From the gradient of a layer's values those of all that it has."""
    x, block = input("x", ("rows", WIDTH)), input("block", (BLOCK,))
    z, values = _layer(x, block)
    from_above = ops.sum(values * input("above", ("rows", WIDTH)))
    of_z, of_x, of_block = grad(from_above, [z, x, block])
    return {"z": of_z, "x": of_x, "block": of_block, "norm": ops.sqrt(ops.sum(of_block * of_block))}


def _layer(x: Node, block: Node) -> tuple[Node, Node]:
    weights, biases = _parts(block, 0)
    z = x @ weights.T + biases
    coefficients, mask = input("coefficients", (ACTIVATION_PARTS,)), input("mask", (WIDTH,))
    return z, activation(z, coefficients) * mask


def measure() -> Kernel:
    """Loss, accuracy and the loss's gradient for the values of the last layer."""
    values, target = input("values", ("rows", WIDTH)), input("target", ("rows",))
    output = values[:, 0]
    loss = ops.mean(losses(output, target, input("logistic")))
    right = ops.astype(output * target > 0, float32)
    return {"loss": loss, "accuracy": ops.mean(right), "above": grad(loss, values)}


def features() -> Kernel:
    """Of points in the plane; those that are not wanted are 0."""
    points = input("points", ("rows", 2))
    x, y = points[:, 0], points[:, 1]
    found = (x, y, x * x, y * y, x * y, ops.sin(x), ops.sin(y), ops.sqrt(x * x + y * y))
    return {"features": ops.stack(found, axis=1) * input("mask", (WIDTH,))}


def first_parameters() -> Kernel:
    """Of the deepest network, from a seed, the sizes of the layers and a way to begin."""
    seed, sizes = input("seed", (), dtype="int64"), input("sizes", (DEEPEST + 2,))
    way = input("way", (len(INITIALISATIONS),))  # 1 for what is chosen
    shape = (DEEPEST + 1, WIDTH * WIDTH)
    uniform = ops.uniform(shape, seed, low=-1.0, high=1.0, stream="uniform")
    normal = ops.normal(shape, seed, stream="normal")
    inputs, outputs = sizes[:-1, None], sizes[1:, None]
    scale = 0.5 * way[0] + ops.sqrt(6.0 / (inputs + outputs)) * way[1]
    deviation = ops.sqrt(2.0 / inputs) * way[2] + 2.0 * way[3]
    biases = constant(np.zeros((DEEPEST + 1, WIDTH), np.float32))
    blocks = ops.concat([uniform * scale + normal * deviation, biases], axis=1)
    return {"parameters": ops.reshape(blocks, ((DEEPEST + 1) * BLOCK,))}
