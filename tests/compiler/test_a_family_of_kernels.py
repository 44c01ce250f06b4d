"""A family of kernels from outside the trees: its class, its schedule and its NumPy statement.

No file of the compiler knows it, and it runs wherever the compiler's own families do.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainc.backends.numpy.expressions import SourceNames
from chainc.backends.numpy.statements import write_statements
from chainc.interpreters.reference import evaluate
from chainc.ir import REGISTRY, Graph, Node, Op, apply
from chainc.ir.kernels import Family, Kernels
from chainc.ir.types import Array, Shape, TensorType, named_axes, static
from chainc.loops.values import affine
from chainc.lowering.kernels import Kernel
from chainc.schedules.by_kernel import write_loops
from chainc.schedules.frame import Frame
from chainc.schedules.layout.access import Access, Point, bound_of
from chainrule import optim
from chainrule.evaluation.cost import cost

T = TypeVar("T")
COMPILER = Path(__file__).parents[2] / "compiler" / "chainc"
TARGETS = pytest.mark.parametrize("target", ["numpy", "llvm"])


# --- the family: what it computes, and the facts that are asked of it


@dataclass(frozen=True)
class RunningSum(Family):
    """Element i is the sum of the operand's elements 0 … i along `axis`."""

    axis: int

    def evaluate(self, result: TensorType, x: Array) -> Array:
        return np.asarray(np.add.accumulate(x, axis=self.axis))

    def operations(self, result: Shape, operands: Sequence[Shape]) -> int:
        return math.prod(static(result))

    def keeps_rows_apart(self, result: Shape, operands: Sequence[Shape]) -> bool:
        return self.axis not in named_axes(result)


# --- its schedule


@write_loops.register
def schedule_running_sum(family: RunningSum, frame: Frame) -> None:
    """Along the axis each sum is that before it and one element more."""
    (x,) = frame.root.reads
    source, target = frame.access(x), frame.whole(frame.root.out)
    if 0 in target.shape:
        return
    with _around(frame, target, family.axis) as point:
        first = frame.builder.load(source.address(point))
        frame.builder.store(first, target.address(point))
        with frame.builder.loop("i", 1, bound_of(target.shape[family.axis])) as loop:
            here, before = (
                (*point[: family.axis], affine(loop.index) + shift, *point[family.axis + 1 :])
                for shift in (0, -1)
            )
            total = frame.builder.load(target.address(before))
            element = frame.builder.load(source.address(here))
            more = frame.builder.compute("add", total, element)
            frame.builder.store(more, target.address(here))


@contextmanager
def _around(frame: Frame, target: Access, axis: int, point: Point = ()) -> Iterator[Point]:
    """Loops over all other axes."""
    position = len(point)
    if position == len(target.shape):
        yield point
        return
    stop = 1 if position == axis else bound_of(target.shape[position])
    with (
        frame.builder.loop(f"i{position}", 0, stop) as loop,
        _around(frame, target, axis, (*point, affine(loop.index))) as inner,
    ):
        yield inner


# --- its NumPy statement


@write_statements.register
def _running_sum(family: RunningSum, kernel: Kernel, scope: SourceNames) -> list[str]:
    (x,) = scope.operands(kernel.operands)
    return [f"np.add.accumulate({x}, axis={family.axis}, out={scope.names[kernel.out]})"]


# --- an op that says it


@dataclass(frozen=True)
class CumulativeSum(Op):
    name = "cumulative_sum"
    axis: int

    def infer(self, x: TensorType) -> TensorType:
        return x

    def kernel(self, k: Kernels[T], result: TensorType, x: T) -> T:
        return k.apply(RunningSum(self.axis), result, x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        later = cumulative_sum(cr.flip(g, axis=self.axis), self.axis)
        return (cr.flip(later, axis=self.axis),)


del REGISTRY["cumulative_sum"]  # the tests that walk the registry are about the compiler's ops


def cumulative_sum(x: Node, axis: int) -> Node:
    return apply(CumulativeSum(axis), x)


# --- it runs


@TARGETS
@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 20), (0, 3), (3, 0)], ids=str)
def test_values(target: str, shape: tuple[int, ...]) -> None:
    x = cr.input("x", shape)
    numbers = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    for axis in range(len(shape)):
        found = cr.compile(cumulative_sum(2.0 * x, axis), target=target)(x=numbers)
        np.testing.assert_array_equal(found, np.add.accumulate(2 * numbers, axis=axis))


def test_the_reference_computes_it_in_double_precision() -> None:
    graph = Graph((cumulative_sum(cr.input("x", (4,)), 0),))
    (found,) = evaluate(graph, {"x": np.array([0.1, 0.2, 0.3, 0.4])}).outputs
    np.testing.assert_array_equal(found, np.cumsum([0.1, 0.2, 0.3, 0.4]))


@TARGETS
def test_any_number_of_rows(target: str) -> None:
    x = cr.input("x", ("batch", 7))
    along, down = (cr.compile(cumulative_sum(x, axis), target=target) for axis in (1, 0))
    for rows in (1, 5, 70):
        numbers = np.random.default_rng(rows).standard_normal((rows, 7)).astype(np.float32)
        np.testing.assert_array_equal(along(x=numbers), np.add.accumulate(numbers, axis=1))
        np.testing.assert_array_equal(down(x=numbers), np.add.accumulate(numbers, axis=0))


@TARGETS
def test_its_gradient(target: str) -> None:
    x, w = cr.input("x", ("batch", 4)), cr.constant(np.arange(4, dtype=np.float32))
    loss = cr.sum(cumulative_sum(cr.tanh(x), 1) * w)
    at = [[0.5, -1.0, 2.0, 0.0], [1.0, 1.0, -3.0, 0.25]]
    assert cr.check_grad(loss, x, at={x: at}).passed
    numbers = np.array(at, np.float32)
    found = cr.compile(cr.grad(loss, x), target=target)(x=numbers)
    later = np.cumsum(np.arange(4)[::-1])[::-1]
    np.testing.assert_allclose(found, later * (1 - np.tanh(numbers) ** 2), rtol=1e-5)


def trained(target: str) -> tuple[npt.NDArray[np.float32], Sequence[float]]:
    """The weight and the losses of a model that learns what is summed up."""
    x, y = cr.input("x", ("batch", 6)), cr.input("y", ("batch", 6))
    w = cr.parameter("w", (6,), cr.init.ones())
    loss = cr.mean(cr.square(cumulative_sum(x * w, 1) - y))
    training = cr.training(optim.SGD(lr=0.05).minimize(loss), epochs=20, batch_size=16)
    numbers = np.random.default_rng(3).standard_normal((50, 6)).astype(np.float32)
    wanted = np.cumsum(numbers * np.array([1, -1, 2, 0, 3, 1], np.float32), axis=1)
    result = cr.compile(training, target=target).run({x: numbers, y: wanted}, progress=False)
    return np.asarray(result.state["w"], np.float32), result.history["loss"]


@TARGETS
def test_inside_a_training(target: str) -> None:
    weight, losses = trained(target)
    assert losses[-1] < 0.05 * losses[0]
    np.testing.assert_allclose(weight, [1, -1, 2, 0, 3, 1], atol=0.4)


def test_its_cost_is_what_it_says() -> None:
    assert cost(Graph((cumulative_sum(cr.input("x", (3, 4)), 1),))).flops == 12


# --- what a family does not say is refused


@dataclass(frozen=True)
class Unsaid(Family):
    def evaluate(self, result: TensorType, x: Array) -> Array:
        return x


@dataclass(frozen=True)
class Silent(CumulativeSum):
    def kernel(self, k: Kernels[T], result: TensorType, x: T) -> T:
        return k.apply(Unsaid(), result, x)


def test_what_is_not_said_is_refused() -> None:
    silent = apply(Silent(0), cr.input("x", (3,)))
    assert not Unsaid().keeps_rows_apart((3,), [(3,)])
    assert not Unsaid().takes_panels
    assert Unsaid().index((3,), [(3,)]) is None
    with pytest.raises(NotImplementedError, match=r"^Unsaid does not say what it costs$"):
        cost(Graph((silent,)))
    with pytest.raises(NotImplementedError, match=r"^Unsaid has no NumPy statement for "):
        cr.compile(silent, target="numpy")(x=np.zeros(3, np.float32))
    with pytest.raises(NotImplementedError, match=r"^Unsaid has no schedule for "):
        cr.compile(silent, target="llvm")(x=np.zeros(3, np.float32))


# --- who knows a family

CLASS = {
    "indexing": "ops/families/indexing.py",
    "random": "ops/families/random.py",
    "rows": "ops/families/rows.py",
}
KNOWN_BY_ALL = {"backends/numpy/statements.py"}
IN_STRAIGHT_LINES = "schedules/unrolled/schedule.py"  # a second schedule, which a family may have
KNOWN = {
    "IndexOf": {CLASS["indexing"], "ops/index.py", "schedules/reduction/search.py"},
    "ScatterAdd": {CLASS["indexing"], "ops/index.py", "schedules/indexing/slices.py"},
    "OneHot": {CLASS["indexing"], "ops/index.py", "schedules/indexing/slices.py"},
    "Pick": {CLASS["indexing"], "ops/index.py", "schedules/indexing/slices.py"},
    "Iota": {CLASS["indexing"], "ops/index.py", "schedules/indexing/slices.py"},
    "RandomWords": {CLASS["random"], "ops/runs/random.py", "schedules/random.py"},
    "Permutation": {CLASS["random"], "ops/runs/random.py", "schedules/random.py"},
    "RunningSum": {CLASS["rows"], "ops/parts/rows.py", "schedules/indexing/rows.py"},
    "PickAlong": {CLASS["rows"], "ops/parts/rows.py", "schedules/indexing/rows.py"},
    "AddAlong": {CLASS["rows"], "ops/parts/rows.py", "schedules/indexing/rows.py"},
    "Order": {CLASS["rows"], "ops/parts/rows.py", "schedules/indexing/rows.py"},
    "Largest": {CLASS["rows"], "ops/parts/rows.py", "schedules/reduction/search.py"},
    # rows of the data are gathered into minibatches
    "Gather": {
        CLASS["indexing"],
        "ops/index.py",
        "schedules/indexing/slices.py",
        "schedules/training/visits.py",
    },
}


def naming(name: str) -> set[str]:
    """The files of the compiler that name a family; ops of the same name are not meant."""
    word, families = re.compile(rf"\b{name}\b"), re.compile(r"chainc\.ops\.families|\(Family\):")
    texts = {file: file.read_text("utf-8") for file in COMPILER.rglob("*.py")}
    files = (file for file, text in texts.items() if families.search(text) and word.search(text))
    return {file.relative_to(COMPILER).as_posix() for file in files}


def test_every_family_is_counted() -> None:
    found = {
        name
        for file in CLASS.values()
        for name in re.findall(r"^class (\w+)\(", (COMPILER / file).read_text("utf-8"), re.M)
    }
    assert found - {"Draw", "OfRows"} == set(KNOWN)  # these are what several share


@pytest.mark.parametrize("name", KNOWN)
def test_a_family_is_known_to_its_op_its_schedule_and_its_statement_alone(name: str) -> None:
    assert naming(name) - {IN_STRAIGHT_LINES} == KNOWN[name] | KNOWN_BY_ALL
