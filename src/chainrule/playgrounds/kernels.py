"""The graphs that the page runs: every number on it comes from one of these.

A network of the page has up to 6 hidden layers of up to 8 neurons. Its parameters are one array
of blocks, one for each layer: 8 x 8 weights, the weights of a neuron beside each other, and 8
biases. What is not there is 0, and stays so; the output is neuron 0 of the last block. Behind
them hidden layers have a second block each where one needs it: for the slopes of PReLU, in the
place of biases, and for the second sum of maxout. The page puts a network together out of layers:
each is a function on the way forward, and one on the way back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from chainc import ops
from chainc.ir import Graph, Node, substitute
from chainc.ir.types import float32
from chainrule.declare.derivatives import grad
from chainrule.declare.leaves import constant, input
from chainrule.playgrounds.choices import INITIALISATIONS, WIDTH

DEEPEST = 6  # hidden layers
BLOCK = WIDTH * WIDTH + WIDTH
Kernel = Mapping[str, Node]  # what a function computes, by name
Activation = Callable[[Node], Node]


def _of_rows(name: str, width: int = WIDTH) -> Node:
    return input(name, ("rows", width))


def _weights(number: str = "", inputs: int = WIDTH) -> Node:
    return input(f"weights{number}", (WIDTH, inputs))


def _sum(x: Node, number: str = "") -> Node:
    inputs = x.shape[1]
    assert isinstance(inputs, int)
    return x @ _weights(number, inputs).T + input(f"biases{number}", (WIDTH,))


def forward(activation: Activation, inputs: int = WIDTH) -> Kernel:
    """The values of a layer, and its sums where the way back reads them."""
    z = _sum(_of_rows("x", inputs))
    values = {"values": activation(z)}
    return {"z": z, **values} if "z" in _read(_slopes(activation)["z"]) else values


def backward(activation: Activation) -> Kernel:
    """From the gradient of a layer's values those of all that it has."""
    slopes = _slopes(activation)
    return {**_of_layer(slopes), "x": slopes["z"] @ _weights()}


def backward_first(activation: Activation, inputs: int = WIDTH) -> Kernel:
    """The same for the first layer: nobody reads the gradient of the data."""
    return _of_layer(_slopes(activation), inputs)


def _of_layer(slopes: Kernel, inputs: int = WIDTH) -> Kernel:
    """Of each sum the gradients of its weights and biases; what else is learnt has its own."""
    x, found = _of_rows("x", inputs), dict(slopes)
    for name in [each for each in slopes if each.startswith("z")]:
        of_z, number = found.pop(name), name[1:]
        found[f"weights{number}"] = of_z.T @ x
        found[f"biases{number}"] = ops.sum(of_z, axis=0)
    return found


def _slopes(activation: Activation) -> Kernel:
    """The gradients of the sums, and of what an activation has learnt.

    What the way forward has computed is read, not computed anew.
    """
    z = _of_rows("z")
    values = activation(z)
    learnt = [each for each in Graph((values,)).leaves("input") if each is not z]
    gradients = grad(ops.sum(values * _of_rows("above")), [z, *learnt])
    known = substitute(Graph(tuple(gradients)), {values: _of_rows("values")}).outputs
    return {str(leaf.op.label): of for leaf, of in zip([z, *learnt], known, strict=True)}


def _read(node: Node) -> set[str]:
    return {leaf.op.label for leaf in Graph((node,)).leaves("input")}


def forward_of_two(inputs: int = WIDTH) -> Kernel:
    """The larger of two sums, and both."""
    x = _of_rows("x", inputs)
    z, other = _sum(x), _sum(x, "2")
    return {"z": z, "z2": other, "values": ops.maximum(z, other)}


def backward_of_two() -> Kernel:
    """The gradient goes to the sum that was larger."""
    slopes = _slopes_of_two()
    before = slopes["z"] @ _weights() + slopes["z2"] @ _weights("2")
    return {**_of_layer(slopes), "x": before}


def backward_first_of_two(inputs: int = WIDTH) -> Kernel:
    """The same for the first layer."""
    return _of_layer(_slopes_of_two(), inputs)


def _slopes_of_two() -> Kernel:
    sums = [_of_rows("z"), _of_rows("z2")]
    slopes = grad(ops.sum(ops.maximum(*sums) * _of_rows("above")), sums)
    return dict(zip(("z", "z2"), slopes, strict=True))


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
    """Of the gradient of all that a layer has, in its first blocks and its second ones."""
    parts = [of_blocks(f"gradient{n}") * of_blocks(f"mask{n}") for n in ("", "2")]
    return {"norm": ops.sqrt(ops.sum(parts[0] ** 2) + ops.sum(parts[1] ** 2))}


def of_blocks(name: str) -> Node:
    return input(name, ("blocks", BLOCK))


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
    sizes = input("sizes", (DEEPEST + 2,))
    weights = _drawn((DEEPEST + 1, WIDTH * WIDTH), sizes[:-1, None], sizes[1:, None])
    biases = constant(np.zeros((DEEPEST + 1, WIDTH), np.float32))
    blocks = ops.concat([weights, biases], axis=1)
    return {"parameters": ops.reshape(blocks, ((DEEPEST + 1) * BLOCK,))}


def first_weights(inputs: int, outputs: int) -> Kernel:
    """The same for a layer of another size; `fan` are those of its inputs and outputs in use."""
    fan = input("fan", (2,))
    return {"weights": _drawn((outputs, inputs), fan[0], fan[1])}


def _drawn(shape: tuple[int, int], inputs: Node, outputs: Node) -> Node:
    seed = input("seed", (), dtype="int64")
    way = input("way", (len(INITIALISATIONS),))  # 1 for what is chosen
    uniform = ops.uniform(shape, seed, low=-1.0, high=1.0, stream="uniform")
    normal = ops.normal(shape, seed, stream="normal")
    scale = 0.5 * way[0] + ops.sqrt(6.0 / (inputs + outputs)) * way[1]
    deviation = ops.sqrt(2.0 / inputs) * way[2] + 2.0 * way[3]
    return uniform * scale + normal * deviation
