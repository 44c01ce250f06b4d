import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from chainc import ops
from chainc.ir import (
    REGISTRY,
    Derivative,
    Graph,
    Node,
    Origin,
    apply,
    current_origin,
    describe,
    originating,
    rebuild,
    scope,
    topological,
    with_inputs,
)
from chainc.ir.errors import DTypeError, GraphError, Location, ShapeError
from chainc.ir.leaves import Constant, ConstantArray, Input, Label, Slot, constant
from chainc.ir.types import DType, Shape, TensorType, bool_, float32, int32, named

batch = named("batch")


def declare(key: str, *shape: int | str, dtype: DType = float32) -> Node:
    dims: Shape = tuple(named(dim) if isinstance(dim, str) else dim for dim in shape)
    return apply(Input(key, TensorType(dims, dtype)))


def line_of_caller() -> int:
    return sys._getframe(1).f_lineno


def test_nodes_are_immutable_and_told_apart_by_identity() -> None:
    x = declare("x", 2)
    first, second = ops.tanh(x), ops.tanh(x)
    assert first.op == second.op
    assert first is not second
    assert len({first, second}) == 2
    with pytest.raises(AttributeError):
        first.__setattr__("op", second.op)


def test_a_node_remembers_the_users_line() -> None:
    x, declared = apply(Input("x", TensorType((2,), float32))), line_of_caller()
    y, computed = x * 2 + 1, line_of_caller()
    assert x.origin.location == Location(__file__, declared)
    assert y.origin.location == Location(__file__, computed)
    assert y.inputs[0].origin.location == Location(__file__, computed)
    assert str(y.origin.location).endswith(f"test_ir.py:{computed}")
    assert Location("/somewhere/else/net.py", 3).short == "net.py:3"


def test_locations_in_the_working_folder_are_shown_relative_to_it() -> None:
    assert str(Location(str(Path.cwd() / "a" / "net.py"), 7)) == str(Path("a", "net.py")) + ":7"
    assert str(Location("/elsewhere/net.py", 7)) == "/elsewhere/net.py:7"


def test_scopes_nest_and_end() -> None:
    with scope("model"), scope("linear1"):
        x = declare("x")
    with scope("model"):
        y = declare("y")
    assert x.origin.scope == "model/linear1"
    assert declare("z").origin.scope == ""
    assert x.origin.scopes[0] != y.origin.scopes[0]  # two uses of one name are two boxes


def test_a_scope_ends_when_its_body_fails() -> None:
    with pytest.raises(KeyError), scope("model"):
        raise KeyError


def test_derived_nodes_carry_exactly_the_given_origin() -> None:
    x = declare("x")
    origin = Origin(Location("net.py", 1), (), Derivative(x, 0, "local derivative"))
    with scope("ignored"), originating(origin):
        y = x + 1
    assert y.origin is origin
    assert y.inputs[1].origin is origin
    assert current_origin().derivative is None


def test_describe_names_op_type_scope_and_line() -> None:
    with scope("model"):
        y, line = ops.relu(declare("x", "batch", 3)), line_of_caller()
    assert describe(y).startswith("relu f32[batch,3] in model (")
    assert describe(y).endswith(f"test_ir.py:{line})")
    assert repr(y) == f"<{describe(y)}>"
    assert describe(Node(y.op, y.inputs, y.type, Origin())) == "relu f32[batch,3]"


def test_a_misfit_names_the_op_both_operands_and_their_lines() -> None:
    x, x_line = apply(Input("x", TensorType((batch, 3), float32))), line_of_caller()
    w, w_line = apply(Input("w", TensorType((4, 5), float32))), line_of_caller()
    with pytest.raises(ShapeError) as caught, scope("model"):
        x @ w
    message = str(caught.value)
    assert message.startswith("A B in model: shapes [batch,3] and [4,5] do not fit")
    assert "the shared axis is 3 on the left and 4 on the right" in message
    assert re.search(rf"operand 1: x f32\[batch,3\] \(\S*test_ir.py:{x_line}\)", message)
    assert re.search(rf"operand 2: w f32\[4,5\] \(\S*test_ir.py:{w_line}\)", message)
    assert "try: give both operands the size 3, or both 4" in message


def test_element_types_of_different_kinds_do_not_mix() -> None:
    with pytest.raises(DTypeError, match=r"add: element types f32 and i32 do not mix") as caught:
        declare("x") + declare("n", dtype=int32)
    assert "try: convert one operand with cr.astype(x, 'int32')" in str(caught.value)
    with pytest.raises(DTypeError, match=r"the number 0\.5 does not fit an operand of element"):
        declare("n", dtype=int32) * 0.5


def test_an_op_with_too_few_operands_is_a_misfit() -> None:
    with pytest.raises(GraphError, match="add: takes 2 operands, got 1"):
        apply(REGISTRY["add"](), declare("x"))


def test_topological_order_puts_operands_first_and_lists_each_once() -> None:
    x = declare("x")
    y = x * x
    z = (y + x) * y
    order = topological([z, y])
    assert len(order) == len(set(order)) == 4
    places = {node: place for place, node in enumerate(order)}
    assert all(places[i] < places[n] for n in order for i in n.inputs)
    assert order[0] is x


def test_topological_order_does_not_recurse() -> None:
    y = x = declare("x")
    for _ in range(10_000):
        y = -y
    assert len(topological([y])) == 10_001
    assert topological([y])[0] is x


def test_graph_lists_nodes_users_and_leaves() -> None:
    x, w = declare("x", 2), apply(Slot(Label("w"), TensorType((2,), float32)))
    y = x * w
    loss = ops.sum(y * y)
    graph = Graph((loss,), {w: w - y}, ("loss",))
    assert graph.roots == (loss, w, graph.updates[w])
    assert graph.users[y] == (y_times_y := loss.inputs[0], y_times_y, graph.updates[w])
    assert graph.users[loss] == ()
    assert graph.leaves("input") == (x,)
    assert graph.leaves("state") == (w,)
    assert set(graph.nodes) == set(topological(graph.roots))


def test_rebuild_keeps_what_does_not_change() -> None:
    x = declare("x", 2)
    graph = Graph((ops.tanh(x) + x,), {}, ("y",))
    assert rebuild(graph) is graph
    other = graph.replace(dict.fromkeys(graph.nodes, constant(1.0)))
    assert other is not graph
    assert other.names == ("y",)


def test_rebuild_replaces_bottom_up_and_infers_types_again() -> None:
    x, wide = declare("x", 2), declare("wide", 5)
    w = apply(Slot(Label("w"), TensorType((), float32)))
    graph = Graph((ops.tanh(x) + 1,), {w: ops.sum(x) * w})

    def widen(node: Node, inputs: tuple[Node, ...]) -> Node:
        return wide if node is x else with_inputs(node, inputs)

    wider = rebuild(graph, widen)
    assert wider.outputs[0].type == TensorType((5,), float32)
    assert wider.outputs[0].origin is graph.outputs[0].origin
    assert list(wider.updates) == [w]
    assert x not in set(wider.nodes)
    assert x in set(graph.nodes)  # the graph it was built from is as it was


def test_rebuild_with_merge_makes_equal_nodes_one() -> None:
    x = declare("x", 2)
    one, other = ops.exp(x), ops.exp(x)
    merged = rebuild(Graph((one + other, other * constant(2.0), one * constant(2.0))), merge=True)
    total, doubled, again = merged.outputs
    assert total.inputs[0] is total.inputs[1]
    assert doubled is again
    assert len(merged.nodes) == 5


def test_merge_keeps_different_attributes_apart() -> None:
    x = declare("x", 2, 2)
    graph = Graph((ops.sum(x, 0), ops.sum(x, 1), ops.sum(x, 0, keepdims=True)))
    assert len(set(rebuild(graph, merge=True).outputs)) == 3
    zeros = Graph((constant(np.float32(0.0) * np.ones(1)), constant(np.float32(-0.0) * np.ones(1))))
    assert len(set(rebuild(zeros, merge=True).outputs)) == 2


def test_two_slots_are_the_same_only_if_they_are_one_object() -> None:
    first, second = (apply(Slot(Label("w"), TensorType((), float32))) for _ in range(2))
    assert len(set(rebuild(Graph((first, second)), merge=True).outputs)) == 2


def test_networkx_form_has_one_edge_an_operand() -> None:
    with scope("model"):
        x = declare("x", "batch")
        y = x * x
    picture = Graph((y,)).to_networkx()
    assert picture.nodes[0] == {"op": "input", "type": "f32[batch]", "scope": "model"}
    assert picture.nodes[1] == {"op": "multiply", "type": "f32[batch]", "scope": "model"}
    assert sorted(d["operand"] for _, _, d in picture.edges(data=True)) == [0, 1]


def test_literals_are_immutable_and_compared_by_their_bits() -> None:
    nan, zero = np.array(np.nan, np.float32), np.array(0.0, np.float32)
    assert ConstantArray(nan) == ConstantArray(nan.copy())
    assert ConstantArray(zero) != ConstantArray(-zero)
    assert ConstantArray(zero) != ConstantArray(zero.astype(np.float64))
    assert ConstantArray(np.zeros((2, 1))) != ConstantArray(np.zeros((1, 2)))
    assert hash(ConstantArray(nan)) == hash(ConstantArray(nan.copy()))
    with pytest.raises(ValueError, match="read-only"):
        ConstantArray(np.zeros(2)).array[0] = 1


def test_a_literal_does_not_follow_changes_of_the_array_it_came_from() -> None:
    array = np.zeros(2, np.float32)
    node = constant(array)
    array[0] = 1
    assert isinstance(node.op, Constant)
    assert node.op.value.array.tolist() == [0, 0]


def test_constants_take_the_element_type_they_are_given_or_meet() -> None:
    assert constant(1.5).type == TensorType((), float32)
    assert constant(True).type == TensorType((), bool_)
    assert (declare("n", dtype=int32) + 1).inputs[1].type == TensorType((), int32)
    with pytest.raises(DTypeError, match="cannot hold elements of type complex128"):
        constant(np.array(1j))


def test_numbers_that_are_equal_to_python_are_constants_of_their_own() -> None:
    numbers = [0.0, -0.0, 0, 1, 1.0, True]
    for _ in range(2):  # numbers are remembered
        found = [constant(number) for number in numbers]
        kinds = [str(node.type) for node in found]
        assert kinds == ["f32[]", "f32[]", "i64[]", "i64[]", "f32[]", "bool[]"]
        assert len({node.op for node in found}) == len(numbers)
        assert constant(1, float32).op == found[4].op
        assert found[0] is not constant(0.0)  # each is a node of its own line


def test_labels_know_their_path_and_keep_their_first_place() -> None:
    model, layer, other = Label("model"), Label("linear"), Label("other")
    layer.adopt(model, "first")
    layer.adopt(other, "second")
    assert str(layer) == "model/first"


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_op_states_its_samples_and_names_itself(name: str) -> None:
    samples = REGISTRY[name].samples()
    assert samples
    for sample in samples:
        assert sample.op.name == name
        assert sample.op.label
        assert isinstance(sample.op.infer(*sample.operands), TensorType)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (bool, "a node has no truth value"),
        (list, "a node cannot be unpacked or looped over"),
    ],
)
def test_python_questions_that_a_node_cannot_answer(
    use: Callable[[Node], object], message: str
) -> None:
    with pytest.raises(GraphError, match=message):
        use(declare("x", 2))
