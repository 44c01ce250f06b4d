"""The page of a model that writes: a beginning is typed, and it goes on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from chainc import ir
from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainrule.declare.functional import softmax
from chainrule.declare.leaves import input
from chainrule.nn.module import Module
from chainrule.playgrounds.lessons.contents import Contents, Line
from chainrule.playgrounds.lessons.looks import looks_at_text
from chainrule.steps.loop import Training
from chainrule.text.characters import Characters
from chainrule.text.sampler import sampler

WRITTEN = 160  # characters at a time
MOST_TYPED = 400
HELD_OUT = 0.1  # of the text, at its end
LETTERS = 2048  # after which something is shown, and that are tested on
HINT = (
    'declare cr.input("x", ("batch", 32), dtype="int32") and "y" alike, and a model from x to '
    "(batch, 32, corpus.size)"
)


def texts(function: str, model: object, training: Training, data: Characters) -> Contents:
    """What a page of a model of characters shows.

    Raises:
        InputError: data, training and model do not fit each other.
        GraphError: a layer of the model does not say how it goes on from one letter to the next.
    """
    length = _length(function, training)
    one = input("x", (1, length), "int32")
    if not isinstance(model, Module):
        raise InputError(f"{function}: a {type(model).__name__} is no model of text", hint=HINT)
    logits = model(one)
    if logits.shape != (1, length, data.size):
        raise InputError(
            f"{function}: the model gives {logits.type} for {data.size} characters", hint=HINT
        )
    temperature = input("temperature")
    looks = looks_at_text(model, logits)
    following = {"shares": softmax(logits[0] / temperature)}
    for i, look in enumerate(looks):
        following[f"look{i}"], following[f"most{i}"] = look.scaled()
    written = sampler(model, WRITTEN, temperature=temperature)
    train, test = data.split(1 - HELD_OUT)
    rows = max(1, LETTERS // length)
    batches = math.ceil(rows / training.batch_size)
    loss = training.step.names[0]
    return Contents(
        kind="texts",
        scripts=("looks",),
        train=_pieces(train, length),
        test={name: each[:rows] for name, each in _pieces(test, length).items()},
        lines=(
            Line("train-loss", "Loss of the last steps", "train", loss),
            Line("test-loss", "Test loss", "test", loss),
        ),
        drawn=logits,
        told={
            "vocabulary": list(data.vocabulary),
            "length": length,
            "most": MOST_TYPED,
            "begins": _beginning(test),
            "looks": [{"title": each.title, "told": each.told, "letters": True} for each in looks],
        },
        beside={"write": {"text": written}, "following": following},
        piece=batches * training.batch_size,
    )


def _length(function: str, training: Training) -> int:
    found = {str(n.op.label): n for n in ir.Graph(training.outputs).leaves("input")}
    rows: Sequence[Node] = [found[name] for name in ("x", "y") if name in found]
    if len(rows) == 2 and all(n.ndim == 2 and n.dtype.name == "int32" for n in rows):
        length = rows[0].shape[1]
        if isinstance(length, int) and rows[1].shape == rows[0].shape:
            return length
    shown = ", ".join(f"{name} {node.type}" for name, node in found.items())
    raise InputError(
        f"{function}: the training takes {shown or 'nothing'}, and no pieces of a text", hint=HINT
    )


def _pieces(text: Characters, length: int) -> Mapping[str, Array]:
    """As bytes, where there are no more characters than that."""
    kind = np.uint8 if text.size <= 256 else np.int32
    return {name: each.astype(kind) for name, each in text.windows(length).items()}


def _beginning(text: Characters) -> str:
    """A few words of what the model has not read."""
    words = text.decode(text.tokens[:80]).split()
    return " ".join(words[1:5])
