"""Texts as pieces of words: bytes, and pairs of pieces that are often beside each other."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from chainc.dataclass import dataclass
from chainc.ir.errors import InputError
from chainrule.declare.arguments import count, path_of
from chainrule.declare.arguments import text as text_of
from chainrule.text.reading import bundled_text, read_text
from chainrule.text.tokens import read_tokens
from chainrule.text.windows import Tokens
from chainrule.writing.atomic import write_atomically

if TYPE_CHECKING:
    import tokenizers

BYTES = 256
MOST = 1_000_000  # pairs of a file
FORM = "chainrule byte pairs 1"

Pair = tuple[int, int]


@dataclass(frozen=True)
class BytePairs:
    """Byte-pair encoding (Sennrich, Haddow and Birch, ACL 2016), of bytes as in GPT-2.

    The first 256 tokens are bytes, so that any text can be encoded; each that follows is a pair of
    earlier ones. What trains and encodes is the library `tokenizers`, the extra "text".

        words = text.BytePairs.train("plays.txt", 1000)
        tokens = words.encode("Before we proceed")

    Attributes:
        pairs: token 256 + i is the pair at place i.
    """

    pairs: tuple[Pair, ...]

    def __post_init__(self) -> None:
        if not _are_pairs(self.pairs):
            raise InputError(
                "BytePairs: the pairs are not of earlier tokens each",
                hint="make them by text.BytePairs.train(path, 1000), or load a file of save",
            )

    @classmethod
    def train(cls, path: str | os.PathLike[str] | None = None, size: int = 1000) -> BytePairs:
        """The pairs that are most frequent in a text file, or in the bundled text.

        Args:
            path: a file of UTF-8; by default a bundled piece of Shakespeare.
            size: how many tokens there shall be, above 256; fewer where no pair comes twice.

        Raises:
            InputError: the file is no text, the size is too small, or the library is missing.
        """
        hint = "give how many tokens there shall be, such as size=1000"
        most = count("BytePairs.train", "size", size, at_least=BYTES + 1, hint=hint)
        content = bundled_text() if path is None else read_text("BytePairs.train", path)
        library = _library("BytePairs.train")
        trained = library.Tokenizer(library.models.BPE())
        trained.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = library.trainers.BpeTrainer(
            vocab_size=most, min_frequency=2, show_progress=False, initial_alphabet=_ALPHABET
        )
        trained.train_from_iterator([content], trainer)
        known = {letter: byte for byte, letter in enumerate(_ALPHABET)}
        pairs: list[Pair] = []
        for first, second in json.loads(trained.to_str())["model"]["merges"]:
            known.setdefault(first + second, BYTES + len(pairs))
            pairs.append((known[first], known[second]))
        return cls(tuple(pairs))

    @property
    def size(self) -> int:
        """How many tokens there are to choose from."""
        return BYTES + len(self.pairs)

    def encode(self, content: str) -> Tokens:
        """The tokens of any text.

        Raises:
            InputError: it is no text, or the library is missing.
        """
        given = text_of("BytePairs.encode", "content", content)
        return np.array(self._encoder.encode(given).ids, np.int32)

    def decode(self, tokens: npt.ArrayLike) -> str:
        """The text that some tokens stand for; bytes that are no character become �.

        Raises:
            InputError: they are no row of whole numbers, or one of them is not in the vocabulary.
        """
        given = read_tokens("BytePairs.decode", tokens, self.size)
        return b"".join([self._bytes[token] for token in given.tolist()]).decode("utf-8", "replace")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the pairs as JSON, whole or not at all.

        Raises:
            InputError: the file cannot be written.
        """
        place = path_of("BytePairs.save", path)
        content = json.dumps({"form": FORM, "pairs": self.pairs})
        try:
            write_atomically(place, content.encode(), durable=False)
        except OSError as error:
            raise InputError(
                f"BytePairs.save: {place} cannot be written: {error.strerror or error}",
                hint="give the name of a file in a folder that is there",
            ) from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> BytePairs:
        """Read a file of `save`; each pair is checked.

        Raises:
            InputError: it cannot be read, or `save` did not write it.
        """
        content = read_text("BytePairs.load", path)
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict) and found.get("form") == FORM and _is_list(found.get("pairs")):
            pairs = tuple(tuple(pair) if _is_list(pair) else pair for pair in found["pairs"])
            if _are_pairs(pairs):
                return cls(pairs)
        raise InputError(
            f"BytePairs.load: {path_of('BytePairs.load', path)} holds no byte pairs, or is damaged",
            hint="give a file written by BytePairs.save",
        )

    @cached_property
    def _bytes(self) -> Sequence[bytes]:
        """What each token stands for."""
        found = [bytes([byte]) for byte in range(BYTES)]
        for first, second in self.pairs:
            found.append(found[first] + found[second])
        return found

    @cached_property
    def _encoder(self) -> tokenizers.Tokenizer:
        library = _library("BytePairs.encode")
        words = ["".join(_ALPHABET[byte] for byte in token) for token in self._bytes]
        merges = [(words[first], words[second]) for first, second in self.pairs]
        numbers = {word: token for token, word in reversed(list(enumerate(words)))}
        made = library.Tokenizer(library.models.BPE(numbers, merges))
        made.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        return made

    def __repr__(self) -> str:
        return f"BytePairs({self.size:,} tokens)"


def _is_list(given: object) -> bool:
    return isinstance(given, list)


def _are_pairs(given: object) -> bool:
    if not isinstance(given, tuple) or len(given) > MOST:
        return False
    return all(_is_pair(pair, BYTES + place) for place, pair in enumerate(given))


def _is_pair(given: object, known: int) -> bool:
    if not isinstance(given, tuple) or len(given) != 2:
        return False
    return all(type(token) is int and 0 <= token < known for token in given)


def _letters() -> list[str]:
    """A character for every byte, as GPT-2 has them: those that do not print have others."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(BYTES) if byte not in plain]
    letters = {byte: chr(byte) for byte in plain}
    letters |= {byte: chr(BYTES + place) for place, byte in enumerate(others)}
    return [letters[byte] for byte in range(BYTES)]


_ALPHABET = _letters()


def _library(function: str) -> ModuleType:
    try:
        return import_module("tokenizers")
    except ImportError:
        raise InputError(
            f"{function}: it needs the library tokenizers, which is not installed",
            hint="install it with: pip install 'chainrule[text]'",
        ) from None
