"""Drawings and graphs as users meet them; the SVG is read as XML."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import cast
from xml.etree import ElementTree

import graphviz
import pytest

import chainrule as cr
from chainc.drawing.detail import Detail
from chainrule.drawing.drawing import Drawing, draw
from chainrule.drawing.graph import Graph

LEVELS: tuple[Detail, ...] = ("layers", "ops", "kernels")
SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    return ["".join(element.itertext()).strip() for element in root.iter(f"{SVG}text")]


def circuit() -> tuple[cr.Node, ...]:
    """G1 of the lectures: x, y, z, q and f = (x + y) z."""
    x, y, z = cr.input("x"), cr.input("y"), cr.input("z")
    q = x + y
    return x, y, z, q, q * z


def test_a_node_is_drawn_with_all_it_is_computed_from() -> None:
    *_, f = circuit()
    found = texts(draw(f, title="G1").svg())
    assert sorted(found) == sorted(["G1", "x", "y", "z", "+", "×", "output"])


def test_nodes_are_drawn_as_one_graph_with_named_outputs() -> None:
    x, w = cr.input("x", ("batch", 3)), cr.parameter("w", (3,), 0.0)
    loss = cr.mean(cr.square(x @ w))
    found = texts(draw(loss, cr.grad(loss, w)).svg())
    assert {"x", "w", "A B", "Aᵀ B", "∂ w", "seed 1", "output 1"} <= set(found)
    assert found.count("w") == 1


def test_pictures_are_inert() -> None:
    hostile = '"><script>alert(1)</script>'
    with cr.scope(hostile):
        y = cr.tanh(cr.input("x"))
    svg = Graph([y], names=['<a href="https://example.org">']).draw(title=hostile).svg()
    root = ElementTree.fromstring(svg)
    assert not [element for element in root.iter() if element.tag.endswith(("script", "image"))]
    attributes = {name.rpartition("}")[2] for element in root.iter() for name in element.attrib}
    assert "href" not in attributes
    assert not [name for name in attributes if name.startswith("on")]
    assert texts(svg).count(hostile) == 2


def test_the_same_picture_every_time() -> None:
    *_, f = circuit()
    drawing = draw(f)
    assert drawing.svg() == drawing.svg() == Drawing(drawing.dot).svg()
    assert drawing._repr_svg_() == drawing.svg()


def test_saving(tmp_path: Path) -> None:
    *_, f = circuit()
    drawing = draw(f)
    svg = drawing.save(tmp_path / "picture.svg")
    assert svg == tmp_path / "picture.svg"
    assert svg.read_text(encoding="utf-8") == drawing.svg()
    assert drawing.save(str(tmp_path / "picture.dot")).read_text(encoding="utf-8") == drawing.dot
    with pytest.raises(cr.RenderingError, match=r"unknown suffix '.jpg'[\s\S]*\.svg"):
        drawing.save(tmp_path / "picture.jpg")


def test_options_reach_the_picture() -> None:
    with cr.scope("layer"):
        y = cr.exp(cr.sin(cr.input("x")))
    assert "rankdir=LR" in draw(y, direction="LR").dot
    assert "rankdir=TB" in draw(y).dot
    assert {"layer", "2 ops", "layers closed"} <= set(texts(draw(y, detail="layers").svg()))
    assert "sin" in texts(draw(y, detail="ops").svg())


def test_what_cannot_be_drawn() -> None:
    *_, f = circuit()
    with pytest.raises(cr.InputError, match=r"got nothing[\s\S]*test_drawing.py[\s\S]*cr\.draw"):
        draw()
    with pytest.raises(cr.InputError, match=r"got float"):
        draw(f, cast("cr.Node", 3.0))
    with pytest.raises(cr.InputError, match=r"got Graph"):
        draw(f, Graph([f]))
    with pytest.raises(cr.InputError, match=r"direction 'down'[\s\S]*direction=\"TB\""):
        draw(f, direction="down")
    with pytest.raises(cr.InputError, match=r"no detail 'all'[\s\S]*'layers', 'ops', 'kernels'"):
        draw(f, detail=cast(Detail, "all"))
    with pytest.raises(cr.InputError, match=r"no scope 'encoder'[\s\S]*test_drawing.py[\s\S]*name"):
        draw(f, fold="encoder")


def test_a_graph_from_a_list() -> None:
    x, _, _, q, f = circuit()
    graph = Graph([f, q], names=["f", "q"])
    assert graph.outputs == (f, q)
    assert graph.names == ("f", "q")
    assert graph.updates == {}
    assert len(graph.nodes) == 5
    assert x in set(graph.nodes)


def test_a_graph_from_another() -> None:
    w = cr.parameter("w", (), 1.0)
    step = cr.optim.SGD(lr=0.5).minimize(cr.square(w))
    graph = Graph.of(step.graph)
    assert isinstance(graph, Graph)
    assert graph.outputs == step.graph.outputs
    assert graph.updates == step.graph.updates
    assert graph.names == step.graph.names


def test_a_graph_as_text() -> None:
    *_, f = circuit()
    graph = Graph([f], names=["f"])
    assert "= multiply(" in graph.text()
    assert "return f=" in graph.text()
    again = cr.parse(graph.text())
    assert isinstance(again, Graph)
    assert [node.op for node in again.nodes] == [node.op for node in graph.nodes]


def test_a_graph_draws_itself() -> None:
    *_, f = circuit()
    graph = Graph([f], names=["f"])
    assert graph.draw(title="G1").dot == draw(graph, title="G1").dot
    assert graph._repr_svg_() == draw(graph).svg()
    assert "f" in texts(graph._repr_svg_())


def test_a_graph_tells_its_cost() -> None:
    product = cr.input("a", ("batch", 3)) @ cr.input("b", (3, 4))
    assert Graph([product]).cost(batch=5).flops == 2 * 5 * 3 * 4


def test_the_training_step_of_a_network_shows_layers_gradients_and_updates() -> None:
    x, y = cr.input("x", ("batch", 64)), cr.input("y", ("batch",), dtype="int32")
    model = cr.nn.Sequential(cr.nn.Linear(64, 32), cr.nn.ReLU(), cr.nn.Linear(32, 10))
    loss = cr.losses.cross_entropy(model(x), y)
    step = cr.optim.SGD(lr=0.1, momentum=0.9).minimize(loss)
    found = texts(step.graph.draw(detail="ops").svg())
    assert {"linear1", "∂ linear1", "linear2", "∂ linear2", "cross_entropy", "sgd"} <= set(found)
    assert found.count("weight") == found.count("bias") == 2
    assert {"lr = 0.1", "momentum = 0.9", "× lr", "ReLU", "loss", "[64,32]"} <= set(found)


@pytest.mark.parametrize("optimizer", [cr.optim.SGD(lr=0.1, momentum=0.9), cr.optim.Adam()])
def test_a_training_step_opens_folded(optimizer: cr.optim.Optimizer) -> None:
    x, y = cr.input("x", ("batch", 64)), cr.input("y", ("batch",), dtype="int32")
    model = cr.nn.Sequential(cr.nn.Linear(64, 32), cr.nn.ReLU(), cr.nn.Linear(32, 10), name="net")
    step = optimizer.minimize(cr.losses.cross_entropy(model(x), y))
    found = texts(step.graph.draw().svg())
    assert found.count("net/linear1") == found.count("net/linear2") == 1
    assert {"layers closed", "linear1", "∂ linear1", "relu1", "cross_entropy"} <= set(found)
    assert "weight" not in found


def test_a_convolutional_network_is_drawn_by_its_layers_and_by_its_windows() -> None:
    x = cr.input("x", ("batch", 1, 8, 8))
    model = cr.nn.Sequential(cr.nn.Conv2d(1, 4, 3), cr.nn.ReLU(), cr.nn.MaxPool2d(2), name="net")
    loss = cr.sum(model(x))
    slope = cr.grad(loss, model.parameters()[0])
    closed = texts(draw(loss, slope, detail="layers").svg())
    assert {"conv2d1", "∂ conv2d1", "maxpool2d1", "[batch,4,3,3]"} <= set(closed)
    assert not [text for text in closed if "->" in text or "window" in text]
    opened = texts(draw(loss, slope, detail="ops").svg())
    assert {"window 3×3", "window 2×2 stride 2", "bcxyij,ocij->boxy"} <= set(opened)
    assert opened.count("convolution") == 2  # forward, and for the kernel


def test_the_source_is_for_the_package_graphviz() -> None:
    drawing = draw(cr.exp(cr.input("x")), title="<b>x</b>")
    assert isinstance(drawing.source, graphviz.Source)
    assert drawing.source.source == drawing.dot
    assert 'label="<b>x</b>"' in drawing.dot  # as text; without the quotes it were markup


def test_drawing_needs_no_heavy_library() -> None:
    program = (
        "import sys, chainrule as cr; cr.draw(cr.exp(cr.input('x')));"
        "print([m for m in ('sympy', 'wasmtime', 'networkx') if m in sys.modules])"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, timeout=60, text=True
    )
    assert finished.stdout.strip() == "[]"


def test_kernels_are_drawn_of_the_graph_after_the_passes() -> None:
    x = cr.input("x", ("batch", 4))
    model = cr.nn.Sequential(cr.nn.Linear(4, 3), cr.nn.ReLU(), cr.nn.Linear(3, 2))
    loss = cr.mean(cr.square(model(x)))
    gradient = cr.grad(loss, model[0].weight)
    levels = {
        level: [
            text.replace("\xa0", " ") for text in texts(draw(loss, gradient, detail=level).svg())
        ]
        for level in LEVELS
    }
    assert {"fused kernel: linear1, relu1", "1  A B", "3  ReLU"} <= set(levels["kernels"])
    assert "fused kernel: linear1, relu1" not in levels["ops"]
    for found in levels.values():
        assert {"linear1", "linear2", "∂ linear1", "∂ linear2", "x", "output 1"} <= set(found)
    assert levels["kernels"].count("linear1") == 1
    with pytest.raises(cr.InputError, match=r"no scope 'linear9'[\s\S]*linear1"):
        draw(loss, fold="linear9")
