"""Dead code."""

from tests.two_sided import declare

from chainc.ir import Graph, Node, apply
from chainc.ir.leaves import Label, Slot
from chainc.ir.types import TensorType, float32
from chainc.ops import exp
from chainc.passes.dce import dce


def slot(name: str) -> Node:
    return apply(Slot(Label(name), TensorType((3,), float32)))


def test_an_update_that_changes_nothing_goes_with_its_slot() -> None:
    x, kept, changed = declare("x", 3), slot("kept"), slot("changed")
    graph = Graph((x + 1,), {kept: kept, changed: changed + x}, ("y",))
    result = dce(graph)
    assert result.updates == {changed: graph.updates[changed]}
    assert result.outputs == graph.outputs
    assert result.names == ("y",)
    assert kept not in set(result.nodes)
    assert len(result.nodes) == len(graph.nodes) - 1


def test_a_slot_that_is_read_stays() -> None:
    kept = slot("kept")
    result = dce(Graph((exp(kept),), {kept: kept}))
    assert result.updates == {}
    assert kept in set(result.nodes)


def test_exchanged_slots_are_changes() -> None:
    a, b = slot("a"), slot("b")
    graph = Graph((), {a: b, b: a})
    assert dce(graph) is graph


def test_what_no_output_needs_is_in_no_graph() -> None:
    x = declare("x", 3)
    unused = exp(x)
    graph = Graph((x + 1,))
    assert unused not in set(dce(graph).nodes)
    assert dce(graph) is graph
