"""Pictures as DOT text; Graphviz itself, reading the text, is the oracle for what they show."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import cast
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from tests.graphs import Case, cases
from tests.pictures import (
    Picture,
    count,
    declare,
    hyperparameter,
    looks,
    perceptron,
    state,
    texts,
)

from chainc import ops
from chainc.autodiff import grad
from chainc.drawing.detail import Detail
from chainc.drawing.dot import to_dot
from chainc.drawing.wires import Wire
from chainc.ir import Graph, Origin, originating, scope
from chainc.ir.errors import InputError, Location
from chainc.ir.leaves import constant
from chainrule.drawing.rendering import render_svg

# Names are text, never markup


HOSTILE = [
    '"><script>alert(1)</script>',
    "<b>bold</b>",
    "back\\slash \\N \\G \\l \\",
    '"]; evil [label="',
    "{a|b} &lt; &amp; & &#65; &nosuch;",
    "<<table><tr><td>x</td></tr></table>>",
    "// comment /* */ # -> --",
    "<b>\\",
    "subgraph",
    "-1.50",
    "ελ → ∂ 学习",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_come_out_as_they_are(name: str) -> None:
    with scope(name):
        y = ops.tanh(declare(name, "batch"))
    step = Graph((y,), {state(name, 1): constant(np.zeros(1, np.float32))}, (f"{name}!",))
    wire = Wire((f"{name}1",), (f"{name}2",))
    dot = to_dot(step, title=f"{name}?", wires={y: wire}, small_print={y: (f"{name}3",)})
    found = texts(dot)
    for text in (name, f"{name}!", f"{name}?", f"{name}1", f"{name}2", f"{name}3"):
        assert text in found
    assert found.count(name) == 3  # the input, the state and the box
    assert (count(dot, "node"), count(dot, "edge")) == (6, 4)  # one of them a wire


@pytest.mark.parametrize("name", HOSTILE)
def test_tooltips_are_text_too(name: str) -> None:
    with originating(Origin(Location(name, 7))):
        y = ops.tanh(declare("x"))
    root = ElementTree.fromstring(render_svg(to_dot(Graph((y,)))))
    tooltips = [value for e in root.iter() for key, value in e.items() if key.endswith("title")]
    assert f"tanh f32[] · {Path(name).name}:7" in [text.replace("\xa0", " ") for text in tooltips]


def test_unprintable_characters_become_spaces() -> None:
    y = ops.tanh(declare("a\nb\tc\rd\x00e\x1bf\u2028g\ud800h"))
    assert "a b c d e f g h" in texts(to_dot(Graph((y,))))


def test_long_names_are_cut() -> None:
    dot = to_dot(Graph((ops.tanh(declare("x" * 10_000)),)))
    assert max(map(len, texts(dot))) == 60
    assert "x" * 30 + "…" + "x" * 29 in texts(dot)
    assert len(dot) < 3000


def test_long_paths_are_cut_in_the_middle_with_the_whole_in_the_tooltip() -> None:
    path = "encoder/blocks/block12/attention/projection/linear1/weight"
    dot = to_dot(Graph((ops.tanh(state(path)),)))
    assert "encoder/blocks/block12/…/linear1/weight" in texts(dot)
    assert path in Picture(dot)["encoder/blocks/block12/…/linear1/weight"]["tooltip"]
    short = "sgd/velocity/model/linear1/weight"
    assert short in texts(to_dot(Graph((ops.tanh(state(short)),))))


# What is told apart by its looks


def kinds() -> Picture:
    """One vertex of each kind."""
    w, v = state("weight", 3), state("velocity", 3, trainable=False)
    x = declare("x", 3)
    y = ops.sum(ops.exp(w * w * x) + np.ones(3, np.float32))
    updated = w - hyperparameter("lr", 0.1) * (v + grad(y, w))
    return Picture(to_dot(Graph((y,), {w: updated}, ("loss",))))


def test_kinds_differ_in_colour_or_shape() -> None:
    drawn = kinds()
    vertices = list(drawn.vertices().values())
    names = ("x", "lr = 0.1", "weight", "velocity", "constant", "exp", "a − b", "loss")
    shown = [looks(drawn[name]) for name in names]
    shown += [
        looks(next(v for v in vertices if v["shape"] == kind)) for kind in ("octagon", "circle")
    ]
    assert len(set(shown)) == len(shown) == 10


def test_gradient_nodes_differ_in_colour_and_shape() -> None:
    x = declare("x")
    y = ops.tanh(ops.sin(x))
    drawn = Picture(to_dot(Graph((y, grad(y, x)))))
    forward, gradient = drawn["sin"], drawn["cos"]
    assert looks(forward) == looks(drawn["tanh"])
    assert looks(gradient) == looks(drawn["1 − x"]) == looks(drawn["seed 1"])
    assert forward["shape"] != gradient["shape"]
    assert forward["fillcolor"] != gradient["fillcolor"]
    assert forward["color"] != gradient["color"]


def linear(colour: str) -> list[float]:
    """Linear RGB of a colour #RRGGBB (IEC 61966-2-1)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]


def luminance(colour: str) -> float:
    """Relative, by WCAG 2.2."""
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_is_readable_on_its_background() -> None:
    drawn = kinds()
    defaults = {
        name: a for name, to, a in drawn.statements() if name in ("node", "edge") and not to
    }
    for vertex in drawn.vertices().values():
        assert contrast(defaults["node"]["fontcolor"], vertex["fillcolor"]) > 7
    assert contrast(defaults["edge"]["fontcolor"], "#FFFFFF") > 7
    x = declare("x")
    y = ops.exp(x)
    annotated = to_dot(Graph((y,)), wires={x: Wire(("1",), ("2",))}, small_print={y: ("e^x",)})
    colours = set(re.findall(r'fontcolor="(#\w+)"', annotated))
    assert all(contrast(colour, "#FFFFFF") > 4.5 for colour in colours)


# Linear RGB as seen without red or green cones (Viénot, Brettel, Mollon 1999).
DEFICIENCIES = {
    "protanopia": [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
    "deuteranopia": [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
}


@pytest.mark.parametrize("name", DEFICIENCIES)
def test_passes_differ_in_colour_for_the_colour_blind(name: str) -> None:
    drawn = kinds()
    colours = [drawn[label]["color"] for label in ("exp", "seed 1", "a − b")]
    seen = [np.array(DEFICIENCIES[name]) @ np.array(linear(colour)) for colour in colours]
    assert min(float(np.abs(a - b).max()) for a, b in combinations(seen, 2)) > 0.03


def test_the_legend_shows_what_there_is_and_only_beside_a_gradient() -> None:
    x, y = declare("x"), declare("y")
    alone = texts(to_dot(Graph((grad(x * y, x),))))
    assert "gradient" in alone
    assert "forward" not in alone
    assert {"forward", "gradient"} <= set(texts(to_dot(Graph((x * y, grad(x * y, x))))))
    assert "forward" not in texts(to_dot(Graph((x * y,))))


# The whole


def test_equal_graphs_give_equal_text() -> None:
    def build() -> str:
        x, loss = perceptron()
        return to_dot(Graph((loss, grad(loss, x))))

    assert build() == build()


def test_the_text_does_not_depend_on_the_hash_seed() -> None:
    program = (
        "from tests.pictures import perceptron; from chainc.drawing.dot import to_dot;"
        "from chainc.autodiff import grad; from chainc.ir import Graph; x, loss = perceptron();"
        "print(to_dot(Graph((loss, grad(loss, x))), fold='first'))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


@given(cases(max_steps=6, jumps=True))
@settings(max_examples=30)
def test_every_node_of_any_graph_is_drawn_or_told(case: Case) -> None:
    drawn = Picture(to_dot(case.graph, detail="ops"))
    folded = {
        node
        for node in case.graph.nodes
        if not node.inputs and node.shape == () and node.op.name in ("constant", "size")
    } - set(case.graph.roots)
    markers = len(case.graph.outputs)
    assert len(drawn.labels()) == len(case.graph.nodes) - len(folded) + markers
    operands = sum(len(set(node.inputs) - folded) for node in case.graph.nodes)
    updates = len(case.graph.updates)
    assert count(drawn.dot, "edge") == operands + updates + markers
    assert count(drawn.dot, "node") == len(drawn.labels())


def test_directions_and_details_that_are_none() -> None:
    graph = Graph((declare("x"),))
    with pytest.raises(InputError, match=r"direction 'up'[\s\S]*direction=\"TB\""):
        to_dot(graph, direction="up")
    with pytest.raises(InputError, match=r"no detail 'all'[\s\S]*'layers', 'ops', 'kernels'"):
        to_dot(graph, detail=cast(Detail, "all"))


def test_an_empty_graph_is_an_empty_picture() -> None:
    assert count(to_dot(Graph(())), "node") == 0


def test_golden_circuit(golden: Callable[[str, str], None]) -> None:
    with originating(Origin(Location("circuit.py", 3))):
        x, y, z = declare("x"), declare("y"), declare("z")
        q = x + y
        f = q * z
    with originating(Origin(Location("circuit.py", 5))):
        gradient = grad(f, [x, z])
    wires = {q: Wire(("3",), ("-4",))}
    golden("circuit.dot", to_dot(Graph((f,), {}, ("f",)), wires=wires, small_print={f: ("b",)}))
    golden("circuit_gradient.dot", to_dot(Graph((f, *gradient), {}, ("f",)), title="G1"))
