"""How ops and kernels are written in a picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tests.pictures import (
    Picture,
    declare,
    state,
    texts,
)

from chainc import ops
from chainc.drawing.dot import to_dot
from chainc.ir import REGISTRY, Graph, Node, apply
from chainc.ir.leaves import Input, size
from chainc.ir.types import float32, int32
from chainc.ops.contract import Contract, FusedContract
from chainc.ops.formula import Formula, Region, scalar_input
from chainc.ops.runs.scan import Scan

# Ops and their operands


def test_a_contraction_over_windows_is_a_convolution() -> None:
    x, w = declare("x", 2, 7, 7), declare("w", 3, 2, 2, 3)
    windows = ops.window(x, (2, 3), (1, 2), (1, 2), 2)
    y = ops.einsum("cpqij,ocij->opq", windows, w)
    drawn = Picture(to_dot(Graph((y,))))
    read = {("window 2×3 stride 1×2 dilation 2", "A [2,5,2,2,3]"), ("w", "B [3,2,2,3]")}
    assert drawn.into("convolution") == read
    assert drawn["convolution"]["label"] == r"convolution\ncpqij,ocij->opq"
    plain = Picture(to_dot(Graph((ops.einsum("cpqij,ocij->opq", declare("v", 2, 5, 2, 2, 3), w),))))
    assert "cpqij,ocij->opq" in plain.labels()
    assert "window 2" in Picture(to_dot(Graph((ops.window(x, 2, 2),)))).labels()


def test_operands_are_told_apart_where_order_matters() -> None:
    x, y = declare("left", 3), declare("right", 3)
    assert Picture(to_dot(Graph((x - y,)))).into("a − b") == {("left", "a [3]"), ("right", "b [3]")}
    assert Picture(to_dot(Graph((y - x,)))).into("a − b") == {("left", "b [3]"), ("right", "a [3]")}
    chosen = Picture(to_dot(Graph((ops.where(x < y, y, x),))))
    assert chosen.into("where") == {
        ("a < b", "if bool[3]"),
        ("right", "then [3]"),
        ("left", "else [3]"),
    }
    product = Picture(to_dot(Graph((declare("m", 2, 3) @ declare("n", 3, 4),))))
    assert product.into("A B") == {("m", "A [2,3]"), ("n", "B [3,4]")}


def test_operands_are_not_told_apart_where_order_does_not_matter() -> None:
    x, y = declare("x", 3), declare("y", 3)
    assert Picture(to_dot(Graph((x + y,)))).into("+") == {("x", "[3]"), ("y", "[3]")}


def test_parts_beyond_the_alphabet_are_numbered() -> None:
    parts = [declare(f"x{i}", 1) for i in range(28)]
    found = Picture(to_dot(Graph((ops.concat(parts),)))).into("concat")
    assert {("x0", "a [1]"), ("x25", "z [1]"), ("x26", "27 [1]"), ("x27", "28 [1]")} <= found


def test_an_operand_used_twice_has_one_edge() -> None:
    x = declare("x")
    edges = [(a, b) for a, b, _ in Picture(to_dot(Graph((x * x,)))).edges()]
    assert edges == [("x", "x × x"), ("x × x", "output")]


@pytest.mark.parametrize(
    ("build", "label"),
    [
        (lambda x: x * 0.5, "× 0.5"),
        (lambda x: 0.5 * x, "× 0.5"),
        (lambda x: x * -1.0, "× (−1)"),
        (lambda x: x + 1.0, "+ 1"),
        (lambda x: x - 1.0, "x − 1"),
        (lambda x: 1.0 - x, "1 − x"),
        (lambda x: 1.0 / x, "1 / x"),
        (lambda x: x**2.0, "x ^ 2"),
        (lambda x: 0.0 < x, "0 < x"),
        (lambda x: ops.maximum(x, 0.0), "max(x, 0)"),
        (lambda x: -x, "−x"),
        (ops.sqrt, "√x"),
        (ops.exp, "exp"),
        (ops.sigmoid, "σ"),
        (ops.relu, "ReLU"),
        (lambda x: x / ops.astype(size("batch"), "float32"), "astype(batch)"),
        (lambda x: size("batch") + ops.astype(x, "int64"), "+ batch"),
    ],
)
def test_constants_stand_in_the_label(build: Callable[[Node], Node], label: str) -> None:
    drawn = Picture(to_dot(Graph((build(declare("x")),))))
    assert label in drawn.labels()
    assert not any(a["shape"] == "plaintext" for a in drawn.vertices().values())


@pytest.mark.parametrize(
    ("equation", "label"),
    [
        ("ab,bc->ac", "A B"),
        ("ba,bc->ac", "Aᵀ B"),
        ("ab,cb->ac", "A Bᵀ"),
        ("ab,b->a", "A B"),
        ("ba,b->a", "Aᵀ B"),
        ("a,a->", "A B"),
        ("ab,bc->ca", "ab,bc->ca"),
        ("a,b->ab", "a,b->ab"),
        ("ab,ab->a", "ab,ab->a"),
        ("abc,acd->abd", "abc,acd->abd"),
    ],
)
def test_contractions_are_written_as_matrix_products(equation: str, label: str) -> None:
    a, b, result = equation.replace("->", ",").split(",")
    assert Contract(a, b, result).label == label


def test_a_tensor_constant_is_a_vertex_of_its_own() -> None:
    drawn = Picture(to_dot(Graph((declare("x", 2) + np.ones(2, np.float32),))))
    assert drawn["constant"]["shape"] == "plaintext"
    assert ("constant", "[2]") in drawn.into("+")


def test_a_users_op_shows_its_formula() -> None:
    x = scalar_input(0)
    swish = Formula("swish", Graph((x / (1.0 + ops.exp(-x)),)), (Graph((x,)),))
    assert "swish\\nx/(1 + exp(−x))" in Picture(to_dot(Graph((swish(declare("x")),)))).labels()


def test_edges_tell_shape_and_type() -> None:
    labels = declare("labels", "batch", dtype=int32)
    drawn = Picture(to_dot(Graph((ops.one_hot(labels, 10),))))
    assert drawn.into("one_hot") == {("labels", "i32[batch]")}
    assert drawn.into("output") == {("one_hot", "[batch,10]")}
    assert Picture(to_dot(Graph((ops.exp(declare("x")),)))).into("exp") == {("x", "")}


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_op_has_a_picture(name: str) -> None:
    for sample in REGISTRY[name].samples():
        operands = [apply(Input(f"in{i}", type)) for i, type in enumerate(sample.operands)]
        found = texts(to_dot(Graph((apply(sample.op, *operands),))))
        read = sample.op.leaves if isinstance(sample.op, Scan) else range(len(operands))
        assert {f"in{i}" for i in read} <= set(found)  # what no step reads is not drawn


# Kernels


def test_a_fused_contraction_lists_its_steps() -> None:
    x, w, b, v = declare("x", 2, 3), state("w", 3, 4), state("b", 4), state("v", 2, 4)
    product, third, fourth = (scalar_input(i, float32) for i in range(3))
    body = Graph((third * 0.9 + ops.relu(product - fourth),))
    y = apply(FusedContract(Contract("ab", "bc", "ac"), body), x, w, v, b)
    drawn = Picture(to_dot(Graph((y,))))
    assert drawn["fused kernel"]["label"].replace("\\l", "\\n").split("\\n")[1:-1] == [
        "1  A B",
        "2  c × 0.9",
        "3  (1) − d",
        "4  ReLU",
        "5  + (2)",
    ]
    edges = {("x", "A [2,3]"), ("w", "B [3,4]"), ("v", "c [2,4]"), ("b", "d [4]")}
    assert drawn.into("fused kernel") == edges
    assert float(drawn["fused kernel"]["penwidth"]) > 2


def test_an_epilogue_goes_on_from_the_contraction() -> None:
    product, bias = (scalar_input(i, float32) for i in range(2))
    op = FusedContract(Contract("ab", "bc", "ac"), Graph((ops.relu(product + bias),)))
    y = apply(op, declare("x", 2, 3), declare("w", 3, 4), declare("b", 4))
    label = Picture(to_dot(Graph((y,))))["fused kernel"]["label"]
    assert label == "fused kernel\\n1  A B\\l2  + c\\l3  ReLU\\l"


def test_a_fused_region_lists_its_steps() -> None:
    x, y = (scalar_input(i, float32) for i in range(2))
    squared = x * x
    region = Region(Graph((ops.where(0.0 < squared, ops.exp(-y), squared) / 2.0,)))
    drawn = Picture(to_dot(Graph((apply(region, declare("p", 3), declare("q", 3)),))))
    assert drawn["fused kernel"]["label"].replace("\\l", "\\n").split("\\n")[1:-1] == [
        "1  a × a",
        "2  0 < (1)",
        "3  −b",
        "4  exp",
        "5  where((2), (4), (1))",
        "6  (5) / 2",
    ]
