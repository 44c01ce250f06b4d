"""Attention against its formula, head by head, and what tells it about positions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.values import values

import chainrule as cr
from chainrule import nn
from chainrule.evaluation.values import Floats

WIDTH, HEADS, TIME, KEYS = 6, 2, 4, 3
SIZE = WIDTH // HEADS
random = np.random.default_rng(0)
Truths = NDArray[np.bool_]


def by_formula(q: Floats, k: Floats, v: Floats, seen: Truths) -> Floats:
    """One sequence; `seen` is (heads, time, keys). A query that finds no key gets zeros."""
    result = np.zeros((len(q), WIDTH))
    for head in range(HEADS):
        own = slice(head * SIZE, (head + 1) * SIZE)
        for t, query in enumerate(q[:, own]):
            found = np.flatnonzero(seen[head, t])
            scores = np.exp(k[found][:, own] @ query / np.sqrt(SIZE))
            result[t, own] = scores / scores.sum() @ v[found][:, own] if len(found) else 0.0
    return result


def floats(*shape: int) -> NDArray[np.float32]:
    return random.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("target", ["numpy", "llvm"])
@pytest.mark.parametrize("cross", [False, True])
def test_heads_read_what_they_may(target: str, cross: bool) -> None:
    keys = KEYS if cross else TIME
    layer = nn.MultiHeadAttention(WIDTH, HEADS, causal=not cross, name="a")
    x = cr.input("x", ("batch", 2, TIME, WIDTH))
    other = cr.input("other", ("batch", 2, KEYS, WIDTH)) if cross else None
    mask = cr.input("mask", (1, 1, HEADS, TIME, keys), dtype="bool")
    lengths = cr.input("lengths", ("batch", 2), dtype="int32")
    run = cr.compile(layer(x, context=other, mask=mask, lengths=lengths), target=target)
    state = {name: floats(*np.shape(v)) for name, v in run.initial_state(0).items()}
    given = {"x": floats(3, 2, TIME, WIDTH)}
    given |= {"other": floats(3, 2, KEYS, WIDTH)} if cross else {}
    truths = random.random((HEADS, TIME, keys)) < 0.7
    truths[1, 2] = False
    counts = random.integers(1, keys + 1, (3, 2)).astype(np.int32)
    found = np.asarray(run.bind(cr.State(state))(**given, mask=truths[None, None], lengths=counts))

    w = {name: array.astype(np.float64) for name, array in state.items()}
    wide = {name: array.astype(np.float64) for name, array in given.items()}
    seen = truths if cross else truths & np.tri(TIME, dtype=bool)
    for at in np.ndindex(3, 2):
        weight, bias = w["a/query_key_value/weight"], w["a/query_key_value/bias"]
        q, k, v = np.split(wide["x"][at] @ weight + bias, 3, axis=1)
        if cross:
            _, k, v = np.split(wide["other"][at] @ weight + bias, 3, axis=1)
        heads = by_formula(q, k, v, seen & (np.arange(keys) < counts[at]))
        expected = heads @ w["a/output/weight"] + w["a/output/bias"]
        np.testing.assert_allclose(found[at], expected, atol=1e-5)


def test_keys_that_are_kept_serve_later_queries() -> None:
    """Position by position, with the keys and values so far: what the whole gives in one call."""
    layer = nn.MultiHeadAttention(8, HEADS, causal=True, rotary=True)
    x = cr.input("x", ("batch", TIME, 8))
    keys, kept, parts = [], [], []
    for t in range(TIME):
        place = cr.constant([t], "int32")
        q, k, v = layer.project(x[:, t : t + 1], positions=place)
        keys.append(k)
        kept.append(v)
        parts.append(layer.merge(layer.attend(q, cr.concat(keys, 2), cr.concat(kept, 2))))
    run = cr.compile([layer(x), cr.concat(parts, 1)], target="numpy")
    whole, steps = run.bind(run.initial_state(0))(x=floats(2, TIME, 8))
    np.testing.assert_allclose(steps, whole, atol=1e-6)


def test_waves_tell_positions() -> None:
    x, places = cr.input("x", ("batch", 5, 6)), cr.input("places", (5,), dtype="int32")
    at, where = floats(2, 5, 6), np.array([3, 0, 7, 1, 2], np.int32)
    plain, placed = nn.SinusoidalPositions(6)(x), nn.SinusoidalPositions(6)(x, positions=places)
    found, elsewhere = values([plain, placed], "llvm", x=at, places=where)
    rates = 10_000.0 ** (-np.arange(3) / 3)
    for result, t in ((found, np.arange(5)), (elsewhere, where)):
        angles = np.multiply.outer(t, rates)
        np.testing.assert_allclose(result[..., 0::2], at[..., 0::2] + np.sin(angles), atol=1e-6)
        np.testing.assert_allclose(result[..., 1::2], at[..., 1::2] + np.cos(angles), atol=1e-6)


def test_products_of_what_is_turned_depend_on_the_distance_alone() -> None:
    q, k = cr.input("q", (1, 6)), cr.input("k", (1, 6))
    layer = nn.RotaryPositions(6, base=100.0)

    def product(one: int, other: int) -> cr.Node:
        turned = [layer(x, positions=cr.constant([t], "int32")) for x, t in ((q, one), (k, other))]
        return cr.sum(turned[0] * turned[1])

    at = {"q": floats(1, 6), "k": floats(1, 6)}
    nodes = [product(0, 0), product(9, 9), product(5, 2), product(13, 10), layer(q)]
    same, also, apart, shifted, first = values(nodes, "llvm", q=at["q"], k=at["k"])
    assert same == pytest.approx(float((at["q"] * at["k"]).sum()), abs=1e-5)
    assert also == pytest.approx(same, abs=1e-5)
    assert shifted == pytest.approx(apart, abs=1e-5)
    assert abs(apart - same) > 1e-3
    np.testing.assert_allclose(first, at["q"])


def test_a_table_of_positions_is_added() -> None:
    layer = nn.LearnedPositions(7, 3, name="table")
    x, places = cr.input("x", ("batch", 4, 3)), cr.input("places", (4,), dtype="int32")
    free = cr.input("free", (2, "time", 3))
    run = cr.compile([layer(x), layer(x, positions=places), layer(free)])
    table = floats(7, 3)
    at, where, longer = floats(2, 4, 3), np.array([6, 0, 1, 1], np.int32), floats(2, 7, 3)
    found = run.bind(cr.State({"table/weight": table}))(x=at, places=where, free=longer)
    for result, wanted in zip(
        found, (at + table[:4], at + table[where], longer + table), strict=True
    ):
        np.testing.assert_allclose(result, wanted, rtol=1e-6)


def test_bad_input_is_refused_when_declared() -> None:
    with pytest.raises(
        cr.InputError, match=r"(?s)4 heads do not divide the width 6.*try: give a w"
    ):
        nn.MultiHeadAttention(6, 4)
    with pytest.raises(cr.InputError, match=r"(?s)the width 5 is odd.*try: give an even size"):
        nn.RotaryPositions(5)
    layer, x = nn.MultiHeadAttention(WIDTH, HEADS, name="a"), cr.input("x", (2, TIME, WIDTH))
    with pytest.raises(cr.ShapeError, match=r"(?s)a: input .* must be \[...,time,6\].*try: change"):
        layer(cr.input("z", (2, TIME, 5)))
    with pytest.raises(cr.ShapeError, match=r"(?s)must be \[...,time,6\].*try: change"):
        layer(x, cr.input("z", (2, TIME, 5)))
    with pytest.raises(cr.DTypeError, match=r"(?s)a: mask=.*another kind.*try: give truth values"):
        layer(x, mask=cr.input("m", (TIME, TIME)))
    with pytest.raises(cr.DTypeError, match=r"(?s)a: lengths=.*another kind.*try: give whole"):
        layer(x, lengths=cr.input("n", (2,)))
    with pytest.raises(cr.ShapeError, match=r"(?s)lengths=.*not one a sequence.*try: .*\[2\]"):
        layer(x, lengths=cr.input("n", (3,), dtype="int32"))
    with pytest.raises(cr.ShapeError, match=r"(?s)has 4 positions, the table 3.*context=4"):
        nn.LearnedPositions(3, WIDTH)(x)
    for places in (nn.LearnedPositions(3, 4), nn.SinusoidalPositions(4)):
        with pytest.raises(cr.ShapeError, match=r"(?s)must be \[...,time,4\].*try: change"):
            places(x)
