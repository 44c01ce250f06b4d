"""The graphs that the page runs: every number on it comes from one of these.

A network of the page has up to 6 hidden layers of up to 8 neurons. Its parameters are one array
of blocks, one for each layer: 8 x 8 weights, the weights of a neuron beside each other, and 8
biases. What is not there is 0, and stays so; the output is neuron 0 of the last block. The page
puts a network together out of layers: each is a function on the way forward, and one on the way
back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from chainc import ops
from chainc.ir import Graph, Node, substitute
from chainc.ir.types import float32
from chainrule.declare.derivatives import grad
from chainrule.declare.leaves import constant, input
from chainrule.playgrounds.choices import INITIALISATIONS

WIDTH = 8  # of every layer, and the features
DEEPEST = 6  # hidden layers
BLOCK = WIDTH * WIDTH + WIDTH
Kernel = Mapping[str, Node]  # what a function computes, by name
Activation = Callable[[Node], Node]


def _of_rows(name: str) -> Node:
    return input(name, ("rows", WIDTH))


def _weights() -> Node:
    return input("weights", (WIDTH, WIDTH))


def forward(activation: Activation) -> Kernel:
    """The values of a layer, and its sums where the way back reads them."""
    z = _of_rows("x") @ _weights().T + input("biases", (WIDTH,))
    values = {"values": activation(z)}
    return {"z": z, **values} if "z" in _read(_slope(activation)) else values


def backward(activation: Activation) -> Kernel:
    """From the gradient of a layer's values those of all that it has."""
    of_z = _slope(activation)
    return {**_of_layer(of_z), "x": of_z @ _weights()}


def backward_first(activation: Activation) -> Kernel:
    """The same for the first layer: nobody reads the gradient of the data."""
    return _of_layer(_slope(activation))


def _of_layer(of_z: Node) -> Kernel:
    return {"weights": of_z.T @ _of_rows("x"), "biases": ops.sum(of_z, axis=0)}


def _slope(activation: Activation) -> Node:
    """The gradient of the sums. What the way forward has computed is read, not computed anew."""
    z = _of_rows("z")
    values = activation(z)
    gradient = grad(ops.sum(values * _of_rows("above")), z)
    return substitute(Graph((gradient,)), {values: _of_rows("values")}).outputs[0]


def _read(node: Node) -> set[str]:
    return {leaf.op.label for leaf in Graph((node,)).leaves("input")}


def head(squashed: bool, logistic: bool) -> Kernel:
    """The output, and from the loss the gradients of all that it has.

    On the way back it reads `back` where the chain rule has the weights.
    """
    x, weights, bias = _of_rows("x"), input("weights", (WIDTH,)), input("bias")
    z = x @ weights + bias
    output = ops.tanh(z) if squashed else z
    loss = ops.mean(losses(output, input("target", ("rows",)), logistic))
    error, of_z, of_weights, of_bias = grad(loss, [output, z, weights, bias])
    return {"weights": of_weights, "bias": of_bias, "error": error, **_sent(of_z)}


def direct() -> Kernel:
    """The derivative for the output, sent to a hidden layer past those between."""
    return _sent(input("error", ("rows",)))


def _sent(error: Node) -> Kernel:
    return {"x": error[:, None] * input("back", (WIDTH,))}


def losses(output: Node, target: Node, logistic: bool) -> Node:
    """Of each row: half the squared error, or the logistic loss of a target of -1 or 1."""
    error = output - target
    return ops.softplus(-target * output) if logistic else 0.5 * error * error


def measure(logistic: bool) -> Kernel:
    """Loss and accuracy of the values of the last layer."""
    output, target = _of_rows("values")[:, 0], input("target", ("rows",))
    right = ops.astype(output * target > 0, float32)
    return {"loss": ops.mean(losses(output, target, logistic)), "accuracy": ops.mean(right)}


def norm() -> Kernel:
    """Of the gradient of a layer."""
    block = input("block", (BLOCK,))
    return {"norm": ops.sqrt(ops.sum(block * block))}


def feedback() -> Kernel:
    """What goes back in the place of weights: a matrix for each layer, and a direction."""
    seed, sizes = input("seed", (), dtype="int64"), input("sizes", (DEEPEST + 2,))
    normal = ops.normal((DEEPEST + 1, WIDTH * WIDTH), seed, stream="feedback")
    biases = constant(np.zeros((DEEPEST + 1, WIDTH), np.float32))
    blocks = ops.concat([normal * ops.sqrt(2.0 / sizes[:-1, None]), biases], axis=1)
    drawn = ops.normal((DEEPEST + 1, WIDTH), seed, stream="directions")
    there = constant(np.arange(WIDTH, dtype=np.float32)) < sizes[1:, None]
    direction = ops.where(there, drawn, 0.0)
    length = ops.sqrt(ops.sum(direction * direction, axis=1, keepdims=True))
    return {
        "matrices": ops.reshape(blocks, ((DEEPEST + 1) * BLOCK,)),
        "directions": ops.reshape(direction / length, ((DEEPEST + 1) * WIDTH,)),
    }


def fitted() -> Kernel:
    """Rows of anything in the square that is shown, and their targets between -1 and 1."""
    points, target = input("points", ("rows", 2)), input("target", ("rows",))
    return {"points": 5.0 * _stretched(points), "target": _stretched(target)}


def _stretched(values: Node) -> Node:
    low, high = ops.min(values, axis=0), ops.max(values, axis=0)
    half = ops.where(low < high, 0.5 * (high - low), 1.0)
    return (values - 0.5 * (low + high)) / half


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
