"""Texts as numbers: what they hold, the data they give, and what they refuse."""

from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import text
from chainrule.text import Characters, reading

HERE = r"\n  where: .*test_characters\.py:\d+\n  try: "
CORPUS = Characters.of("to be or not to be")


def test_the_vocabulary_is_what_the_text_has_in_order() -> None:
    assert CORPUS.vocabulary == " benort"
    assert (CORPUS.size, len(CORPUS)) == (7, 18)
    assert CORPUS.tokens.dtype == np.int32
    assert CORPUS.tokens.tolist() == [" benort".index(each) for each in "to be or not to be"]
    assert not CORPUS.tokens.flags.writeable
    assert repr(CORPUS) == "Characters(18 of 7 kinds)"


@pytest.mark.parametrize("content", ["bent on the ro", "", "ä€𝄞\n\0\ud800"])
def test_what_is_encoded_is_decoded(content: str) -> None:
    corpus = Characters.of(content + "to bent on the ro")
    tokens = corpus.encode(content)
    assert tokens.dtype == np.int32
    assert tokens.shape == (len(content),)
    assert corpus.decode(tokens) == content
    assert corpus.decode(tokens.tolist()) == content


def test_a_strange_character_is_named_with_its_place() -> None:
    refusal = "Characters.encode: the character 'z' at position 3 is not in the vocabulary of 7"
    with pytest.raises(cr.InputError, match=refusal + HERE + "leave it out"):
        CORPUS.encode("to zb")
    with pytest.raises(cr.InputError, match="the character '\\\\x00' at position 0"):
        CORPUS.encode("\0")


@pytest.mark.parametrize(("tokens", "strange"), [([0, 7, 8], "7 at position 1"), ([-1], "-1 at")])
def test_a_token_out_of_the_vocabulary_is_named_with_its_place(
    tokens: list[int], strange: str
) -> None:
    with pytest.raises(cr.InputError, match=rf"the token {strange}.* of 7{HERE}give numbers from"):
        CORPUS.decode(tokens)


def test_tokens_are_a_row_of_whole_numbers() -> None:
    with pytest.raises(cr.InputError, match=r"shape \[1, 2\], and a text is one row" + HERE):
        CORPUS.decode([[0, 1]])
    with pytest.raises(cr.InputError, match="Characters.decode: tokens cannot be .*" + HERE):
        CORPUS.decode([0.5])


# --- data


def test_windows_are_pieces_of_the_text_and_what_follows() -> None:
    data = CORPUS.windows(4, stride=3)
    assert list(data) == ["x", "y"]
    read = [[CORPUS.decode(row) for row in data[name]] for name in ("x", "y")]
    assert read[0] == ["to b", "be o", "or n", "not ", " to "]
    assert read[1] == ["o be", "e or", "r no", "ot t", "to b"]
    assert all(np.shares_memory(each, CORPUS.tokens) for each in data.values())


@pytest.mark.parametrize("length", [1, 2, 5, 8, 17])
@pytest.mark.parametrize("stride", [None, 1, 2, 7])
def test_windows_go_as_far_as_the_text_does(length: int, stride: int | None) -> None:
    data = CORPUS.windows(length, stride)
    starts = range(0, len(CORPUS) - length, stride or length)
    tokens = CORPUS.tokens
    np.testing.assert_array_equal(data["x"], [tokens[at : at + length] for at in starts])
    np.testing.assert_array_equal(data["y"], [tokens[at + 1 : at + 1 + length] for at in starts])


def test_streams_go_on_from_batch_to_batch() -> None:
    data = CORPUS.streams(batch=2, length=4)
    assert [CORPUS.decode(row) for row in data["x"]] == ["to b", " not", "e or", " to "]
    for stream in (data["x"][::2], data["x"][1::2]):
        assert CORPUS.decode(stream.ravel()) in "to be or not to be"
    np.testing.assert_array_equal(data["y"][:, :-1], data["x"][:, 1:])


def test_a_text_that_is_too_short_is_refused() -> None:
    refusal = "windows: the text has 18 tokens, and one piece takes 18 tokens and the one behind"
    with pytest.raises(cr.InputError, match=refusal + ".*" + HERE + "give a longer text"):
        CORPUS.windows(18)
    with pytest.raises(cr.InputError, match="one batch takes 18 tokens .*" + HERE):
        CORPUS.streams(batch=3, length=6)


def test_parts_of_a_text_share_its_vocabulary() -> None:
    train, held_out = CORPUS.split(0.75)
    assert CORPUS.decode(train.tokens) == "to be or not t"
    assert held_out.decode(held_out.tokens) == "o be"
    assert train.vocabulary == held_out.vocabulary == CORPUS.vocabulary


# --- files


def test_a_file_is_read_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "verse.txt"
    path.write_bytes("grüß\r\ngott\n".encode())
    for given in (path, str(path)):
        corpus = text.Characters(given)
        assert corpus.decode(corpus.tokens) == "grüß\r\ngott\n"


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "verse.txt"
    with pytest.raises(cr.InputError, match="verse.txt cannot be read: No such file.*" + HERE):
        text.Characters(path)
    path.write_bytes(b"")
    with pytest.raises(cr.InputError, match="verse.txt is empty" + HERE):
        text.Characters(path)
    path.write_bytes(b"ab\xff")
    with pytest.raises(cr.InputError, match="is no text in UTF-8: byte 2 is none .*" + HERE):
        text.Characters(path)


def test_the_bundled_text_is_the_beginning_of_coriolanus() -> None:
    corpus = text.Characters()
    assert (len(corpus), corpus.size) == (99_843, 61)
    assert corpus.decode(corpus.tokens[:35]) == "First Citizen:\nBefore we proceed any"[:35]
    note = (reading.BUNDLE.parent / "README.md").read_text(encoding="utf-8")
    assert reading.BUNDLE_SHA256 in note


def test_a_damaged_bundle_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "shakespeare.txt.gz"
    content = bytearray(reading.BUNDLE.read_bytes())
    content[1000] ^= 1
    copy.write_bytes(content)
    monkeypatch.setattr(reading, "BUNDLE", copy)
    with pytest.raises(cr.ChainruleError, match="is damaged: .*" + HERE + "install"):
        text.Characters()
    copy.unlink()
    with pytest.raises(cr.ChainruleError, match="cannot be read .*" + HERE + "install"):
        text.Characters()
