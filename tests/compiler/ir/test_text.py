from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.graphs import Case, cases

from chainc import ops
from chainc.autodiff import grad
from chainc.ir import REGISTRY, Graph, Node, Op, apply, scope
from chainc.ir.errors import GraphError, ParseError
from chainc.ir.leaves import Constant, ConstantArray, Input, Label, Slot, constant
from chainc.ir.text import parse, reading, same, to_text, tokens
from chainc.ir.types import DType, Shape, TensorType, float32, float64, int32, multiply, named
from chainc.ops.contract import Contract, FusedContract
from chainc.ops.formula import Formula, Region, scalar_input
from chainc.ops.parts.slicing import Pad


def declare(key: str, *shape: int | str, dtype: DType = float32) -> Node:
    dims: Shape = tuple(named(dim) if isinstance(dim, str) else dim for dim in shape)
    return apply(Input(key, TensorType(dims, dtype)))


def parameter(key: str, *shape: int) -> Node:
    return apply(Slot(Label(key), TensorType(shape, float32), trainable=True))


def perceptron() -> Graph:
    """A layer, its cross-entropy, and a step of gradient descent."""
    x, y = declare("x", "batch", 64), declare("y", "batch", dtype=int32)
    rate = apply(Input("rate", TensorType((), float32), 0.1))
    with scope("model"), scope("linear"):
        w, b = parameter("linear/weight", 64, 10), parameter("linear/bias", 10)
        logits = x @ w + b
    chosen = ops.sum(logits * ops.one_hot(y, 10), 1)
    loss = ops.mean(ops.logsumexp(logits, 1) - chosen)
    dw, db = grad(loss, [w, b])
    return Graph((loss, logits), {w: w - rate * dw, b: b - rate * db}, ("loss", "logits"))


def fused() -> Graph:
    """What fusion makes: an epilogue, a region; and a user's formula."""
    x, w, b = declare("x", "batch", 4), parameter("w", 4, 3), parameter("b", 3)
    epilogue = Graph((ops.tanh(scalar_input(0, float32) + scalar_input(1, float32)),))
    hidden = apply(FusedContract(Contract("ik", "kj", "ij"), epilogue), x, w, b)
    first, second = declare("0", "batch", 3), declare("1", 3)
    region = apply(Region(Graph((ops.exp(first * second) + first,))), hidden, b)
    u = scalar_input(0)
    s = ops.sigmoid(u)
    swish = Formula("swish", Graph((u * s,)), (Graph((s + u * s * (1 - s),)),))
    return Graph((swish(region),))


@pytest.mark.parametrize("build", [perceptron, fused])
def test_golden_text(build: Callable[[], Graph], golden: Callable[[str, str], None]) -> None:
    golden(f"{build.__name__}.ir", to_text(build(), comments=False))


@given(cases(jumps=True))
def test_text_parses_back_to_the_same_graph(case: Case) -> None:
    text = to_text(case.graph)
    parsed = parse(text)
    assert same(parsed, case.graph)
    assert [n.type for n in parsed.nodes] == [n.type for n in case.graph.nodes]
    assert to_text(parsed, comments=False) == to_text(case.graph, comments=False)


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_op_can_be_written_and_read_or_says_why_not(name: str) -> None:
    for sample in REGISTRY[name].samples():
        operands = [apply(Input(str(i), type)) for i, type in enumerate(sample.operands)]
        graph = Graph((apply(sample.op, *operands),))
        text = to_text(graph)
        if "<" in text:
            with pytest.raises(ParseError, match=f"{name} holds a Python function"):
                parse(text)
        else:
            assert same(parse(text), graph)


float_bits = st.sampled_from([np.float32, np.float64]).flatmap(
    lambda dtype: arrays.arrays(
        dtype, arrays.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=5)
    )
)


@given(float_bits)
def test_constants_keep_every_bit(array: np.typing.NDArray[np.floating]) -> None:
    (node,) = parse(to_text(Graph((constant(array),)))).outputs
    assert isinstance(node.op, Constant)
    assert node.op.value == ConstantArray(array)


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.array(0.1, np.float32), "value=0.1"),
        (np.array([-0.0, np.inf, -np.inf, np.nan]), "value=[-0.0,inf,-inf,nan]"),
        (np.array([[1, -2]], np.int64), "value=[1,-2]"),
        (np.array([True, False]), "value=[true,false]"),
        (np.zeros((0, 2), np.uint8), "value=[]"),
        (np.array(0xFFC00001, np.uint32).view(np.float32), 'value=base64"AQDA/w=="'),
        (np.arange(17, dtype=np.uint8), 'value=base64"AAECAwQFBgcICQoLDA0ODxA="'),
    ],
)
def test_constants_are_numbers_where_these_say_all(array: np.typing.NDArray[np.generic],
                                                   text: str) -> None:  # fmt: skip
    graph = Graph((constant(array),))
    assert to_text(graph, comments=False).splitlines()[0].endswith(f"constant() {text}")
    assert same(parse(to_text(graph)), graph)


def test_comments_tell_line_and_scope_and_are_ignored() -> None:
    with scope("model"), scope("odd\n# name"):
        y = ops.tanh(declare("x"))
    loss = ops.sum(y * y)
    graph = Graph((loss, grad(loss, y)))
    text = to_text(graph)
    assert "# test_text.py:" in text
    assert " model/odd?# name" in text
    assert " fan-out sum" in text
    assert same(parse(text), graph)
    assert "#" not in to_text(graph, comments=False).replace("# name", "")


def test_names_that_are_no_identifiers_are_quoted() -> None:
    x = declare('in "put"\n', "batch size", "2")
    both = ops.reshape(x, (multiply(named("batch size"), named("2")),))
    graph = Graph((x, both), {}, ("", "two words"))
    text = to_text(graph, comments=False)
    assert 'f32["batch size","2"]' in text
    assert 'return ""=%0, "two words"=%1' in text
    parsed = parse(text)
    assert same(parsed, graph)
    assert parsed.names == ("", "two words")
    assert parsed.outputs[1].shape == both.shape


def test_state_slots_keep_name_type_and_updates() -> None:
    parsed = parse(to_text(perceptron()))
    slots = {str(slot.op.label): slot for slot in parsed.updates}
    assert set(slots) == {"linear/weight", "linear/bias"}
    weight = slots["linear/weight"].op
    assert isinstance(weight, Slot)
    assert weight.trainable
    assert parsed.names == ("loss", "logits")


def test_same_sees_ops_attributes_wiring_outputs_updates_and_names() -> None:
    x, w = declare("x", 2, 2), parameter("w", 2, 2)
    graph = Graph((x - w,), {w: x})
    for other in (
        Graph((w - x,), {w: x}),
        Graph((x + w,), {w: x}),
        Graph((x - w,), {w: w}),
        Graph((x - w,)),
        Graph((x - w, x), {w: x}),
        Graph((x - w,), {w: x}, ("difference",)),
        Graph((x - parameter("v", 2, 2),), {w: x}),
    ):
        assert not same(graph, other)
    assert same(graph, Graph((x - w,), {w: x}))
    assert not same(Graph((ops.sum(x, 0),)), Graph((ops.sum(x, 1),)))
    low, high = Pad((1,), (0,), (0,)), Pad((0,), (1,), (0,))
    assert not same(Graph((apply(low, x[0]),)), Graph((apply(high, x[0]),)))
    assert not same(Graph((constant(0.0),)), Graph((constant(-0.0),)))


@dataclass(frozen=True)
class Opaque(Op):
    """An op that holds a function."""

    function: Callable[[float], float]

    def infer(self) -> TensorType:
        return TensorType((), float64)


def test_ops_that_hold_functions_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REGISTRY, "opaque", Opaque)
    monkeypatch.setattr(Opaque, "name", "opaque")
    graph = Graph((apply(Opaque(abs)),))
    assert "opaque() function=<abs>" in to_text(graph)
    with pytest.raises(ParseError, match="opaque holds a Python function, which text cannot"):
        parse("%0: f64[] = opaque()\nreturn %0")
    assert same(graph, Graph((apply(Opaque(abs)),)))
    first, second = (Graph((apply(Opaque(lambda x: x)),)) for _ in range(2))
    assert to_text(first) == to_text(second)
    assert not same(first, second)


X = '%0: f32[2,3] = input() key="x"\n'


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("%0: f32[] = launch()\nreturn", "there is no op 'launch'", 1, 13),
        ("%0: f32[] = __class__()\nreturn", "there is no op '__class__'", 1, 13),
        ("%0: f16[] = tanh()\nreturn", "'f16' is no element type", 1, 5),
        (X + "%1: f32[3,2] = tanh(%0)\nreturn", "gives f32[2,3], and f32[3,2] is written", 2, 5),
        (X + "%1: f32[2,3] = tanh(%2)\nreturn", "%2 is not defined above", 2, 21),
        (X + X + "return", "%0 is defined twice", 2, 1),
        (X + "%1: f32[2,3] = add(%0)\nreturn", "add: takes 2 operands, got 1", 2, 16),
        (X + "%1: f32[3] = sum(%0) axes=[2]\nreturn", "sum: axes (2,) do not fit", 2, 14),
        (X + "%1: f32[3] = sum(%0)\nreturn", "sum lacks its attribute axes", 2, 14),
        (X + "%1: f32[2] = sum(%0) axes=[1] size=3\nreturn", "no place for an attribute", 2, 31),
        (X + "%1: f32[2] = sum(%0) axes=[1] axes=[1]\nreturn", "no place for an attribute", 2, 31),
        (X + "%1: f32[2] = sum(%0) axes=[0.5]\nreturn", "no integer of 64 bits", 2, 28),
        (X + "%1: f32[2] = sum(%0) axes=[99999999999999999999]\nreturn", "no integer", 2, 28),
        (X + "%1: f32[2] = sum(%0) axes=[1] keepdims=no\nreturn", "expected true or false", 2, 40),
        ('%0: f32[-1] = input() key="x"\nreturn', "'-1' is no size", 1, 9),
        ('%0: f32[2] = input() key="\\x"\nreturn', "expected a string", 1, 26),
        ('%0: f32[2] = input() key="x\nreturn', "unexpected '\"'", 1, 26),
        ("%0: f32[2] = constant() value=[1]\nreturn", "expected the elements of f32[2]", 1, 31),
        ("%0: f32[n] = constant() value=[1]\nreturn", "has no named sizes", 1, 31),
        ("%0: i32[] = constant() value=0.5\nreturn", "expected the elements of i32[]", 1, 30),
        ("%0: u8[] = constant() value=256\nreturn", "expected the elements of u8[]", 1, 29),
        ('%0: f32[] = constant() value=base64"AA=="\nreturn', "elements of f32[]", 1, 30),
        ('%0: f32[] = constant() value=base64"!"\nreturn', "elements of f32[]", 1, 30),
        ('%0: bool[] = constant() value=base64"Ag=="\nreturn', "byte is 0 or 1", 1, 31),
        (X + "return %1", "%1 is not defined above", 2, 8),
        (X + "return a=%0, %0", "2 outputs have 1 names", 2, 16),
        (X + "return %0\nupdate %0 = %0", "%0 cannot be updated so", 3, 8),
        (X, "expected 'return', found the end of the text", 2, 1),
        (X + "return %0\nmore", "expected the end of the text, found 'more'", 3, 1),
        ("return; import os", "unexpected ';'", 1, 7),
    ],
)
def test_text_that_is_no_graph(text: str, message: str, line: int, column: int) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text)
    assert message in caught.value.what
    margin = " " * 9
    assert caught.value.where.split("\n") == [
        f"line {line}, column {column}",
        margin + text.split("\n")[line - 1],
        margin + " " * (column - 1) + "^",
    ]


def test_two_slots_of_one_name_are_refused() -> None:
    slot = '= state() key="w"\n'
    with pytest.raises(GraphError, match="two state slots have the name 'w'"):
        parse(f"%0: f32[] {slot}%1: f32[] {slot}return %0, %1")


def test_a_body_with_two_outputs_is_refused() -> None:
    body = 'body={\n%0: f32[2,3] = input() key="0"\nreturn %0, %0\n}'
    with pytest.raises(ParseError, match="has a body of 2 outputs and 0 updates"):
        parse(f"{X}%1: f32[2,3] = region(%0) {body}\nreturn %1")


def test_text_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_LENGTH", 40)
    monkeypatch.setattr(reading, "MAX_NODES", 2)
    with pytest.raises(ParseError, match="the text is longer than 40 characters"):
        parse("return" + 40 * " ")
    node = "f32[]=constant() value=0"
    monkeypatch.setattr(tokens, "MAX_LENGTH", 1000)
    with pytest.raises(ParseError, match="more than 2 nodes"):
        parse("".join(f"%{i}:{node}\n" for i in range(3)) + "return")
    with pytest.raises(ParseError, match="more than 64 axes"):
        parse(f"%0: f32[{','.join('1' * 65)}] = input()\nreturn")
    with pytest.raises(ParseError, match="a product of too many sizes"):
        parse(f"%0: f32[{'*'.join('a' * 66)}] = input()\nreturn")


def test_nesting_has_a_limit() -> None:
    deep = "%0: f32[] = region() body={\n" * (reading.MAX_DEPTH + 1)
    with pytest.raises(ParseError, match="graphs are nested more than 16 deep"):
        parse(deep)


def test_a_chain_of_ten_thousand_nodes_is_written_and_read() -> None:
    y = declare("x")
    for _ in range(10_000):
        y = -y
    assert len(parse(to_text(Graph((y,)))).nodes) == 10_001


@given(cases(), st.data())
def test_damaged_text_is_a_graph_or_a_parse_error(case: Case, data: st.DataObject) -> None:
    text = to_text(case.graph, comments=False)
    start = data.draw(st.integers(0, len(text)))
    stop = start + data.draw(st.integers(0, 12))
    patch = data.draw(st.text(alphabet='%0129:=()[]{},*" \nabefinorstu-.#', max_size=6))
    try:
        graph = parse(text[:start] + patch + text[stop:])
    except (ParseError, GraphError):
        return
    assert same(parse(to_text(graph)), graph)
