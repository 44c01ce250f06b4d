"""Digits of 8 x 8 pixels: data, layers that read pixels or score classes, and what is shown."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping

import numpy as np

from chainc import ops
from chainc.ir import Node
from chainc.ir.types import float32, int32
from chainrule.datasets.handwritten import digits
from chainrule.declare.derivatives import grad
from chainrule.declare.functional import softmax
from chainrule.declare.leaves import input
from chainrule.declare.losses.entropy import cross_entropy
from chainrule.declare.metrics.classes import confusion_matrix
from chainrule.declare.metrics.hits import accuracy
from chainrule.playgrounds.choices import ACTIVATIONS, WIDTH
from chainrule.playgrounds.kernels import (
    Kernel,
    backward_first,
    backward_first_of_two,
    first_weights,
    forward,
    forward_of_two,
)
from chainrule.playgrounds.seen import as_bytes, on_one_scale

PIXELS, CLASSES = 64, 10
LEVELS = 16  # of grey, above 0
COUNT = 1000  # of those that a page has


def kernels() -> Iterator[tuple[str, Kernel]]:
    yield "digits", data()
    for inputs, outputs in ((PIXELS, WIDTH), (WIDTH, CLASSES), (PIXELS, CLASSES)):
        yield f"weights_{inputs}x{outputs}", first_weights(inputs, outputs)
    for name, activation in ACTIVATIONS.items():
        two, made = activation.sums == 2, activation.made
        ahead = forward_of_two(PIXELS) if two else forward(made, PIXELS)
        back = backward_first_of_two(PIXELS) if two else backward_first(made, PIXELS)
        yield f"forward_{name}_of_pixels", ahead
        yield f"first_{name}_of_pixels", back
    for inputs, suffix in ((WIDTH, ""), (PIXELS, "_of_pixels")):
        yield f"forward_digits{suffix}", {"scores": _scores(inputs)}
        yield f"head_digits{suffix}", head(inputs)
    yield "measure_digits", measure()
    yield "digits_seen", seen()
    yield "weights_seen", weights_seen()
    yield "values_seen", {"bytes": as_bytes(input("values", (WIDTH,)))}


def data() -> Kernel:
    """Pixels from 0 to 1, with as much noise as is wanted, and which digit each row is."""
    grey = input("levels", (COUNT, PIXELS), dtype="uint8")
    seed, noise = input("seed", (), dtype="int64"), input("noise")
    strayed = noise * ops.normal((COUNT, PIXELS), seed, stream="digits noise")
    pixels = ops.astype(grey, float32) / LEVELS + strayed
    labels = input("labels", (COUNT,), dtype="uint8")
    return {"pixels": pixels, "target": ops.astype(labels, float32)}


def told() -> Mapping[str, str]:
    """The bytes that `data` reads, in base 64: a constant would be four times as long."""
    train = digits().train
    given = {"levels": np.round(train.x[:COUNT] * LEVELS), "labels": train.y[:COUNT]}
    return {
        name: base64.b64encode(each.astype(np.uint8).tobytes()).decode()
        for name, each in given.items()
    }


def _scores(inputs: int) -> Node:
    weights, biases = input("weights", (CLASSES, inputs)), input("biases", (CLASSES,))
    return input("x", ("rows", inputs)) @ weights.T + biases


def head(inputs: int) -> Kernel:
    """The gradients of the cross-entropy of all that the last layer has."""
    x, weights = input("x", ("rows", inputs)), input("weights", (CLASSES, inputs))
    biases = input("biases", (CLASSES,))
    loss = cross_entropy(x @ weights.T + biases, ops.astype(_target(), int32))
    of_x, of_weights, of_biases = grad(loss, [x, weights, biases])
    found = {"weights": of_weights, "biases": of_biases}
    return {**found, "x": of_x} if inputs == WIDTH else found


def measure() -> Kernel:
    """Loss and accuracy, and how many of each digit (rows) are taken for each (columns)."""
    scores, target = input("values", ("rows", CLASSES)), ops.astype(_target(), int32)
    return {
        "loss": cross_entropy(scores, target),
        "accuracy": accuracy(scores, target),
        "confusion": ops.astype(confusion_matrix(scores, target), float32),
    }


def seen() -> Kernel:
    """Of one digit its picture, the share of each class, and which class has the most."""
    scores, pixels = input("scores", (CLASSES,)), input("pixels", (PIXELS,))
    shares = softmax(scores)
    taken = ops.astype(ops.argmax(scores, axis=0), float32)
    return {
        "picture": as_bytes(pixels),
        "shares": shares,
        "bytes": as_bytes(shares),
        "taken": taken,
    }


def weights_seen() -> Kernel:
    """What each neuron of the first layer looks for, on one scale."""
    scaled, _ = on_one_scale(input("weights", (WIDTH, PIXELS)))
    return {"bytes": as_bytes(scaled)}


def _target() -> Node:
    return input("target", ("rows",))
