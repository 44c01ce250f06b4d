"""Products of which a mask leaves some out are not computed, nor is read what they are of."""

from __future__ import annotations

import re

import numpy as np
import pytest

import chainrule as cr
from chainc.ir import Node
from chainc.ir.types import Array

HEADS, WIDTH = 3, 32
QUERY = (HEADS, 1, WIDTH)


def attended(keys: int) -> Node:
    """One query of each head."""
    found = [cr.input(key, (HEADS, keys, WIDTH)) for key in "kv"]
    return cr.attention(cr.input("q", QUERY), *found, where=cr.input("seen", (keys,), "bool"))


def given(keys: int, seen: Array) -> dict[str, Array]:
    random = np.random.default_rng(keys)
    shapes = {"q": QUERY, "k": (HEADS, keys, WIDTH), "v": (HEADS, keys, WIDTH)}
    drawn = {key: random.normal(size=shape).astype(np.float32) for key, shape in shapes.items()}
    return {**drawn, "seen": seen}


@pytest.mark.parametrize("keys", [16, 40, 64])
def test_they_are_what_numpy_computes(keys: int) -> None:
    native, source = (cr.compile(attended(keys), target=target) for target in ("llvm", "numpy"))
    places = np.arange(keys)
    for seen in (places < 1, places < 17, places == keys - 1, places % 7 == 3, places < 0):
        values = given(keys, seen)
        np.testing.assert_allclose(native(**values), source(**values), rtol=2e-5, atol=1e-6)


def test_what_nothing_sees_is_not_read() -> None:
    """A panel at a time; what lies beside something that is seen meets a zero."""
    keys = 64
    function = cr.compile(attended(keys))
    values = given(keys, np.arange(keys) < 20)
    expected = function(**values)
    for key in "kv":
        values[key][:, 32:] = np.nan
    np.testing.assert_array_equal(function(**values), expected)
    values["v"][:, 21] = np.nan
    assert np.isnan(function(**values)).all()


def test_each_product_asks_once_for_a_panel() -> None:
    loops = str(cr.compile(attended(64)).loops)
    assert len(re.findall(r"for none in ", loops)) == 1  # scores, which are the same there
    assert len(re.findall(r"for some in ", loops)) == 2
    plain = cr.attention(*(cr.input(key, (HEADS, 64, WIDTH)) for key in "qkv"), causal=True)
    assert "any of" not in str(cr.compile(plain).loops)  # there are many queries
