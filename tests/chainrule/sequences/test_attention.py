"""Attention in blocks: the numbers and slopes of attention at once, and no scores of all."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainc.ir import Graph, Node
from chainc.ir.errors import InputError, ShapeError
from chainc.ir.types import coefficient_of
from chainc.ops.contract import Contract
from chainc.ops.runs.scan import Scan
from chainrule import nn
from chainrule.sequences import attention as module

TARGETS = ("numpy", "llvm")


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONG", 4)
    monkeypatch.setattr(module, "BLOCK", 3)
    monkeypatch.setattr(module, "MOST_GROUPS", 2)


def given(time: int, keys: int) -> list[Node]:
    shapes = [("batch", 2, time, 5), ("batch", 2, keys, 5), ("batch", 2, keys, 4)]
    pairs = zip("qkv", shapes, strict=True)
    return [cr.input(name, shape, dtype="float64") for name, shape in pairs]


def values(nodes: list[Node]) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    shapes = [[each if isinstance(each, int) else 3 for each in node.shape] for node in nodes]
    return {name: random.normal(size=shape) for name, shape in zip("qkv", shapes, strict=True)}


def expected(q: np.ndarray, k: np.ndarray, v: np.ndarray, *, causal: bool) -> np.ndarray:
    """As one product of all, in NumPy."""
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(5)
    if causal:
        scores = np.where(np.arange(k.shape[-2]) <= np.arange(q.shape[-2])[:, None], scores, -1e9)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return np.asarray(weights / weights.sum(-1, keepdims=True) @ v)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("time", "keys"), [(4, 4), (11, 11), (13, 5), (5, 14)])
def test_blocks_give_what_all_at_once_gives(time: int, keys: int, causal: bool) -> None:
    nodes = given(time, keys)
    arrays = values(nodes)
    blocks = cr.attention(*nodes, causal=causal)
    ones = cr.constant(True)
    at_once = cr.attention(*nodes, causal=causal, where=ones)
    for target in TARGETS:
        outs = []
        for y in (blocks, at_once):
            slopes = cr.grad(cr.sum(y * cr.sin(y)), nodes)
            outs.append(cr.compile([y, *slopes], target=target)(**arrays))
        assert np.abs(outs[0][0] - expected(**arrays, causal=causal)).max() < 1e-13
        for one, other in zip(*outs, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("target", TARGETS)
def test_scores_are_divided_by_the_root_of_a_width_that_a_call_tells(target: str) -> None:
    q, k = (cr.input(name, (time, "n"), dtype="float64") for name, time in (("q", 4), ("k", 6)))
    v = cr.input("v", (6, 3), dtype="float64")
    random = np.random.default_rng(1)
    arrays = {"q": random.normal(size=(4, 5)), "k": random.normal(size=(6, 5))}
    arrays["v"] = random.normal(size=(6, 3))
    found = cr.compile(cr.attention(q, k, v), target=target)(**arrays)
    np.testing.assert_allclose(found, expected(**arrays, causal=False), rtol=1e-12)


@pytest.mark.usefixtures("small_blocks")
def test_no_value_has_scores_of_all() -> None:
    nodes = given(24, 24)
    y = cr.attention(*nodes, causal=True)
    graph = cr.compile([y, *cr.grad(cr.sum(y * y), nodes)]).stages[-1].graph
    sizes = [_largest(node.op.body) for node in graph.nodes if isinstance(node.op, Scan)]
    assert sizes
    assert max(sizes) <= 24 * 5


def _largest(body: Graph) -> int:
    """Of what is computed in a step, and in the steps of its loops."""
    found = 0
    for node in body.nodes:
        if isinstance(node.op, Scan):
            found = max(found, _largest(node.op.body))
        elif node.inputs:
            found = max(found, int(np.prod([coefficient_of(dim) for dim in node.shape])))
    return found


@pytest.mark.usefixtures("small_blocks")
def test_a_layer_takes_long_sequences_in_blocks() -> None:
    layer = nn.MultiHeadAttention(6, 2, causal=True)
    x = cr.input("x", ("batch", 9, 6))
    mask = cr.input("mask", (9, 9), dtype="bool")
    results = cr.compile([layer(x), layer(x, mask=mask)])
    rows = np.random.default_rng(1).normal(size=(4, 9, 6)).astype(np.float32)
    bound = results.bind(results.initial_state())
    blocks, at_once = bound(x=rows, mask=np.ones((9, 9), bool))
    np.testing.assert_allclose(blocks, at_once, rtol=1e-4, atol=1e-6)
    loops = [node for node in Graph((layer(x),)).nodes if isinstance(node.op, Scan)]
    assert [loop.op for loop in loops if isinstance(loop.op, Scan) and loop.op.recompute]
    assert not any(isinstance(node.op, Scan) for node in Graph((layer(x, mask=mask),)).nodes)


def test_a_loop_that_recomputes_keeps_its_products_in_its_steps() -> None:
    x, w = cr.input("x", (5, 3, 4)), cr.input("w", (4, 4))

    def run(*, recompute: bool) -> tuple[Node, Node]:
        _, every = cr.scan(
            lambda h, x_t: (h, cr.tanh(x_t @ w + h)), cr.constant(np.zeros((3, 4), np.float32)), x,
            recompute=recompute,
        )  # fmt: skip
        assert isinstance(every, Node)
        loss = cr.sum(every * every)
        return loss, cr.grad(loss, w)

    random = np.random.default_rng(0)
    arrays = {"x": random.normal(size=(5, 3, 4)), "w": random.normal(size=(4, 4))}
    arrays = {key: each.astype(np.float32) for key, each in arrays.items()}
    kept, again = (cr.compile(list(run(recompute=each))) for each in (False, True))
    for one, other in zip(kept(**arrays), again(**arrays), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)

    def products(graph: Graph) -> int:
        loops = [node.op for node in graph.nodes if isinstance(node.op, Scan)]
        bodies = [node for loop in loops for node in loop.body.nodes]
        return sum(isinstance(node.op, Contract) or "contract" in node.op.name for node in bodies)

    assert products(kept.stages[-1].graph) == 0
    assert products(again.stages[-1].graph) >= 2


def test_bad_arguments_are_refused() -> None:
    q, k, v = given(4, 6)
    with pytest.raises(ShapeError, match=r"do not fit each other"):
        cr.attention(q, v, k)
    whole = cr.input("n", (4, 5), dtype="int32")
    with pytest.raises(InputError, match="not all floating-point"):
        cr.attention(whole, whole, whole)
