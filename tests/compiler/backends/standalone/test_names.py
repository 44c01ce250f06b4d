"""Names in C: no two alike, and nothing of them can leave a comment."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainc.backends.standalone.c_text.header import inert
from chainc.backends.standalone.interface import words


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["model/linear1/weight", "step"], ["model_linear1_weight", "step"]),
        (["a/b", "a_b", "A b", "a_b_2"], ["a_b", "a_b_2", "A_b_3", "a_b_2_2"]),
        (["é", "1st", "_x_"], ["value_", "value_1st", "x"]),
    ],
)
def test_words_are_spelled_after_their_keys(keys: list[str], expected: list[str]) -> None:
    assert list(words(keys)) == expected


@given(st.lists(st.text(max_size=6)))
def test_words_are_identifiers_and_differ_even_in_capitals(keys: list[str]) -> None:
    found = list(words(keys))
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", word) for word in found)
    assert len({word.upper() for word in found}) == len(keys)


@given(st.text())
def test_what_stands_in_a_comment_cannot_end_it_or_open_another(text: str) -> None:
    comment = f"/* {inert(text)} */"
    assert comment.count("*") == 2
    assert not set(comment) & set("\\\n\r?\"'")
