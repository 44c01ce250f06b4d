"""The page of a model that writes: a beginning is typed, and it goes on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from chainc import ir
from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainrule.declare.functional import softmax
from chainrule.declare.leaves import input
from chainrule.nn.module import Module
from chainrule.playgrounds.lessons.contents import Contents, Line
from chainrule.playgrounds.lessons.looks import looks_at_text
from chainrule.steps.loop import Training
from chainrule.text.byte_pairs import BytePairs
from chainrule.text.characters import Characters
from chainrule.text.sampler import sampler
from chainrule.text.tokens import read_tokens
from chainrule.text.windows import Tokens, windows

WRITTEN = 160  # tokens at a time
MOST_TYPED = 400
HELD_OUT = 0.1  # of the text, at its end
LETTERS = 2048  # tokens after which something is shown, and that are tested on
HINT = (
    'declare cr.input("x", ("batch", 32), dtype="int32") and "y" alike, and a model from x to '
    "(batch, 32, corpus.size)"
)

Encoded = tuple[BytePairs, npt.ArrayLike]  # a text's tokens, and what they stand for


@dataclass(frozen=True, eq=False)
class _Text:
    """Tokens, how many kinds there are, and what the page needs to read and write them."""

    tokens: Tokens
    size: int
    told: Mapping[str, object]
    decode: Callable[[Tokens], str]

    def split(self) -> tuple[_Text, _Text]:
        """What is trained on, and what is tested on."""
        border = round((1 - HELD_OUT) * len(self.tokens))
        parts = self.tokens[:border], self.tokens[border:]
        first, second = (replace(self, tokens=part) for part in parts)
        return first, second

    def pieces(self, length: int) -> Mapping[str, Array]:
        """As bytes, where there are no more kinds than that."""
        kind = np.uint8 if self.size <= 256 else np.int32
        return {name: each.astype(kind) for name, each in windows(self.tokens, length).items()}

    def beginning(self) -> str:
        """A few words of it."""
        words = self.decode(self.tokens[:80]).split()
        return " ".join(words[1:5])


def _text(function: str, data: Characters | Encoded) -> _Text:
    if isinstance(data, Characters):
        return _Text(data.tokens, data.size, {"vocabulary": list(data.vocabulary)}, data.decode)
    words, given = data
    tokens = read_tokens(function, given, words.size)
    return _Text(tokens, words.size, {"pairs": words.pairs}, words.decode)


def texts(function: str, model: object, training: Training, data: Characters | Encoded) -> Contents:
    """What a page of a model of a text shows.

    Raises:
        InputError: data, training and model do not fit each other.
        GraphError: a layer of the model does not say how it goes on from one letter to the next.
    """
    length, text = _length(function, training), _text(function, data)
    one = input("x", (1, length), "int32")
    if not isinstance(model, Module):
        raise InputError(f"{function}: a {type(model).__name__} is no model of text", hint=HINT)
    logits = model(one)
    kinds = "characters" if isinstance(data, Characters) else "tokens"
    if logits.shape != (1, length, text.size):
        raise InputError(
            f"{function}: the model gives {logits.type} for {text.size} {kinds}", hint=HINT
        )
    temperature = input("temperature")
    looks = looks_at_text(model, logits)
    following = {"shares": softmax(logits[0] / temperature)}
    for i, look in enumerate(looks):
        following |= look.outputs(i)
    written = sampler(model, WRITTEN, temperature=temperature)
    train, test = text.split()
    rows = max(1, LETTERS // length)
    batches = math.ceil(rows / training.batch_size)
    loss = training.step.names[0]
    return Contents(
        kind="texts",
        scripts=("looks", "tokens"),
        train=train.pieces(length),
        test={name: each[:rows] for name, each in test.pieces(length).items()},
        lines=(
            Line("train-loss", "Loss of the last steps", "train", loss),
            Line("test-loss", "Test loss", "test", loss),
        ),
        drawn=logits,
        told={
            **text.told,
            "length": length,
            "most": MOST_TYPED,
            "begins": test.beginning(),
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
