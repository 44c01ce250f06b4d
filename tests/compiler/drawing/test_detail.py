"""Levels of detail, named scopes that are closed, and huge graphs that stay small."""

from __future__ import annotations

import random
import re
from typing import cast

import networkx
import pytest
from tests.legibility import problems
from tests.pictures import Picture, count, declare, layer, perceptron, state, texts

from chainc import ops
from chainc.autodiff import grad
from chainc.drawing.detail import SMALL, Detail
from chainc.drawing.dot import to_dot
from chainc.driver import optimize
from chainc.ir import Graph, Node, scope
from chainc.ir.errors import InputError
from chainc.passes import PIPELINE
from chainrule.drawing.rendering import render_svg


def deep(layers: int) -> tuple[Node, list[Node]]:
    """The loss of a network of layers of one size, and its parameters."""
    x, found = declare("x", "batch", 8), []
    for number in range(1, layers + 1):
        weight, bias = state(f"linear{number}/weight", 8, 8), state(f"linear{number}/bias", 8)
        found += [weight, bias]
        with scope(f"linear{number}"):
            x = x @ weight + bias
        with scope(f"relu{number}"):
            x = ops.relu(x)
    with scope("loss"):
        return ops.mean(ops.square(x)), found


def counted(drawn: Picture) -> int:
    """How many nodes the vertices say that they stand for, outputs left out."""
    total = 0
    for vertex in drawn.vertices().values():
        lines = vertex["label"].split("\\n")
        found = re.findall(r"([\d,]+) (?:op|parameter|input|state slot)s?\b", lines[-1])
        if vertex["fillcolor"] != "#FFFFFF":
            total += sum(int(number.replace(",", "")) for number in found) or 1
    return total


# Levels


def test_three_levels_are_one_model() -> None:
    x, loss = perceptron()
    graph = Graph((loss, grad(loss, x)), {}, ("loss", "dx"))
    layers, every = Picture(to_dot(graph, detail="layers")), Picture(to_dot(graph, detail="ops"))
    fused = optimize(graph, PIPELINE)[-1].graph
    kernels = Picture(to_dot(fused, detail="kernels"))
    names = {"first", "second", "∂ first", "∂ second"}
    assert names <= {label.split("\\n")[0] for label in layers.labels()}
    assert set(every.boxes()) == set(kernels.boxes()) == names
    for drawn in (layers, every, kernels):
        assert {"x", "loss", "dx"} <= set(drawn.labels())
    assert max(len(layers.labels()), len(kernels.labels())) < len(every.labels())
    assert "ops fused into kernels" in texts(kernels.dot)


def test_a_kernel_stands_in_the_layer_of_its_contraction_and_names_both() -> None:
    with scope("linear"):
        y = declare("x", "batch", 3) @ state("linear/w", 3, 4) + state("linear/b", 4)
    with scope("activation"):
        y = ops.exp(y)
    fused = optimize(Graph((y,), {}, ("y",)), PIPELINE)[-1].graph
    drawn = Picture(to_dot(fused, detail="kernels"))
    assert drawn.boxes() == ["linear"]
    assert [label for label in drawn.labels() if label.startswith("fused")] == [
        "fused kernel: linear, activation\\n1  A B\\l2  + c\\l3  exp\\l"
    ]


def test_named_scopes_are_closed_in_every_level() -> None:
    x, loss = perceptron()
    graph = Graph((loss, grad(loss, x)))
    drawn = Picture(to_dot(graph, detail="ops", fold="first"))
    assert {"first\\n2 ops, 2 parameters", "∂ first\\n1 op"} <= set(drawn.labels())
    assert drawn.boxes() == ["second", "∂ second"]
    assert Picture(to_dot(graph, fold=["first", "second"])).boxes() == []


def test_a_path_closes_one_of_several_scopes() -> None:
    x = declare("x", 3)
    for outer in ("encoder", "decoder"):
        with scope(outer), scope("layer1"):
            x = ops.tanh(x)
    drawn = Picture(to_dot(Graph((x,)), detail="ops", fold="decoder/layer1"))
    assert sorted(drawn.boxes()) == ["decoder", "encoder", "layer1"]
    assert drawn.labels().count("tanh") == 1


def test_scopes_and_levels_that_are_not_there() -> None:
    y = layer("dense", declare("x", 2, 3), 3, 4)
    with pytest.raises(InputError, match=r"no scope 'encodr'[\s\S]*test_detail.py[\s\S]*'dense'"):
        to_dot(Graph((y,)), fold="encodr")
    with pytest.raises(InputError, match=r"no scope 'model'[\s\S]*cr\.scope"):
        to_dot(Graph((declare("x"),)), fold=["model"])
    with pytest.raises(InputError, match=r"no scope 3 to fold"):
        to_dot(Graph((y,)), fold=cast("list[str]", [3]))
    with pytest.raises(InputError, match=r"no detail 'all'[\s\S]*'layers', 'ops', 'kernels'"):
        to_dot(Graph((y,)), detail=cast(Detail, "all"))


# Repeated structure


def test_fifty_layers_and_their_gradient_are_a_few_boxes() -> None:
    loss, parameters = deep(50)
    graph = Graph((loss, *grad(loss, parameters)))
    drawn = Picture(to_dot(graph, detail="layers"))
    labels = [label.split("\\n") for label in drawn.labels()]
    assert ["48 × (linear, relu)", "linear2 … relu49", "144 ops, 96 parameters"] in labels
    assert any(label[0] == "48 × (∂ relu, ∂ linear)" for label in labels)
    assert {"linear1", "linear50", "∂ linear1", "∂ linear50"} <= {label[0] for label in labels}
    assert len(labels) <= 30 <= SMALL
    assert {"layers closed · repeated parts folded"} <= set(texts(drawn.dot))
    assert problems(render_svg(drawn.dot)) == []


@pytest.mark.parametrize("detail", [None, "layers", "ops"])
def test_no_node_is_lost(detail: Detail | None) -> None:
    loss, _ = deep(60)
    graph = Graph((loss,))
    in_labels = sum(node.op.name in ("constant", "size") for node in graph.nodes)
    assert counted(Picture(to_dot(graph, detail=detail))) == len(graph.nodes) - in_labels


def chain(length: int) -> Node:
    x = declare("x", 3)
    for _ in range(length):
        x = ops.tanh(x)
    return x


def test_a_chain_without_scopes_is_told_by_its_line() -> None:
    drawn = Picture(to_dot(Graph((chain(5_000),))))
    assert len(drawn.labels()) == 5
    (folded,) = [label.split("\\n") for label in drawn.labels() if "\\n" in label]
    assert folded[0] == "4,998 × tanh"
    assert re.fullmatch(r"test_detail\.py:\d+", folded[1])
    assert folded[2] == "4,998 ops"
    assert drawn.labels().count("tanh") == 2
    assert count(drawn.dot, "node") == len(drawn.labels())


def test_the_first_and_the_last_time_stay_open() -> None:
    x, w = declare("x", 3), state("w", 3)
    for _ in range(400):
        x = ops.tanh(x * w) + 1.0
    labels = Picture(to_dot(Graph((x,)))).labels()
    assert [label.split("\\n")[0] for label in labels].count("398 × (×, tanh, + 1)") == 1
    assert (labels.count("×"), labels.count("tanh"), labels.count("+ 1")) == (2, 2, 2)


def test_boxes_that_repeat_are_folded_as_a_whole() -> None:
    x = declare("x", 3)
    for number in range(60):
        with scope(f"block{number}"):
            for _ in range(9):
                x = ops.tanh(x)
    drawn = Picture(to_dot(Graph((x,)), detail="ops"))
    assert drawn.boxes() == ["block0", "block59"]
    assert drawn.labels().count("tanh") == 18
    assert any("block1 … block58\\n522 ops" in label for label in drawn.labels())


def test_many_outputs_have_one_name_together() -> None:
    x = declare("x", 3)
    labels = Picture(to_dot(Graph(tuple(ops.tanh(x) for _ in range(1000))))).labels()
    assert any(label.startswith("998 outputs\\noutput 2 … output 999") for label in labels)
    assert len(labels) == 7


# Whatever the graph


def tangle(size: int) -> Graph:
    """A graph without any regularity."""
    draw = random.Random(0)
    nodes = [declare("x", 3)]
    for _ in range(size):
        one, other = draw.choice(nodes[-50:]), draw.choice(nodes)
        function = draw.choice([ops.tanh, ops.exp, ops.sin, ops.cos])
        nodes.append(function(one) if draw.random() < 0.6 else one * other)
    return Graph(tuple(nodes[-5:]))


@pytest.mark.parametrize("detail", [None, "layers", "ops"])
def test_a_graph_that_repeats_nothing_is_cut_in_stretches(detail: Detail | None) -> None:
    graph = tangle(1500)
    drawn = Picture(to_dot(graph, detail=detail))
    assert len(drawn.labels()) < 100
    assert counted(drawn) == len(graph.nodes)
    assert any("long parts folded" in text for text in texts(drawn.dot))
    edges = networkx.DiGraph((a, b) for a, b, _ in drawn.statements() if a[0] == b[:1] == "n")
    assert networkx.is_directed_acyclic_graph(edges)


@pytest.mark.parametrize("detail", [None, "layers", "ops", "kernels"])
def test_huge_graphs_stay_small_in_every_mode(detail: Detail | None) -> None:
    x = declare("x", 3)
    wide = Graph(tuple(ops.tanh(x) for _ in range(1000)))
    loss = ops.sum(chain(800))
    deep = Graph((loss, grad(loss, next(n for n in Graph((loss,)).nodes if not n.inputs))))
    many = Graph((ops.stack([declare(f"x{i}") for i in range(1000)]),))
    for graph in (wide, deep, many):
        assert len(Picture(to_dot(graph, detail=detail)).labels()) < 100
