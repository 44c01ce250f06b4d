"""Values that are computed again: which, what the graph says of them; no number changes."""

from __future__ import annotations

import numpy as np

import chainrule as cr
from chainc.driver import optimize
from chainc.interpreters import reference
from chainc.ir import Graph, Node
from chainc.ops.formula import RECOMPUTE, is_recomputed
from chainc.passes import PIPELINE
from chainc.passes.recompute import ForwardPass, Terms, recomputing

SIZES = {"batch": 64}
x = cr.input("x", ("batch", 32))
w = cr.parameter("w", (32, 32), 0.1)
v = cr.parameter("v", (32, 32), 0.2)


def deep() -> Graph:
    """Two layers of which the backward pass reads what is multiplied, and the exponentials."""
    h = cr.exp(cr.exp(x @ w))
    return Graph((cr.grad(cr.sum(cr.tanh(h @ v)), w),))


def changed(graph: Graph, chosen: frozenset[Node]) -> Graph:
    places = {place for place, node in enumerate(graph.nodes) if node in chosen}
    return recomputing(places)(graph)


def again(graph: Graph) -> list[str]:
    return sorted(node.op.name for node in graph.nodes if is_recomputed(node))


def test_a_low_price_computes_the_cheap_ones_again_and_keeps_what_is_multiplied() -> None:
    forward = ForwardPass(deep(), SIZES)
    chosen = {node.op.name for node in forward.chosen(Terms(price=1, parts=1))}
    assert "exp" in chosen
    assert "contract" not in chosen


def test_a_high_price_computes_contractions_again() -> None:
    forward = ForwardPass(deep(), SIZES)
    assert "contract" in {node.op.name for node in forward.chosen(Terms(price=1024, parts=1))}


def test_the_cut_is_the_cheapest_of_all_choices() -> None:
    """Against every choice there is, of what is kept and computed again."""
    forward, terms = ForwardPass(deep(), SIZES), Terms(price=4, parts=1)
    nodes = forward.needed
    assert len(nodes) < 8

    def price(chosen: frozenset[Node]) -> int:
        read = {node for node in nodes if node not in chosen and forward.is_read_backward(node)}
        read |= {each for node in chosen for each in node.inputs} & set(nodes)
        kept = read - chosen
        return forward.cost(chosen) + terms.price * sum(map(forward.nbytes, kept))

    choices = [
        frozenset(node for bit, node in enumerate(nodes) if number >> bit & 1)
        for number in range(1 << len(nodes))
    ]
    assert price(forward.chosen(terms)) == min(map(price, choices))


def test_what_is_handed_to_a_later_part_is_kept() -> None:
    forward = ForwardPass(deep(), SIZES)
    whole, in_parts = (forward.chosen(Terms(1024, parts)) for parts in (1, 2))
    assert in_parts < whole


def test_with_leeway_a_part_ends_where_little_is_handed_on() -> None:
    wide, narrow = cr.parameter("wide", (32, 256), 0.1), cr.parameter("narrow", (256, 32), 0.1)
    h = x
    for _ in range(3):
        h = cr.exp(cr.exp(h @ wide) @ narrow)
    forward = ForwardPass(Graph((cr.grad(cr.sum(h), wide),)), SIZES)

    def handed_on(leeway: float) -> set[int]:
        kept = set(forward.needed) - forward.chosen(Terms(1024, 2, leeway))
        return {forward.nbytes(node) for node in kept if node.shape[1] == 256}

    assert handed_on(0.0)  # the middle lies between the two layers of a block
    assert not handed_on(0.5)


def test_backward_nodes_read_the_copies_and_forward_nodes_do_not() -> None:
    graph = deep()
    forward = ForwardPass(graph, SIZES)
    chosen = forward.chosen(Terms(price=1, parts=1))
    result = changed(graph, chosen)
    copies = [node for node in result.nodes if is_recomputed(node)]
    assert copies
    for copy in copies:
        assert copy.origin.rewrite is not None
        assert copy.origin.rewrite.rule == RECOMPUTE
        assert copy.origin.rewrite.replaced in chosen
        assert all(
            is_recomputed(reader) or reader.origin.derivative for reader in result.users[copy]
        )
    assert len(result.nodes) <= len(graph.nodes) + len(copies)


def test_the_numbers_stay_and_nothing_is_computed_again_for_nothing() -> None:
    graph = deep()
    chosen = ForwardPass(graph, SIZES).chosen(Terms(price=1024, parts=1))
    rng = np.random.default_rng(0)
    inputs = {"x": rng.normal(size=(3, 32))}
    states = {"w": rng.normal(size=(32, 32)) * 0.1, "v": rng.normal(size=(32, 32)) * 0.1}
    before, after = (
        reference.evaluate(each, inputs, states).outputs[0]
        for each in (graph, changed(graph, chosen))
    )
    np.testing.assert_array_equal(before, after)
    assert changed(graph, frozenset()).outputs == graph.outputs


def test_a_graph_without_a_derivative_has_nothing_to_compute_again() -> None:
    forward = ForwardPass(Graph((cr.sum(cr.exp(x @ w)),)), SIZES)
    assert forward.needed == ()
    assert set(forward.choices()) == {frozenset()}


def test_fusing_does_not_merge_them_again() -> None:
    before = optimize(deep(), PIPELINE[:-1])[-1].graph
    chosen = ForwardPass(before, SIZES).chosen(Terms(price=1024, parts=1))
    fused = PIPELINE[-1].run(changed(before, chosen))
    assert again(fused)
