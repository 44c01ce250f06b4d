"""A text as the numbers of its characters."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from chainc.dataclass import dataclass
from chainc.ir.errors import InputError
from chainrule.declare.arguments import number
from chainrule.declare.arguments import text as text_of
from chainrule.text.reading import bundled_text, read_text
from chainrule.text.tokens import read_tokens
from chainrule.text.windows import Pieces, Tokens, streams, windows


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Characters:
    """A text, and a number for each character that it has, in the order of Unicode.

        corpus = text.Characters("plays.txt")
        train, held_out = corpus.split(0.9)
        program.run(train.windows(64), validation=held_out.windows(64))

    Attributes:
        vocabulary: the characters; that with the number i at place i.
        tokens: the text, read-only.
    """

    vocabulary: str
    tokens: Tokens

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """Read a file of UTF-8; without one, a bundled piece of 100,000 characters of Shakespeare.

        Raises:
            InputError: the file cannot be read, is empty, or no text.
        """
        self._hold(bundled_text() if path is None else read_text("Characters", path))

    @classmethod
    def of(cls, content: str) -> Characters:
        """The same of a text that is there already.

        Raises:
            InputError: it is no text, or empty.
        """
        if not text_of("Characters.of", "content", content):
            raise InputError("Characters.of: the text is empty", hint="give at least a character")
        made = cls.__new__(cls)
        made._hold(content)
        return made

    def _hold(self, content: str) -> None:
        codes, places = np.unique(_codes(content), return_inverse=True)
        self._set("".join(map(chr, codes.tolist())), places.astype(np.int32))

    def _set(self, vocabulary: str, tokens: Tokens) -> None:
        tokens.flags.writeable = False
        object.__setattr__(self, "vocabulary", vocabulary)
        object.__setattr__(self, "tokens", tokens)

    @property
    def size(self) -> int:
        """How many characters there are to choose from."""
        return len(self.vocabulary)

    def __len__(self) -> int:
        """How many characters the text has."""
        return len(self.tokens)

    def encode(self, content: str) -> Tokens:
        """The numbers of the characters of any text.

        Raises:
            InputError: it has a character that is not in the vocabulary.
        """
        codes = _codes(text_of("Characters.encode", "content", content))
        known = _codes(self.vocabulary)
        tokens = np.minimum(np.searchsorted(known, codes), self.size - 1)
        strange = np.flatnonzero(known[tokens] != codes)
        if strange.size:
            place = int(strange[0])
            raise InputError(
                f"Characters.encode: the character {content[place]!r} at position {place} is not "
                f"in the vocabulary of {self.size}",
                hint="leave it out, or take the characters from a text that has it",
            )
        return tokens.astype(np.int32)

    def decode(self, tokens: npt.ArrayLike) -> str:
        """The text that some numbers stand for.

        Raises:
            InputError: they are no row of whole numbers, or one of them is not in the vocabulary.
        """
        given = read_tokens("Characters.decode", tokens, self.size)
        return "".join([self.vocabulary[token] for token in given.tolist()])

    def split(self, share: float = 0.9) -> tuple[Characters, Characters]:
        """The first share of the text and the rest, with one vocabulary: to train and to validate.

        Raises:
            InputError: the share is not between 0 and 1.
        """
        hint = "give 0.9 to hold out the last tenth"
        part = number("split", "share", share, above=0, below=1, hint=hint)
        border = round(part * len(self))
        return self._part(self.tokens[:border]), self._part(self.tokens[border:])

    def _part(self, tokens: Tokens) -> Characters:
        made = type(self).__new__(type(self))
        made._set(self.vocabulary, tokens)
        return made

    def windows(self, length: int, stride: int | None = None) -> Pieces:
        """Data for the inputs x and y, (rows, length): pieces of the text, and what follows.

        `y` is `x` a character further. Both are views of the text.

        Args:
            length: of each piece.
            stride: from the beginning of one to that of the next; by default the length.

        Raises:
            InputError: a number is not positive, or the text is shorter than one piece.
        """
        return windows(self.tokens, length, stride)

    def streams(self, batch: int, length: int) -> Pieces:
        """The same for layers that remember from batch to batch: row i goes on in row i + batch.

        The text is cut into as many streams as a batch has rows, and each step takes the next
        piece of every one: for trainings of this `batch_size`, without `shuffle`.

        Args:
            batch: rows of a step.
            length: of each piece.

        Raises:
            InputError: a number is not positive, or the text is shorter than one batch.
        """
        return streams(self.tokens, batch, length)

    def __repr__(self) -> str:
        return f"Characters({len(self):,} of {self.size} kinds)"


def _codes(content: str) -> NDArray[np.uint32]:
    """The numbers of characters in Unicode."""
    return np.frombuffer(content.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32)
