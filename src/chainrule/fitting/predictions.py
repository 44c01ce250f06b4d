"""From the outputs of a network to what a user asks for: labels, probabilities, numbers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from chainc.ir import Node
from chainc.ir.errors import DTypeError, InputError, ShapeError
from chainc.ops import argmax, astype, less, sigmoid
from chainrule.declare import losses
from chainrule.declare.functional import softmax
from chainrule.declare.leaves import input as declare_input
from chainrule.fitting.objective import Losses, name_of
from chainrule.fitting.parts import Parts, parts_of

# How outputs are read, by the loss that they are trained with.
READINGS: Mapping[str, str] = {
    "binary_cross_entropy": "logit",
    "binary_focal": "logit",
    "binary_hinge": "score",
    "cross_entropy": "logits",
    "focal": "logits",
    "hinge": "scores",
}


def predictions(outputs: Parts[Node], loss: Losses) -> Parts[Node]:
    """Class numbers where the loss is one of classes, the outputs themselves elsewhere."""
    return outputs.with_values(
        {name: _label(node, _reading(name, node, loss)) for name, node in outputs.by_name.items()}
    )


def probabilities(outputs: Parts[Node], loss: Losses) -> Parts[Node]:
    """Of all classes, or of the positive one where an output is a single logit.

    Raises:
        InputError: the loss is none of probabilities.
    """
    return outputs.with_values(
        {
            name: _probability(node, _reading(name, node, loss))
            for name, node in outputs.by_name.items()
        }
    )


def _label(output: Node, reading: str) -> Node:
    if reading in ("logits", "scores"):
        return argmax(output, axis=-1)
    return astype(less(0.0, output), "int64") if reading in ("logit", "score") else output


def _probability(output: Node, reading: str) -> Node:
    if reading == "logits":
        return softmax(output)
    if reading == "logit":
        return sigmoid(output)
    raise InputError(
        "predict_proba: the loss of the trainer is none of probabilities",
        hint="train with losses.cross_entropy or losses.binary_cross_entropy, or use predict",
    )


def _reading(name: str, output: Node, loss: Losses) -> str:
    given = parts_of(loss)
    function = given.by_name.get(name)
    while isinstance(function, partial):
        function = function.func
    known = name_of(function)
    if known in READINGS and function is getattr(losses, known, None):
        return READINGS[known]
    return "logits" if _takes_labels(function, output) else "value"


def _takes_labels(loss: object, output: Node) -> bool:
    """Does a loss of one's own take a class number for each row of this output?"""
    if not callable(loss) or output.ndim < 2:
        return False
    try:
        loss(output, declare_input("labels", output.shape[:-1], "int32"))
    except (DTypeError, ShapeError):
        return False
    return True
