"""Exponentials, their sums and losses where a plain formula overflows, or takes ∞ from ∞."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.values import values

import chainrule as cr
from chainrule import losses

TARGETS = pytest.mark.parametrize("target", ["numpy", "llvm"])
INF = np.inf


@TARGETS
def test_logsumexp_is_what_the_plain_formula_is_at_infinities(target: str) -> None:
    x = cr.input("x", (6, 2))
    at = np.array([[-INF, -INF], [INF, 1], [-INF, 2], [1e3, 1e3], [-1e3, -1e3], [np.nan, 1]])
    right = [-INF, INF, 2, 1e3 + np.log(2), -1e3 + np.log(2), np.nan]
    plain = cr.log(cr.sum(cr.exp(x), axis=1))
    for found in values([cr.logsumexp(x, 1), plain], target, x=at.astype(np.float32)):
        np.testing.assert_allclose(found, right, rtol=1e-6)


@TARGETS
def test_a_masked_logit_counts_nowhere(target: str) -> None:
    z, keep = cr.input("z", (2, 3)), cr.input("keep", (2, 3), "bool")
    labels = cr.input("labels", (2,), "int32")
    masked = cr.where(keep, z, -INF)
    loss = losses.cross_entropy(masked, labels)
    at = np.array([[1, 2, 3], [0, 0, 5]], np.float32)
    kept, chosen = np.array([[1, 1, 0], [1, 1, 1]], bool), np.array([1, 2], np.int32)
    nodes = [loss, cr.grad(loss, z), cr.softmax(masked)]
    found = values(nodes, target, z=at, keep=kept, labels=chosen)
    p = np.exp(np.where(kept, at, -INF).astype(float))
    p /= p.sum(1, keepdims=True)
    right = -np.log(p[[0, 1], chosen]).mean(), (p - np.eye(3)[chosen]) / 2, p
    for mine, wanted in zip(found, right, strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-5, atol=1e-7)


@TARGETS
@pytest.mark.parametrize("offset", [0.0, 1e3, 1e5, 1e6, -1e6, 1e8, -1e30])
def test_a_number_added_to_all_logits_changes_no_loss(target: str, offset: float) -> None:
    z, labels = cr.input("z", (1, 3)), cr.input("labels", (1,), "int32")
    at = np.full((1, 3), offset, np.float32)
    nodes = [losses.cross_entropy(z, labels), -cr.log_softmax(z)[0, 2]]
    found = values(nodes, target, z=at, labels=np.array([2], np.int32))
    np.testing.assert_allclose(found, [np.log(3)] * 2, rtol=1e-6)


def by_hand(x: cr.Node) -> cr.Node:
    return cr.exp(x) / cr.sum(cr.exp(x))


def by_hand_with_kept_axes(x: cr.Node) -> cr.Node:
    return cr.exp(x) / cr.sum(cr.exp(x), keepdims=True)


@TARGETS
@pytest.mark.parametrize("softmax", [cr.softmax, by_hand, by_hand_with_kept_axes])
def test_spread_logits_have_a_gradient(target: str, softmax: Callable[[cr.Node], cr.Node]) -> None:
    x = cr.input("x", (4,))
    loss = cr.sum(cr.log(softmax(x)))
    one = -cr.log(softmax(x))[0]
    at = np.array([-90, 90, 0, 1], np.float32)
    found = values([loss, cr.grad(loss, x), one, cr.grad(one, x)], target, x=at)
    p = np.exp(at.astype(float) - 90)
    p /= p.sum()
    right = np.log(p).sum(), 1 - 4 * p, 180, p - np.array([1, 0, 0, 0])
    for mine, wanted in zip(found, right, strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-6, atol=1e-6)


@TARGETS
def test_a_softmax_over_no_elements_is_empty(target: str) -> None:
    x = cr.input("x", (0, 2))
    node = cr.exp(x) / cr.sum(cr.exp(x), axis=0, keepdims=True)
    total = cr.log(cr.sum(cr.exp(x), axis=0))
    found, logarithm = values([node, total], target, x=np.zeros((0, 2), np.float32))
    assert found.shape == (0, 2)
    np.testing.assert_array_equal(logarithm, [-INF, -INF])


@TARGETS
def test_a_softmax_of_rows_with_nothing_to_attend_to_is_zero_and_so_is_its_gradient(
    target: str,
) -> None:
    x, keep = cr.input("x", (4, 3)), cr.input("keep", (4, 3), "bool")
    weight = cr.input("weight", (4, 3))
    y = cr.softmax(x, where=keep)
    loss = cr.sum(weight * y * y)
    mask = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]], bool)
    at = np.array([[1, 2, 3], [-3e38, 3e38, 1e4], [1e30, -1e30, 5], [3e38, -INF, 7]], np.float32)
    weights = np.arange(1, 13, dtype=np.float32).reshape(4, 3)
    p, g = values([y, cr.grad(loss, x)], target, x=at, keep=mask, weight=weights)
    e = np.exp(np.array([1.0, 2, 3]))
    first = e / e.sum()
    np.testing.assert_allclose(p, [first, [0, 0, 1], [0, 1, 0], [0, 0, 0]], rtol=1e-6)
    slope = 2 * weights[0] * first
    wanted = first * (slope - (slope * first).sum())
    np.testing.assert_allclose(g[0], wanted, rtol=1e-4)
    assert np.array_equal(g[1:], np.zeros((3, 3)))
    with pytest.raises(cr.DTypeError, match=r"(?s)softmax: where=.*no truth values.*try: compare"):
        cr.softmax(x, where=weight)
