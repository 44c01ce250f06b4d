"""Loops that end by a condition, on both targets and in the reference, against Python's while."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainc.interpreters import reference
from chainc.ir import Graph, Node
from chainc.ir.text import same
from chainc.ops.runs.unroll import unroll

TARGETS = pytest.mark.parametrize("target", ["numpy", "llvm"])
x = cr.input("x", (3,), dtype="float64")
w = cr.input("w", (3, 3), dtype="float64")
WEIGHT = np.array([[0.5, 0.1, 0.0], [0.0, 0.6, 0.2], [0.1, 0.0, 0.4]])


def powers(limit: int = 30) -> list[Node]:
    """Multiplies by a matrix until the vector is small, and counts what it was above 2."""

    def body(carry: tuple[Node, Node]) -> tuple[Node, Node]:
        v, large = carry
        return v @ w, large + cr.astype(cr.max(v) > 2.0, "int64")

    (v, large), steps = cr.while_loop(
        lambda carry: cr.sum(cr.abs(carry[0])) > 1.0,
        body,
        (x, cr.constant(0, "int64")),
        limit=limit,
    )
    return [v, large, steps]


def by_hand(v: Any, limit: int = 30) -> tuple[Any, int, int]:
    large = steps = 0
    while np.abs(v).sum() > 1 and steps < limit:
        v, large, steps = v @ WEIGHT, large + int(v.max() > 2), steps + 1
    return v, large, steps


@TARGETS
@pytest.mark.parametrize(("scale", "limit"), [(100.0, 30), (0.01, 30), (1e9, 7), (4.0, 1)])
def test_as_by_hand(target: str, scale: float, limit: int) -> None:
    start = np.array([1.0, 2.0, -3.0]) * scale
    outputs = powers(limit)
    for found in (
        cr.compile(outputs, target=target)(start, WEIGHT),
        cr.compile(outputs, target=target, passes=())(start, WEIGHT),
        reference.evaluate(Graph(tuple(outputs)), {"x": start, "w": WEIGHT}).outputs,
    ):
        for mine, theirs in zip(found, by_hand(start, limit), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-12)


@TARGETS
@pytest.mark.parametrize("start", [0.9, -1.2])
def test_a_loop_in_a_loop(target: str, start: float) -> None:
    """Neither has slices, so that no buffer says which step it is."""

    def inner(carry: tuple[Node, Node]) -> tuple[Node, Node]:
        v, steps = carry
        return cr.tanh(cr.sin(cr.astype(steps, "float64")) * 0.6 + v * 0.3), steps + 1

    def outer(v: Node) -> Node:
        first = (v, cr.constant(0, "int64"))
        (after, _), _ = cr.while_loop(lambda c: c[0] * c[0] > 0.08, inner, first, limit=3)
        return cr.tanh(after * 0.6 + v * 0.3)

    v = cr.input("v", (), dtype="float64")
    outputs: Any = cr.while_loop(lambda v: v * v > 0.19, outer, v, limit=5)
    value, count = start, 0
    while value * value > 0.19 and count < 5:
        after, done = value, 0
        while after * after > 0.08 and done < 3:
            after, done = float(np.tanh(np.sin(done) * 0.6 + after * 0.3)), done + 1
        value, count = float(np.tanh(after * 0.6 + value * 0.3)), count + 1
    found = cr.compile(outputs, target=target)(np.array(start))
    np.testing.assert_allclose(found, [value, count], rtol=1e-12)


def test_the_source_is_a_while() -> None:
    source = cr.compile(powers(), target="numpy").source
    assert "        while t < 30 and " in source
    assert "            t += 1\n" in source


def test_it_is_not_unrolled() -> None:
    graph = Graph(tuple(powers()))
    assert same(unroll(graph, 3), graph)


def test_its_text_comes_back() -> None:
    graph = cr.Graph(powers())
    assert same(cr.parse(graph.text()), graph)


@TARGETS
def test_loops_in_loops(target: str) -> None:
    """How many halvings each number takes, in a loop over the numbers; draws differ by step."""
    xs = cr.input("xs", ("n",))

    def count(total: Node, given: Node) -> tuple[Node, tuple[Node, Node]]:
        def halve(carry: tuple[Node, Node]) -> tuple[Node, Node]:
            return carry[0] / 2.0, cr.uniform(())

        (_, drawn), steps = cr.while_loop(lambda c: c[0] > 1.0, halve, (given, given), limit=20)
        return total + steps, (steps, drawn)

    total, kept = cr.scan(count, carry=cr.constant(0, "int64"), xs=xs)
    assert isinstance(total, Node)
    assert isinstance(kept, tuple)
    function = cr.compile([total, *kept], target=target)
    found = function.bind(function.initial_state(seed=2))(np.array([1, 8, 9, 300], np.float32))
    np.testing.assert_array_equal(found[1], [0, 3, 4, 9])
    assert found[0] == 16
    assert found[2][0] == 1.0
    assert len(set(found[2].tolist())) == 4


@TARGETS
@pytest.mark.parametrize(("scale", "limit"), [(100.0, 20), (0.01, 3), (1e3, 4)])
def test_derivatives_are_those_of_the_steps_that_were_made(
    target: str, scale: float, limit: int
) -> None:
    """Of the matrix too, forwards, and the second: against a loop of so many steps."""
    start = np.array([1.0, 2.0, -3.0]) * scale
    (v, *_), steps = powers(limit), by_hand(start, limit)[2]
    last: Node = x
    for _ in range(steps):
        last = last @ w
    found = []
    for end in (v, last):
        loss = cr.sum(cr.square(end)) + 0.0 * cr.sum(w) * cr.sum(x)
        slopes = cr.grad(loss, [x, w])
        pushed = cr.jvp(loss, [x, w], [np.ones(3), np.ones((3, 3))])
        second = cr.grad(cr.sum(slopes[0]) + cr.sum(cr.square(slopes[1])), [x, w])
        found.append(cr.compile([loss, *slopes, pushed, *second], target=target)(x=start, w=WEIGHT))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-300)


@TARGETS
def test_what_steps_behind_the_end_would_compute_counts_for_nothing(target: str) -> None:
    """The root of a negative number, and one that is not taken at all."""
    y = cr.input("y", dtype="float64")
    small, _ = cr.while_loop(lambda c: c > 1.0, lambda c: cr.sqrt(c - 1.0), y, limit=9)
    assert isinstance(small, Node)
    function = cr.compile([small, cr.grad(small, y)], target=target)
    inner = np.sqrt(np.sqrt(6.0) - 1)
    slope = 1 / (2 * np.sqrt(6.0)) / (2 * inner) / (2 * np.sqrt(inner - 1))
    np.testing.assert_allclose(function(y=7.0), [np.sqrt(inner - 1), slope], rtol=1e-12)
    np.testing.assert_array_equal(function(y=0.5), [0.5, 1.0])


nothing: Any = None


def never(_: Node) -> Node:
    return x[0] > 0.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: cr.while_loop(never, lambda c: c[:2], x, limit=3), cr.ShapeError,
         r"while_loop: the carry is f64\[3\] before a step and f64\[2\] after it"),
        (lambda: cr.while_loop(never, lambda c: cr.astype(c, "float32"), x, limit=3),
         cr.ShapeError, r"f64\[3\] before a step and f32\[3\] after"),
        (lambda: cr.while_loop(never, lambda c: (c, c), x, limit=3), cr.GraphError,
         "2 carries for 1"),
        (lambda: cr.while_loop(lambda c: c > 0.0, lambda c: c, x, limit=3), cr.ShapeError,
         r"the condition is bool\[3\], not one Boolean"),
        (lambda: cr.while_loop(never, lambda: x, x, limit=3), cr.GraphError,
         "the body cannot be called with the carry"),
        (lambda: cr.while_loop(nothing, lambda c: c, x, limit=3), cr.GraphError,
         "the condition, None, cannot be called with the carry"),
        (lambda: cr.while_loop(never, lambda c: c, x, limit=0), cr.InputError, "limit"),
        (lambda: cr.while_loop(never, lambda _: nothing, x, limit=3), cr.GraphError,
         "the next carry is None"),
    ],
)  # fmt: skip
def test_what_is_no_loop(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        call()
    assert "test_while_loop.py:" in str(caught.value).split("\n  where: ")[1]
    assert "\n  try: " in str(caught.value)
