"""Loops in the graph, against the same steps written one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainc.interpreters import reference
from chainc.interpreters.counting import work_of
from chainc.ir import Graph, Node
from chainc.ir.text import same
from chainc.ir.types import Array
from chainc.ops.runs.scan import Scan

STEPS, ROWS, INPUTS, HIDDEN = 5, 2, 3, 4
TARGETS = pytest.mark.parametrize("target", ["numpy", "llvm"])


def declared() -> tuple[Node, ...]:
    x = cr.input("x", ("batch", STEPS, INPUTS), dtype="float64")
    h = cr.input("h", ("batch", HIDDEN), dtype="float64")
    wx = cr.input("wx", (INPUTS, HIDDEN), dtype="float64")
    wh = cr.input("wh", (HIDDEN, HIDDEN), dtype="float64")
    return x, h, wx, wh, cr.input("b", (HIDDEN,), dtype="float64")


def numbers() -> dict[str, Array]:
    random = np.random.default_rng(0)
    shapes = {"x": (ROWS, STEPS, INPUTS), "h": (ROWS, HIDDEN), "wx": (INPUTS, HIDDEN)}
    shapes |= {"wh": (HIDDEN, HIDDEN), "b": (HIDDEN,)}
    return {key: random.normal(size=shape) for key, shape in shapes.items()}


def zeros(*shape: int) -> Node:
    return cr.broadcast_to(cr.constant(0.0), shape)


def step(h: Node, x: Node, leaves: Sequence[Node]) -> Node:
    _, _, wx, wh, b = leaves
    return cr.tanh(x @ wx + h @ wh + b)


def looped(leaves: Sequence[Node], *, reverse: bool) -> tuple[Node, Node]:
    def cell(h: Node, x: Node) -> tuple[Node, Node]:
        after = step(h, x, leaves)
        return after, after * 2.0

    last, every = cr.scan(cell, carry=leaves[1], xs=leaves[0], axis=1, reverse=reverse)
    assert isinstance(last, Node)
    assert isinstance(every, Node)
    return last, every


def unrolled(leaves: Sequence[Node], *, reverse: bool) -> tuple[Node, Node]:
    h, kept = leaves[1], {}
    for t in reversed(range(STEPS)) if reverse else range(STEPS):
        h = step(h, leaves[0][:, t], leaves)
        kept[t] = h * 2.0
    return h, cr.stack([kept[t] for t in range(STEPS)], axis=1)


def derivatives(last: Node, every: Node, leaves: Sequence[Node]) -> list[Node]:
    first = cr.grad(cr.sum(last * last) + cr.sum(cr.sin(every)), leaves)
    second = cr.grad(cr.sum(cr.sin(first[3])) + cr.sum(first[0] * first[0]), leaves)
    return [last, every, *first, *second]


@TARGETS
@pytest.mark.parametrize("passes", [None, ()], ids=["passes", "none"])
@pytest.mark.parametrize("reverse", [False, True])
def test_it_is_what_its_steps_are_one_after_the_other(
    target: str, passes: tuple[()] | None, reverse: bool
) -> None:
    leaves = declared()
    wanted = derivatives(*unrolled(leaves, reverse=reverse), leaves)
    expected = reference.evaluate(Graph(tuple(wanted)), numbers()).outputs
    found = derivatives(*looped(leaves, reverse=reverse), leaves)
    results = cr.compile(found, target=target, passes=passes)(**numbers())
    for result, true in zip(results, expected, strict=True):
        assert np.allclose(result, true, rtol=1e-11, atol=1e-11)


@TARGETS
def test_carries_of_several_kinds_and_steps_without_sequences(target: str) -> None:
    def cell(carry: Sequence[Node]) -> tuple[Sequence[Node], Node]:
        a, b, count = carry
        return (b, a + b, count + 1), a

    start = [cr.constant(0, cr.int64), cr.constant(1, cr.int64), cr.constant(0, cr.int32)]
    last, every = cr.scan(cell, carry=start, length=10)
    assert isinstance(last, tuple)
    assert isinstance(every, Node)
    *pair, count, kept = cr.compile([*last, every], target=target)()
    assert [int(each) for each in pair] == [55, 89]
    assert int(count) == 10
    assert kept.tolist() == [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]


@TARGETS
def test_a_loop_in_a_loop(target: str) -> None:
    """Sums of running sums, and their derivative."""
    x = cr.input("x", (3, 4), dtype="float64")

    def outer(total: Node, row: Node) -> tuple[Node, Node]:
        def inner(inside: Node, each: Node) -> tuple[Node, Node]:
            return inside + each * total, inside

        last, _ = cr.scan(inner, carry=cr.constant(1.0, cr.float64), xs=row)
        assert isinstance(last, Node)
        return last, last

    last, every = cr.scan(outer, carry=cr.constant(0.5, cr.float64), xs=x)
    assert isinstance(last, Node)
    assert isinstance(every, Node)
    given = np.arange(12.0).reshape(3, 4) / 10
    totals = [0.5]
    for row in given:
        totals.append(1 + row.sum() * totals[-1])
    gradient = cr.grad(last, x)
    found, kept, slope = cr.compile([last, every, gradient], target=target)(x=given)
    np.testing.assert_allclose(found, totals[-1])
    np.testing.assert_allclose(kept, totals[1:])
    sums = given.sum(axis=1)
    expected = [totals[0] * sums[1] * sums[2], totals[1] * sums[2], totals[2]]
    np.testing.assert_allclose(slope, np.repeat(expected, 4).reshape(3, 4))


@TARGETS
@pytest.mark.parametrize("reverse", [False, True])
def test_any_number_of_steps_by_one_program(target: str, reverse: bool) -> None:
    x = cr.input("x", ("time", 2))
    last, every = cr.scan(
        lambda s, x_t: (s * 0.5 + x_t, s + x_t), carry=zeros(2), xs=x, reverse=reverse
    )
    assert isinstance(last, Node)
    assert isinstance(every, Node)
    run = cr.compile([last, every], target=target)
    for count in (7, 1, 3, 5):
        rows = np.arange(2.0 * count, dtype=np.float32).reshape(count, 2)
        s, kept = np.zeros(2, np.float32), np.zeros_like(rows)
        for t in reversed(range(count)) if reverse else range(count):
            kept[t], s = s + rows[t], s * np.float32(0.5) + rows[t]
        found = run(x=rows)
        np.testing.assert_array_equal(found[0], s)
        np.testing.assert_array_equal(found[1], kept)


@TARGETS
def test_an_epoch_may_end_with_fewer_rows_that_are_steps(target: str) -> None:
    """Steps along the batch: the sum of decaying sums, whose rate is learned."""
    x, rate = cr.input("x", ("batch", 2)), cr.parameter("rate", (2,), 0.5)
    _, every = cr.scan(lambda s, x_t: (s * rate + x_t, s), carry=zeros(2), xs=x)
    assert isinstance(every, Node)
    step = cr.optim.SGD(0.01).minimize(cr.mean(every * every))
    data = {x: np.linspace(0, 1, 22, dtype=np.float32).reshape(11, 2)}
    training = cr.training(step, epochs=2, batch_size=4, shuffle=False)
    run = cr.compile(training, target=target).run(data, progress=False)
    expected = cr.compile(training, target="numpy", passes=()).run(data, progress=False)
    np.testing.assert_allclose(run.history["loss"], expected.history["loss"], rtol=1e-5)


@TARGETS
def test_what_is_known_before_it_runs(target: str) -> None:
    table = cr.constant(np.arange(6.0, dtype=np.float32).reshape(3, 2))
    _, every = cr.scan(lambda c, row: (c, cr.exp(row)), carry=cr.constant(0.0), xs=table)
    assert isinstance(every, Node)
    found = cr.compile(every, target=target, passes=())()
    np.testing.assert_allclose(found, np.exp(np.arange(6.0).reshape(3, 2)), rtol=1e-6)


def test_its_work_is_that_of_its_steps() -> None:
    last, every = looped(declared(), reverse=False)
    product = 2 * ROWS * HIDDEN * (INPUTS + HIDDEN)
    elements = ROWS * HIDDEN * (2 + 1 + 1)  # two sums, the tangent, the factor
    for node in (last, every.inputs[0]):
        assert work_of(node, {"batch": ROWS}).operations == STEPS * (product + elements)


def test_its_text_is_read_back() -> None:
    leaves = declared()
    graph = cr.Graph(derivatives(*looped(leaves, reverse=True), leaves)[:4])
    again = cr.parse(graph.text())
    assert same(again, graph)
    assert any(isinstance(node.op, Scan) for node in again.nodes)


def test_the_lines_of_the_cell_are_kept() -> None:
    last, _ = looped(declared(), reverse=False)
    source = cr.compile(last, target="numpy").source
    assert "for t in range(5):" in source
    assert "test_scan.py" in source


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_a_carry_that_no_step_changes(target: str) -> None:
    """Alone it is no loop at all; beside another, and in a derivative, it is what it was."""
    x, y = cr.input("x", (3,)), cr.input("y", (3,))
    at = {"x": np.array([1.0, 2.0, 3.0], np.float32), "y": np.array([2.0, 3.0, 4.0], np.float32)}
    same, _ = cr.scan(lambda c: (c, None), x, length=3)
    np.testing.assert_array_equal(cr.compile(same, target=target)(x=at["x"]), at["x"])

    def cell(carry: tuple[Node, Node]) -> tuple[tuple[Node, Node], None]:
        kept, changed = carry
        return (kept, changed * 2.0), None

    carries: Any = cr.scan(cell, (x, y), length=3)[0]
    loss = cr.sum(carries[0] * carries[1])
    found = cr.compile([*carries, *cr.grad(loss, [x, y])], target=target)(**at)
    for mine, wanted in zip(found, (at["x"], 8 * at["y"], 8 * at["y"], 8 * at["x"]), strict=True):
        np.testing.assert_array_equal(mine, wanted)


def test_many_loops_one_after_another() -> None:
    """As many as derivatives of loops in loops come to: none is run by the one behind it."""
    last: Any = cr.input("x", (3,))
    for each in range(200):
        last, _ = cr.scan(lambda c, each=each: (cr.tanh(c + each), None), last, length=2)
    ones = np.ones(3, np.float32)
    expected = cr.compile(last, target="numpy")(x=ones)
    np.testing.assert_allclose(cr.compile(last)(x=ones), expected, rtol=1e-6)


def refused(message: str, kind: type[cr.ChainruleError], call: Callable[[], object]) -> None:
    with pytest.raises(kind, match=message) as raised:
        call()
    assert "try:" in str(raised.value)


def test_what_is_no_loop_is_refused() -> None:
    x, h, short = zeros(5, 2), zeros(2), zeros(4, 2)
    slot = cr.parameter("slot", (2,), 0.0, trainable=False)
    graph, shape = cr.GraphError, cr.ShapeError
    text: Any = "no"  # what a type checker would refuse

    refused("cell gives a str, not the next", graph, lambda: cr.scan(lambda _c, _x: text, h, x))
    refused("the cell keeps is a str", graph, lambda: cr.scan(lambda c, _: (c, text), h, x))
    refused(
        "scan: the cell, a str, cannot be called with the c", graph, lambda: cr.scan(text, h, x)
    )
    refused("with the carry alone", graph, lambda: cr.scan(lambda c, _: (c, c), h, length=2))
    refused("2 carries for 1", graph, lambda: cr.scan(lambda c, _: ((c, c), None), h, x))
    refused(r"f32\[2\] before a step and f32\[5,2\] after it", shape,
            lambda: cr.scan(lambda c, _: (c + x, None), h, x))  # fmt: skip
    refused("the sequences have 5, 4 steps", shape,
            lambda: cr.scan(lambda c, _: (c, None), h, (x, short)))  # fmt: skip
    refused("nor a length", shape, lambda: cr.scan(lambda c: (c, None), h))
    refused("updates a state in a loop", graph,
            lambda: cr.scan(lambda c, _: (cr.updating(c, {slot: c}), None), h, x))  # fmt: skip
