"""Byte pairs: what tokens stand for, files of them, and what the library makes of a text."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.text import BytePairs

TO, _TO = (ord("t"), ord("o")), (ord(" "), 256)
PAIRS = BytePairs((TO, _TO))


def test_tokens_are_bytes_and_pairs_of_earlier_ones() -> None:
    assert PAIRS.size == 258
    assert PAIRS.decode([256, 257, ord("!")]) == "to to!"
    assert PAIRS.decode(np.array(list("ä€".encode()))) == "ä€"
    assert PAIRS.decode([0xE2]) == "�"
    assert PAIRS.decode([]) == ""
    with pytest.raises(cr.InputError, match=r"token 258 at position 1 is not .* of 258\n  where"):
        PAIRS.decode([0, 258])


@pytest.mark.parametrize("pairs", [((256, 0),), ((0, -1),), ((0,),), ((True, 0),), ((0.0, 1),), [],
                                   ("ab",)])  # fmt: skip
def test_pairs_of_what_is_not_there_are_refused(pairs: Any) -> None:
    with pytest.raises(cr.InputError, match=r"of earlier tokens each\n  where: .*\n  try: make"):
        BytePairs(pairs)


def test_a_file_brings_them_back(tmp_path: Path) -> None:
    PAIRS.save(tmp_path / "pairs.json")
    assert BytePairs.load(tmp_path / "pairs.json") == PAIRS
    with pytest.raises(cr.InputError, match=r"cannot be written: No such.*\n  where: .*\n  try"):
        PAIRS.save(tmp_path / "nowhere" / "pairs.json")


FORM = "chainrule byte pairs 1"


@pytest.mark.parametrize("content", [
    "[", "[]", "{}", json.dumps({"form": FORM}), json.dumps({"form": "2", "pairs": []}),
    json.dumps({"form": FORM, "pairs": [[0, 256]]}), json.dumps({"form": FORM, "pairs": ["ab"]}),
    "[" * 100_000,
])  # fmt: skip
def test_other_files_are_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(cr.InputError, match=r"holds no byte pairs(?s:.*)try: give a file written"):
        BytePairs.load(path)


def test_without_the_library_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    message = r"needs the library tokenizers, .*\n  where: .*\n  try: .* 'chainrule\[text\]'"
    with pytest.raises(cr.InputError, match=message):
        BytePairs.train()
    with pytest.raises(cr.InputError, match=message):
        BytePairs((TO,)).encode("to")


def test_pairs_of_a_text(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    path = tmp_path / "verse.txt"
    path.write_text("to be to be to be or to", encoding="utf-8")
    trained = BytePairs.train(path, size=260)
    assert trained.size == 260
    assert {trained.decode([token]) for token in (256, 257, 258, 259)} == {"be", " be", "to", " to"}
    for content in ("to be or not to be", "Größe: 7 €\n\0", ""):
        tokens = trained.encode(content)
        assert tokens.dtype == np.int32
        assert trained.decode(tokens) == content
    assert len(trained.encode("to be to be")) < len("to be to be")


def test_pairs_of_the_bundled_text_and_a_size_that_is_too_small() -> None:
    pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    assert BytePairs.train(size=300) == BytePairs.train(size=300)
    with pytest.raises(cr.InputError, match="size must be a whole number, at least 257"):
        BytePairs.train(size=256)
