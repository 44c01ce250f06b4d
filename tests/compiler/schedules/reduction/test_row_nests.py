"""Rows that are folded and read again: one nest, the numbers of separate kernels, and no others."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

import chainrule as cr
from chainc.ir import Graph, Node
from chainc.ir.types import Array
from chainc.lowering.kernels import Contraction, Kernel, Map, Reduction
from chainc.lowering.lower import lower
from chainc.lowering.program import Program
from chainc.passes import pipeline
from chainc.schedules.by_kernel import schedule
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import AVX2, AVX512, NEON, Machine
from chainc.schedules.program.preparation import prepare
from chainc.schedules.reduction import row_nests
from chainc.schedules.reduction.row_nests import RowNest
from chainrule import losses, optim

MACHINES = pytest.mark.parametrize("machine", [AVX512, AVX2], ids=["avx512", "avx2"])

Loss = Callable[[Node, Node], Node]

KINDS: Mapping[str, Loss] = {
    "labels": losses.cross_entropy,
    "smoothed": lambda scores, y: losses.cross_entropy(scores, y, label_smoothing=0.1),
    "ignoring": lambda scores, y: losses.cross_entropy(scores, y, ignore_index=3),
}


def classified(width: int, classes: int, loss_of: Loss = losses.cross_entropy) -> tuple[Node, Node]:
    """The loss of a layer, and the gradient for its weight."""
    x, y = cr.input("x", ("batch", width)), cr.input("y", ("batch",), dtype="int32")
    w = cr.parameter("w", (width, classes), 0.0)
    loss = loss_of(x @ w, y)
    return loss, cr.grad(loss, w)


def prepared(outputs: tuple[Node, ...], machine: Machine, batch: int) -> Program:
    graph = Graph(outputs)
    for step in pipeline():
        graph = step.apply(graph)
    return prepare(lower(graph), machine, Capacity({"batch": batch}))


def over_scores(program: Program, classes: int) -> list[list[str]]:
    """What the kernels between the products do that go over the scores."""
    found: list[list[str]] = []
    for kernel in program.body:
        touched = [*kernel.outs, *(view.buffer for view in kernel.reads)]
        wide = any(len(x.type.shape) == 2 and x.type.shape[1] == classes for x in touched)
        if wide and not isinstance(kernel.root, Contraction):
            found.append([_word(member) for member in kernel.single])
    return found


def _word(member: Kernel) -> str:
    if isinstance(member, Reduction):
        return f"fold {member.out.name}"
    return member.out.name if isinstance(member, Map) else f"index {member.out.name}"


PLANS = {
    "labels": [
        "fold max, where, exp, fold sum, d_subtract, index pick, subtract, index d_pick, d_subtract"
    ],
    "smoothed": [
        "index pick",
        "fold max, where, exp, fold sum, log, d_subtract, fold sum, index d_pick, d_subtract",
    ],
    # what a row counts is known once all labels have been looked at
    "ignoring": ["fold max, where, exp, fold sum", "index pick, where", "index d_pick, d_subtract"],
}


@MACHINES
@pytest.mark.parametrize(("classes", "batch"), [(1168, 16), (1000, 64), (8000, 64)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_softmax_and_cross_entropy_are_one_nest(
    machine: Machine, classes: int, batch: int, kind: str
) -> None:
    program = prepared(classified(18, classes, KINDS[kind]), machine, batch)
    assert [", ".join(each) for each in over_scores(program, classes)] == PLANS[kind]


@MACHINES
@pytest.mark.parametrize(("classes", "batch"), [(10, 32), (15, 31), (65, 768), (1168, 4)], ids=str)
def test_scores_that_stay_near_are_gone_over_by_kernels_of_their_own(
    machine: Machine, classes: int, batch: int
) -> None:
    """What is done once for a row, or for four, would take longer than is gained."""
    program = prepared(classified(12, classes), machine, batch)
    assert not any(isinstance(kernel, RowNest) for kernel in program.body)
    assert len(over_scores(program, classes)) == 5


def test_moments_of_rows_are_no_nest() -> None:
    x = cr.input("x", ("batch", 512))
    program = prepared((x / cr.sqrt(cr.mean(x * x, axis=1, keepdims=True)),), AVX512, 256)
    assert not any(isinstance(kernel, RowNest) for kernel in program.body)


@pytest.mark.parametrize(("machine", "asked"), [(AVX512, True), (AVX2, True), (NEON, False)])
def test_the_next_rows_are_asked_for_while_exponentials_are_computed(
    machine: Machine, asked: bool
) -> None:
    program = prepared(classified(18, 1168), machine, 16)
    (nest,) = (each for each in program.body if isinstance(each, RowNest))
    text = str(schedule(nest, Capacity({"batch": 16}), machine)[0])
    assert ("Prefetch(" in text) == asked


def separate(x: Node, w: Node) -> tuple[Node, ...]:
    """Results with and without a nest: rows that are read turned around must not be in it."""
    e = cr.exp(x - cr.max(x, axis=-1, keepdims=True))
    s = cr.sum(e, axis=-1, keepdims=True)
    p = cr.softmax(x * 2)
    return e / s, e[::-1] / s, cr.log_softmax(x), cr.grad(cr.sum(p * w), x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(23, 1168), (3, 5, 1530), (61, 4100)], ids=str)
def test_a_nest_has_the_bits_of_its_kernels(
    shape: tuple[int, ...], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    x, w = (cr.input(name, shape, dtype=dtype) for name in "xw")
    given = {name: random.standard_normal(shape).astype(dtype) * 3 for name in "xw"}
    outputs = separate(x, w)

    def run(ahead: int) -> tuple[Array, ...]:
        monkeypatch.setattr(row_nests, "MOST_AHEAD", ahead)
        function = cr.compile(list(outputs))
        assert ("for block in" in function.loops) == (ahead > 0)
        return tuple(map(np.asarray, function(**given)))

    for one, other in zip(run(16), run(0), strict=True):
        assert one.tobytes() == other.tobytes()
    checked = cr.compile(list(outputs), target="numpy")(**given)
    for one, other in zip(run(16), checked, strict=True):
        np.testing.assert_allclose(np.float64(one), np.float64(other), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_has_the_same_bits_on_two_threads(kind: str) -> None:
    x, y = cr.input("x", ("batch", 20)), cr.input("y", ("batch",), dtype="int32")
    w = cr.parameter("w", (20, 1200), cr.init.normal(0.1))
    loss = KINDS[kind](x @ w, y)
    training = cr.training(optim.SGD(lr=0.1).minimize(loss), epochs=2, batch_size=24)
    random = np.random.default_rng(0)
    data = {"x": random.standard_normal((67, 20)), "y": random.integers(0, 1200, 67)}
    one, two = (cr.compile(training, threads=threads).run(data) for threads in (1, 2))
    assert one.state["w"].tobytes() == two.state["w"].tobytes()
    other = cr.compile(training, target="numpy").run(data)
    np.testing.assert_allclose(one.history["loss"], other.history["loss"], rtol=1e-5)


def test_an_index_that_is_computed_is_refused_within_a_nest() -> None:
    x, y = cr.input("x", ("batch", 1200)), cr.input("y", ("batch",), dtype="int32")
    loss = losses.cross_entropy(x, y + 1)
    function = cr.compile([loss, cr.grad(loss, x)])
    assert "for block in" in function.loops
    scores, labels = np.zeros((40, 1200), np.float32), np.arange(40, dtype=np.int32)
    assert np.isfinite(function(x=scores, y=labels)[0])
    labels[7] = 1199
    with pytest.raises(cr.InputError, match="an index is out of range for an axis of size 1200"):
        function(x=scores, y=labels)
