"""Leaves: what is declared, and the misuses that are refused where they are written."""

from typing import cast

import numpy as np
import numpy.typing as npt
import pytest

from chainc.interpreters.reference import evaluate
from chainc.ir import Graph, Node
from chainc.ir.errors import DTypeError, GraphError, InputError, ShapeError
from chainc.ir.leaves import Constant, Input, Slot, initial_graph
from chainc.ir.types import TensorType, float32, int32, int64, named
from chainc.ops import normal
from chainrule import init
from chainrule.declare import leaves as declare

HERE = r"\n  where: .*test_declare\.py:\d+\n  try: "


def test_input_has_the_declared_name_and_type() -> None:
    x = declare.input("x", ("batch", 64), dtype="int32")
    assert x.op == Input("x", TensorType((named("batch"), 64), int32), None)
    assert declare.input("a").type == TensorType((), float32)
    again = declare.input("again", x.shape)
    assert again.shape == x.shape
    assert x.origin.location is not None
    assert x.origin.location.file == __file__


def test_input_default_takes_the_declared_type() -> None:
    graph = Graph((declare.input("rate", default=1) * 2.0,))
    assert evaluate(graph, {}).outputs[0] == 2.0
    assert declare.input("n", dtype="uint8", default=255).op == Input(
        "n", TensorType((), declare.input("m", dtype="uint8").type.dtype), 255
    )
    assert declare.input("flag", dtype="bool", default=True).type.dtype.name == "bool"


@pytest.mark.parametrize("name", ["", "1x", "a b", "lambda", "a/b", 3, None])
def test_input_refuses_names_that_cannot_be_keywords(name: str) -> None:
    with pytest.raises(InputError, match=rf"^input: .* is no name under which.*{HERE}use a word"):
        declare.input(name)


@pytest.mark.parametrize("dim", [-1, 2.0, True, None])
def test_input_refuses_sizes_that_are_none(dim: int) -> None:
    with pytest.raises(ShapeError, match=rf"^input 'x': {dim} is no size{HERE}give a whole number"):
        declare.input("x", (dim, 3))


def test_input_refuses_shapes_and_size_names_that_are_none() -> None:
    with pytest.raises(ShapeError, match=rf"'batch' is no sequence of sizes{HERE}give a tuple"):
        declare.input("x", "batch")
    with pytest.raises(ShapeError, match=rf"'2\*batch' is no name of a size{HERE}use a word"):
        declare.input("x", ("2*batch",))


def test_input_refuses_unknown_element_types_and_wrong_defaults() -> None:
    with pytest.raises(DTypeError, match=r"'float16' is no element type"):
        declare.input("x", dtype="float16")
    with pytest.raises(InputError, match=rf"only a scalar can have a default.*{HERE}leave the"):
        declare.input("x", (3,), default=1.0)
    for dtype, default in (("int32", 0.5), ("uint8", 256), ("uint8", -1), ("bool", 1)):
        with pytest.raises(InputError, match=rf"the default {default} is no {dtype}{HERE}give a"):
            declare.input("x", dtype=dtype, default=default)


def values(node: Node, seed: int = 0) -> npt.NDArray[np.float64]:
    graph = initial_graph([node])
    given = {"seed": seed} if graph.leaves("input") else {}
    return evaluate(graph, given).outputs[0].astype(np.float64)


def test_parameter_is_a_trainable_state_with_a_first_value() -> None:
    weight = declare.parameter("weight", (2, 3), "he_normal")
    assert isinstance(weight.op, Slot)
    assert weight.op.trainable
    assert str(weight.op.key) == "weight"
    assert weight.type == TensorType((2, 3), float32)
    assert np.unique(values(weight)).size == 6
    frozen = declare.parameter("mean", (3,), 0.5, trainable=False, dtype="float64")
    assert isinstance(frozen.op, Slot)
    assert not frozen.op.trainable
    assert values(frozen).tolist() == [0.5, 0.5, 0.5]


def test_parameter_takes_its_first_values_from_an_array() -> None:
    given = np.array([[1, 2], [3, 4]], dtype=np.float32)
    weight = declare.parameter("weight", (2, 2), given)
    given[0, 0] = 9
    assert values(weight).tolist() == [[1, 2], [3, 4]]


def test_equal_seeds_and_names_give_equal_numbers() -> None:
    one, same, other = (declare.parameter(n, (4, 4), "he_normal") for n in ("w", "w", "v"))
    assert np.array_equal(values(one, 3), values(same, 3))
    assert not np.array_equal(values(one, 3), values(other, 3))
    assert not np.array_equal(values(one, 3), values(one, 4))


def test_first_values_do_not_depend_on_other_parameters() -> None:
    one, other = declare.parameter("w", (4, 4), "he_normal"), declare.parameter("v", (2,), 1.0)
    together = evaluate(initial_graph([other, one]), {"seed": 3}).outputs[1]
    assert np.array_equal(together, values(one, 3))


def test_parameter_refuses_what_cannot_be_declared() -> None:
    with pytest.raises(InputError, match=rf"^parameter: 'a/b' is no name{HERE}give a word"):
        declare.parameter("a/b", (2,), 0.0)
    with pytest.raises(ShapeError, match=rf"\[batch,2\] has a named size{HERE}give numbers"):
        declare.parameter("w", (cast("int", "batch"), 2), 0.0)
    with pytest.raises(InputError, match=rf"no initialiser 'he'{HERE}use one of zeros, ones"):
        declare.parameter("w", (2, 2), "he")


def test_parameter_tries_its_initialiser_at_once() -> None:
    with pytest.raises(ShapeError, match=rf"he_normal needs a matrix.*shape \[3\]{HERE}use init"):
        declare.parameter("w", (3,), "he_normal")
    with pytest.raises(
        ShapeError, match=rf"values have shape \[2\], the parameter \[3\]{HERE}give"
    ):
        declare.parameter("w", (3,), np.zeros(2))
    with pytest.raises(DTypeError, match=rf"float64 do not fit a parameter of int32{HERE}convert"):
        declare.parameter("w", (2,), np.zeros(2), dtype="int32")
    with pytest.raises(
        GraphError, match=rf"initialiser of w f32\[2\] .* gives i64\[2\]{HERE}make it return"
    ):
        declare.parameter("w", (2,), lambda *_: declare.constant([1, 2]))


def test_a_function_of_type_seed_and_stream_is_an_initialiser() -> None:
    def ramp(type: TensorType, seed: Node, stream: str) -> Node:
        assert seed.type == TensorType((), int64)
        assert stream == "initial/w"
        return declare.constant(np.arange(3, dtype=type.dtype.numpy))

    assert values(declare.parameter("w", (3,), ramp)).tolist() == [0, 1, 2]


def test_draws_of_an_initialiser_that_name_no_stream_have_those_of_its_slot() -> None:
    def drawn(name: str) -> Node:
        return declare.parameter(name, (500,), lambda t, seed, _: normal(t.shape, seed))

    first, again, other = values(drawn("v")), values(drawn("v")), values(drawn("w"))
    assert np.array_equal(first, again)
    assert abs(float(np.corrcoef(first, other)[0, 1])) < 0.2
    assert abs(float(first.std()) - 1) < 0.15
    assert abs(float(np.abs(first).max()) - 3.1) < 0.9


def test_an_initialiser_that_gives_no_node_is_refused() -> None:
    with pytest.raises(GraphError, match=rf"initialiser of w gives 3, which is no node{HERE}comp"):
        declare.parameter("w", (2,), lambda *_: cast("Node", 3))


def constant_of(node: Node) -> tuple[str, object]:
    assert isinstance(node.op, Constant)
    return node.op.value.array.dtype.name, node.op.value.array.tolist()


def test_constant_takes_numbers_lists_and_arrays() -> None:
    assert constant_of(declare.constant(2.5)) == ("float32", 2.5)
    assert constant_of(declare.constant(3)) == ("int64", 3)
    assert constant_of(declare.constant(True)) == ("bool", True)
    assert constant_of(declare.constant([1.0, 2.0])) == ("float32", [1.0, 2.0])
    assert constant_of(declare.constant(np.float64(2))) == ("float64", 2.0)
    assert constant_of(declare.constant([1, 2], dtype="uint8")) == ("uint8", [1, 2])
    assert constant_of(declare.constant(np.array([1, 2], ">i4"))) == ("int32", [1, 2])


def test_constant_refuses_masked_and_foreign_values() -> None:
    with pytest.raises(InputError, match=r"^constant: the value is a masked array"):
        declare.constant(np.ma.masked_array([1.0], mask=[True]))
    with pytest.raises(DTypeError, match=rf"^constant: the value has element type object.*{HERE}"):
        declare.constant(np.array([None]))


def test_size_is_the_number_that_a_name_stands_for() -> None:
    x = declare.input("x", ("batch",))
    graph = Graph((x * 1.0, declare.size("batch")))
    assert evaluate(graph, {"x": np.zeros(7)}).outputs[1] == 7
    with pytest.raises(ShapeError, match=r"'' is no name of a size"):
        declare.size("")


def test_step_counter_is_one_state() -> None:
    counter = declare.step_counter()
    assert counter is declare.step_counter()
    assert counter.type == TensorType((), int64)
    assert counter.origin.scope == ""
    assert values(counter) == 0
    assert isinstance(counter.op, Slot)
    assert not counter.op.trainable


def test_a_state_without_initialiser_has_no_first_value() -> None:
    node = declare.parameter("w", (2,), init.zeros())
    assert isinstance(node.op, Slot)
    bare = Node(Slot(node.op.key, node.type), (), node.type)
    with pytest.raises(GraphError, match=r"^w f32\[2\] .* has no initialiser"):
        initial_graph([bare])
