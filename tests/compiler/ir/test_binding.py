import pytest

from chainc import ops
from chainc.ir import Graph, Node, apply, scope
from chainc.ir.binding import bind_graph, sizes_of
from chainc.ir.errors import InputError, ShapeError
from chainc.ir.leaves import Input, Label, SizeOf, Slot, size
from chainc.ir.types import DType, Shape, Size, TensorType, float32, int32, multiply, named
from chainc.ops.contract import Contract, FusedContract
from chainc.ops.formula import Region, scalar_input

batch, time = named("batch"), named("time")


def declare(key: str, *shape: int | str | Size, dtype: DType = float32) -> Node:
    dims: Shape = tuple(named(dim) if isinstance(dim, str) else dim for dim in shape)
    return apply(Input(key, TensorType(dims, dtype)))


def test_binding_replaces_names_in_types_and_attributes() -> None:
    x = declare("x", "batch", "time", 4)
    rows = ops.reshape(x, (multiply(batch, time), 4))
    wide = ops.broadcast_to(ops.arange("time"), ("batch", "time"))
    bits = ops.random_bits(("batch", 2), 0)
    order = ops.permutation("batch", 0)
    graph = Graph((rows, wide, bits, order, size(multiply(batch, time)), x[:, ::-1]))
    bound = bind_graph(graph, {"batch": 3, "time": 2})
    assert [node.shape for node in bound.outputs] == [(6, 4), (3, 2), (3, 2), (3,), (), (3, 2, 4)]
    assert isinstance(bound.outputs[4].op, SizeOf)
    assert bound.outputs[4].op.dim == 6
    assert not [n for n in bound.nodes for dim in n.shape if isinstance(dim, Size)]
    assert graph.outputs[0].shape == (multiply(batch, time), 4)


def test_unknown_names_stay() -> None:
    bound = bind_graph(Graph((declare("x", "batch", "time"),)), {"batch": 3})
    assert bound.outputs[0].shape == (3, time)


def test_origins_output_names_and_update_slots_stay() -> None:
    w = apply(Slot(Label("w"), TensorType((4,), float32)))
    with scope("model"):
        y = ops.sum(declare("x", "batch", 4) * w, 0)
    graph = Graph((y,), {w: w - y}, ("y",))
    bound = bind_graph(graph, {"batch": 3})
    assert bound.names == ("y",)
    assert list(bound.updates) == [w]
    assert bound.outputs[0].origin is y.origin
    assert bound.outputs[0] is not y


def test_nodes_without_the_name_stay_the_same_objects() -> None:
    x = declare("x", "time")
    graph = Graph((ops.tanh(x) + 1,))
    assert bind_graph(graph, {"batch": 3}).outputs == graph.outputs


def test_graphs_and_ops_inside_ops_are_bound_too() -> None:
    x = declare("x", "batch")
    inner = declare("0", "batch")
    region = Region(Graph((ops.exp(inner) * inner,)))
    body = Graph((ops.tanh(scalar_input(0, float32)),))
    fused = FusedContract(Contract("a", "b", "ab"), body)
    bound = bind_graph(Graph((apply(region, x), apply(fused, x, x))), {"batch": 3})
    first, second = bound.outputs
    assert first.shape == (3,)
    assert isinstance(first.op, Region)
    assert [node.shape for node in first.op.body.nodes] == [(3,)] * 3
    assert second.shape == (3, 3)
    assert second.op is fused  # no name occurs in it


def test_a_size_that_an_op_does_not_allow_is_an_error_with_the_users_line() -> None:
    graph = Graph((ops.max(declare("x", "batch", 4), 0),))
    with pytest.raises(
        ShapeError, match=r"axes \(0,\) of .* are empty, so there is no max"
    ) as caught:
        bind_graph(graph, {"batch": 0})
    assert "test_binding.py:" in str(caught.value)
    assert "operand 1: x f32[0,4]" in str(caught.value)


def test_a_thousand_nodes_bind_without_recursion() -> None:
    y = declare("x", "batch")
    for _ in range(5000):
        y = -y
    assert bind_graph(Graph((y,)), {"batch": 2}).outputs[0].shape == (2,)


def test_sizes_follow_from_the_shapes_of_the_inputs() -> None:
    x, y = declare("x", "batch", 64), declare("y", "batch", "time", dtype=int32)
    graph = Graph((x, y))
    assert sizes_of(graph, {"x": (32, 64), "y": (32, 5)}) == {"batch": 32, "time": 5}
    assert sizes_of(graph, {"x": (0, 64), "y": (0, 0)}) == {"batch": 0, "time": 0}
    assert sizes_of(Graph((declare("z"),)), {"z": ()}) == {}


def test_sizes_follow_from_products_once_one_factor_is_known() -> None:
    flat = declare("flat", multiply(2, multiply(batch, time)))
    square = declare("square", multiply(batch, batch))
    graph = Graph((flat, square))
    assert sizes_of(graph, {"flat": (30,), "square": (9,)}) == {"batch": 3, "time": 5}


def test_two_inputs_that_disagree_are_both_named_with_both_values() -> None:
    graph = Graph((declare("x", "batch", 64), declare("y", "batch", dtype=int32)))
    with pytest.raises(InputError) as caught:
        sizes_of(graph, {"x": (32, 64), "y": (16,)})
    message = str(caught.value)
    assert "the inputs disagree on the size 'batch'" in message
    assert "32 on axis 0 of input 'x', but 16 on axis 0 of input 'y'" in message
    assert "x f32[batch,64] (" in message
    assert "y i32[batch] (" in message
    assert "try: give 'x' and 'y' arrays that agree on 'batch'" in message


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2,), r"input 'x' is declared f32\[batch,64\] and got an array of shape \[2\]"),
        ((2, 63), r"input 'x' is declared f32\[batch,64\] and got 63 on axis 1"),
    ],
)
def test_a_wrong_rank_or_size_is_an_error(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        sizes_of(Graph((declare("x", "batch", 64),)), {"x": shape})
    assert "try: give an array of" in str(caught.value)


def test_a_size_that_no_value_of_the_name_gives_is_an_error() -> None:
    graph = Graph((declare("pairs", multiply(2, batch)), declare("square", multiply(time, time))))
    with pytest.raises(InputError, match=r"has size 3 on axis 0 .* is not 2\*batch for any batch"):
        sizes_of(graph, {"pairs": (3,), "square": (4,)})
    with pytest.raises(InputError, match=r"has size 5 on axis 0 .* is not time\*time for any time"):
        sizes_of(graph, {"pairs": (2,), "square": (5,)})


def test_sizes_that_do_not_follow_are_an_error() -> None:
    graph = Graph((declare("x", multiply(batch, time)),))
    with pytest.raises(InputError, match=r"the sizes batch, time do not follow") as caught:
        sizes_of(graph, {"x": (6,)})
    assert "try: declare an input with an axis 'batch' of its own" in str(caught.value)
