import pytest
from hypothesis import given
from tests.graphs import Case, cases

from chainc import ops
from chainc.ir import Graph, Node, Op, apply
from chainc.ir.errors import GraphError, VerifyError
from chainc.ir.leaves import Input, Label, Slot
from chainc.ir.types import UNKNOWN, DType, Shape, TensorType, float32, int32
from chainc.ir.verify import verify
from chainc.ops.contract import Contract, FusedContract
from chainc.ops.formula import Region, scalar_input
from chainc.ops.movement import PermuteDims
from chainc.ops.parts.slicing import Slice
from chainc.ops.reduce import Sum


def declare(key: str, *shape: int, dtype: DType = float32) -> Node:
    return apply(Input(key, TensorType(shape, dtype)))


def slot(key: str, *shape: int) -> Node:
    return apply(Slot(Label(key), TensorType(shape, float32)))


@given(cases(jumps=True))
def test_declared_graphs_are_sound(case: Case) -> None:
    verify(case.graph)


def test_a_node_of_another_type_than_its_op_gives() -> None:
    x = declare("x", 2, 3)
    wrong = Node(ops.exp(x).op, (x,), TensorType((3, 2), float32))
    with pytest.raises(VerifyError) as caught:
        verify(Graph((wrong + 1,)))
    assert caught.value.what == "exp f32[3,2] should have the type f32[2,3]"
    assert "operand 1: x f32[2,3] (" in caught.value.where
    assert "test_verify.py:" in caught.value.where


@pytest.mark.parametrize(
    ("op", "shape", "message"),
    [
        (Sum((2,)), (2, 3), r"cannot stand: axes \(2,\) do not fit f32\[2,3\]"),
        (Sum((0, 0)), (2, 3), r"cannot stand: axes \(0, 0\) do not fit"),
        (PermuteDims((0, 0)), (2, 3), r"cannot stand: axes \(0, 0\) are no order of the axes"),
        (Slice((0,), (3,), (1,)), (2,), r"cannot stand: 0:3:1 is no part of an axis of size 2"),
        (Slice((0,), (2,), (0,)), (2,), r"cannot stand: 0:2:0 is no part of an axis"),
        (Slice((0,), (2,), (1,)), (2, 2), r"cannot stand: the attributes do not fit f32\[2,2\]"),
    ],
)
def test_attributes_that_do_not_fit(op: Op, shape: Shape, message: str) -> None:
    wrong = Node(op, (declare("x", *(dim for dim in shape if isinstance(dim, int))),),
                 TensorType((), float32))  # fmt: skip
    with pytest.raises(VerifyError, match=message):
        verify(Graph((wrong,)))


def test_a_wrong_number_of_operands() -> None:
    x = declare("x", 2)
    sum_of_one = Node(ops.add(x, x).op, (x,), x.type)
    with pytest.raises(VerifyError, match="cannot stand: takes 2 operands, got 1"):
        verify(Graph((sum_of_one,)))
    reshape_of_two = Node(ops.reshape(x, (2, 1)).op, (x, x), TensorType((2, 1), float32))
    with pytest.raises(VerifyError, match="cannot stand: the attributes do not fit f32"):
        verify(Graph((reshape_of_two,)))


@pytest.mark.parametrize("equation", ["aa,ab->b", "ab,bc->acd", "ab,bc->a", "ab,cd->ad"])
def test_equations_that_are_no_contraction(equation: str) -> None:
    a, b, result = equation.replace("->", ",").split(",")
    x, y = declare("x", 2, 2), declare("y", 2, 2)
    wrong = Node(Contract(a, b, result), (x, y), TensorType((2,) * len(result), float32))
    with pytest.raises(VerifyError, match="is no contraction"):
        verify(Graph((wrong,)))


def test_a_node_that_depends_on_itself() -> None:
    x = declare("x")
    first = ops.tanh(x)
    second = ops.exp(first)
    object.__setattr__(first, "inputs", (second,))
    for roots in ((second,), (x, first), (second + second,)):
        with pytest.raises(VerifyError, match="is an operand of itself, by way of others"):
            verify(Graph(roots))


def test_a_pattern_is_no_graph() -> None:
    hole = Node(Input("x", UNKNOWN), (), UNKNOWN)
    with pytest.raises(VerifyError, match="belongs to a pattern and has no type"):
        verify(Graph((hole + 1,)))


def test_updates_bind_a_state_slot_once_to_its_own_type() -> None:
    w, x = slot("w", 2), declare("x", 2)
    verify(Graph((), {w: w + x}))
    with pytest.raises(VerifyError, match=r"x f32\[2\] is updated and is no state slot"):
        verify(Graph((), {x: w}))
    with pytest.raises(VerifyError, match=r"w f32\[2\] is updated with another type, by sum f32"):
        verify(Graph((), {w: ops.sum(x)}))
    again = Node(w.op, (), w.type)
    with pytest.raises(VerifyError, match=r"w f32\[2\] is updated twice"):
        verify(Graph((), {w: x, again: x}))


def test_outputs_have_no_names_or_one_each() -> None:
    x = declare("x")
    verify(Graph((x, x), names=("a", "b")))
    with pytest.raises(VerifyError, match="2 outputs have 1 names"):
        verify(Graph((x, x), names=("a",)))


def test_two_slots_with_one_name_are_the_users_mistake() -> None:
    first, second = slot("linear/weight", 2), slot("linear/weight", 2)
    with pytest.raises(GraphError) as caught:
        verify(Graph((first + second,)))
    assert caught.value.what == "two state slots have the name 'linear/weight'"
    assert caught.value.where.count("test_verify.py:") == 2
    assert "give one layer a name of its own" in caught.value.hint
    verify(Graph((first + Node(first.op, (), first.type),)))  # one slot, read twice


def test_two_different_inputs_with_one_name_are_the_users_mistake() -> None:
    x = declare("x", 2)
    verify(Graph((x + declare("x", 2),)))
    with pytest.raises(GraphError, match="two different inputs have the name 'x'") as caught:
        verify(Graph((x, declare("x", 2, dtype=int32))))
    assert "x f32[2] (" in caught.value.where
    assert "x i32[2] (" in caught.value.where


def test_defects_inside_regions_and_epilogues_are_found() -> None:
    x, w = declare("x", 2, 2), declare("w", 2, 2)
    inner = scalar_input(0, float32)
    wrong = Node(ops.exp(inner).op, (inner,), TensorType((5,), float32))
    body = Graph((Node(ops.tanh(inner).op, (wrong,), TensorType((5,), float32)),))
    region = Node(Region(body), (x,), x.type)
    with pytest.raises(VerifyError) as caught:
        verify(Graph((region,)))
    assert caught.value.what == (
        "region f32[2,2] has a defect inside: exp f32[5] should have the type f32[]"
    )
    fused = Node(FusedContract(Contract("ab", "bc", "ac"), body), (x, w), x.type)
    with pytest.raises(VerifyError, match=r"fused_contract f32\[2,2\] has a defect inside"):
        verify(Graph((fused,)))


def test_a_body_has_one_output_and_no_updates() -> None:
    x, inner = declare("x"), scalar_input(0, float32)
    w = slot("w")
    for body in (Graph((inner, inner)), Graph(()), Graph((inner,), {w: inner})):
        with pytest.raises(VerifyError, match=r"has a body of . outputs and . updates"):
            verify(Graph((Node(Region(body), (x,), x.type),)))


def test_a_chain_of_ten_thousand_nodes_is_verified() -> None:
    y = declare("x")
    for _ in range(10_000):
        y = -y
    verify(Graph((y,)))
