"""Pictures as DOT text; Graphviz itself, reading the text, is the oracle for what they show."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from tests.graphs import Case, cases

from chainc import ops
from chainc.autodiff import grad
from chainc.dot import to_dot
from chainc.errors import InputError, Location
from chainc.ir import REGISTRY, Graph, Node, Origin, apply, originating, scope
from chainc.ops.contract import Contract, FusedContract
from chainc.ops.formula import Formula, Region, scalar_input
from chainc.ops.state import Input, Label, State, constant, size
from chainc.types import DType, TensorType, float32, int32, named
from chainrule.rendering import render_svg

SVG = "{http://www.w3.org/2000/svg}"


def declare(name: str, *shape: int | str, dtype: DType = float32) -> Node:
    dims = tuple(named(dim) if isinstance(dim, str) else dim for dim in shape)
    return apply(Input(name, TensorType(dims, dtype)))


def hyperparameter(name: str, default: float) -> Node:
    return apply(Input(name, TensorType((), float32), default))


def state(name: str, *shape: int, trainable: bool = True) -> Node:
    return apply(State(Label(name), TensorType(shape, float32), None, trainable))


Attributes = Mapping[str, str]

_STATEMENT = re.compile(r"^(\w+)(?: -> (\w+))? \[(.*)\]")
_ATTRIBUTE = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Picture:
    """DOT text taken apart, in the form in which it is written: a statement a line."""

    dot: str

    def statements(self) -> list[tuple[str, str, Attributes]]:
        matches = [_STATEMENT.match(line) for line in self.dot.splitlines()]
        return [(m[1], m[2] or "", dict(_ATTRIBUTE.findall(m[3]))) for m in matches if m]

    def vertices(self) -> dict[str, Attributes]:
        return {a: found for a, b, found in self.statements() if re.fullmatch(r"n\d+", a + b)}

    def labels(self) -> list[str]:
        return [attributes["label"] for attributes in self.vertices().values()]

    def __getitem__(self, label: str) -> Attributes:
        """The one vertex whose label begins with this line."""
        (found,) = [a for a in self.vertices().values() if a["label"].split("\\n")[0] == label]
        return found

    def edges(self) -> list[tuple[str, str, Attributes]]:
        """The first lines of both labels; the second is where the arrow points."""
        label = {name: a["label"].split("\\n")[0] for name, a in self.vertices().items()}
        ends = [(a, b, found) for a, b, found in self.statements() if a in label and b in label]
        back = [(b, a, found) for a, b, found in ends if found.get("dir") == "back"]
        ahead = [(a, b, found) for a, b, found in ends if found.get("dir") != "back"]
        return [(label[a], label[b], found) for a, b, found in (*ahead, *back)]

    def into(self, label: str) -> set[tuple[str, str]]:
        """(where from, what is written on it) of the edges into a vertex."""
        return {(a, found.get("label", "").strip()) for a, b, found in self.edges() if b == label}

    def boxes(self) -> list[str]:
        """Labels of the clusters of layers, in order."""
        lines = self.dot.splitlines()
        opened = [
            after for line, after in pairwise(lines) if re.match(r"subgraph cluster_\d", line)
        ]
        return [dict(_ATTRIBUTE.findall(line))["label"] for line in opened]


def texts(dot: str) -> list[str]:
    """All text that Graphviz puts into the picture."""
    root = ElementTree.fromstring(render_svg(dot))
    return ["".join(e.itertext()).replace("\xa0", " ").strip() for e in root.iter(f"{SVG}text")]


def count(dot: str, kind: str) -> int:
    """How many nodes, edges or clusters Graphviz finds."""
    root = ElementTree.fromstring(render_svg(dot))
    return sum(element.get("class") == kind for element in root.iter(f"{SVG}g"))


def layer(name: str, x: Node, rows: int, columns: int) -> Node:
    weight, bias = state(f"{name}/weight", rows, columns), state(f"{name}/bias", columns)
    with scope(name):
        return x @ weight + bias


def perceptron() -> tuple[Node, Node]:
    """x, and the mean square of a network of two layers of it."""
    x = declare("x", "batch", 64)
    hidden = ops.relu(layer("first", x, 64, 32))
    return x, ops.mean(ops.square(layer("second", hidden, 32, 10)))


# Names are text, never markup


HOSTILE = [
    '"><script>alert(1)</script>',
    "<b>bold</b>",
    "back\\slash \\N \\G \\l \\",
    '"]; evil [label="',
    "{a|b} &lt; &amp; & &#65; &nosuch;",
    "<<table><tr><td>x</td></tr></table>>",
    "// comment /* */ # -> --",
    "ελ → ∂ 学习",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_come_out_as_they_are(name: str) -> None:
    with scope(name):
        y = ops.tanh(declare(name, "batch"))
    step = Graph((y,), {state(name, 1): constant(np.zeros(1, np.float32))}, (f"{name}!",))
    dot = to_dot(step, title=f"{name}?", values={y: f"{name}1"}, gradients={y: f"{name}2"})
    found = texts(dot)
    for text in (name, f"{name}!", f"{name}?", f"{name}1", f"{name}2"):
        assert text in found
    assert found.count(name) == 3  # the input, the state and the box
    assert (count(dot, "node"), count(dot, "edge")) == (5, 3)


@pytest.mark.parametrize("name", HOSTILE)
def test_tooltips_are_text_too(name: str) -> None:
    with originating(Origin(Location(name, 7))):
        y = ops.tanh(declare("x"))
    root = ElementTree.fromstring(render_svg(to_dot(Graph((y,)))))
    tooltips = [value for e in root.iter() for key, value in e.items() if key.endswith("title")]
    assert any(f"{name.rsplit('/', maxsplit=1)[-1]}:7" in tooltip for tooltip in tooltips)


def test_unprintable_characters_become_spaces() -> None:
    y = ops.tanh(declare("a\nb\tc\rd\x00e\x1bf\u2028g\ud800h"))
    assert "a b c d e f g h" in texts(to_dot(Graph((y,))))


def test_long_names_are_cut() -> None:
    dot = to_dot(Graph((ops.tanh(declare("x" * 10_000)),)))
    assert max(map(len, texts(dot))) == 60
    assert "x" * 59 + "…" in texts(dot)
    assert len(dot) < 3000


# Ops and their operands


def test_operands_are_told_apart_where_order_matters() -> None:
    x, y = declare("left", 3), declare("right", 3)
    assert Picture(to_dot(Graph((x - y,)))).into("a − b") == {("left", "a [3]"), ("right", "b [3]")}
    assert Picture(to_dot(Graph((y - x,)))).into("a − b") == {("left", "b [3]"), ("right", "a [3]")}
    chosen = Picture(to_dot(Graph((ops.where(x < y, y, x),))))
    assert chosen.into("where") == {
        ("a < b", "if bool[3]"),
        ("right", "then [3]"),
        ("left", "else [3]"),
    }
    product = Picture(to_dot(Graph((declare("m", 2, 3) @ declare("n", 3, 4),))))
    assert product.into("A B") == {("m", "A [2,3]"), ("n", "B [3,4]")}


def test_operands_are_not_told_apart_where_order_does_not_matter() -> None:
    x, y = declare("x", 3), declare("y", 3)
    assert Picture(to_dot(Graph((x + y,)))).into("+") == {("x", "[3]"), ("y", "[3]")}


def test_parts_beyond_the_alphabet_are_numbered() -> None:
    parts = [declare(f"x{i}", 1) for i in range(28)]
    found = Picture(to_dot(Graph((ops.concat(parts),)))).into("concat")
    assert {("x0", "a [1]"), ("x25", "z [1]"), ("x26", "27 [1]"), ("x27", "28 [1]")} <= found


def test_an_operand_used_twice_has_one_edge() -> None:
    x = declare("x")
    edges = [(a, b) for a, b, _ in Picture(to_dot(Graph((x * x,)))).edges()]
    assert edges == [("x", "x × x"), ("x × x", "output")]


@pytest.mark.parametrize(
    ("build", "label"),
    [
        (lambda x: x * 0.5, "× 0.5"),
        (lambda x: 0.5 * x, "× 0.5"),
        (lambda x: x * -1.0, "× (−1)"),
        (lambda x: x + 1.0, "+ 1"),
        (lambda x: x - 1.0, "x − 1"),
        (lambda x: 1.0 - x, "1 − x"),
        (lambda x: 1.0 / x, "1 / x"),
        (lambda x: x**2.0, "x ^ 2"),
        (lambda x: 0.0 < x, "0 < x"),
        (lambda x: ops.maximum(x, 0.0), "max(x, 0)"),
        (lambda x: -x, "−x"),
        (ops.sqrt, "√x"),
        (ops.exp, "exp"),
        (ops.sigmoid, "σ"),
        (ops.relu, "ReLU"),
        (lambda x: x / ops.astype(size("batch"), "float32"), "astype(batch)"),
        (lambda x: size("batch") + ops.astype(x, "int64"), "+ batch"),
    ],
)
def test_constants_stand_in_the_label(build: Callable[[Node], Node], label: str) -> None:
    drawn = Picture(to_dot(Graph((build(declare("x")),))))
    assert label in drawn.labels()
    assert not any(a["shape"] == "plaintext" for a in drawn.vertices().values())


@pytest.mark.parametrize(
    ("equation", "label"),
    [
        ("ab,bc->ac", "A B"),
        ("ba,bc->ac", "Aᵀ B"),
        ("ab,cb->ac", "A Bᵀ"),
        ("ab,b->a", "A B"),
        ("ba,b->a", "Aᵀ B"),
        ("a,a->", "A B"),
        ("ab,bc->ca", "ab,bc->ca"),
        ("a,b->ab", "a,b->ab"),
        ("ab,ab->a", "ab,ab->a"),
        ("abc,acd->abd", "abc,acd->abd"),
    ],
)
def test_contractions_are_written_as_matrix_products(equation: str, label: str) -> None:
    a, b, result = equation.replace("->", ",").split(",")
    assert Contract(a, b, result).label == label


def test_a_tensor_constant_is_a_vertex_of_its_own() -> None:
    drawn = Picture(to_dot(Graph((declare("x", 2) + np.ones(2, np.float32),))))
    assert drawn["constant"]["shape"] == "plaintext"
    assert ("constant", "[2]") in drawn.into("+")


def test_a_users_op_shows_its_formula() -> None:
    x = scalar_input(0)
    swish = Formula("swish", Graph((x / (1.0 + ops.exp(-x)),)), (Graph((x,)),))
    assert "swish\\nx/(1 + exp(−x))" in Picture(to_dot(Graph((swish(declare("x")),)))).labels()


def test_edges_tell_shape_and_type() -> None:
    labels = declare("labels", "batch", dtype=int32)
    drawn = Picture(to_dot(Graph((ops.one_hot(labels, 10),))))
    assert drawn.into("one_hot") == {("labels", "i32[batch]")}
    assert drawn.into("output") == {("one_hot", "[batch,10]")}
    assert Picture(to_dot(Graph((ops.exp(declare("x")),)))).into("exp") == {("x", "")}


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_op_has_a_picture(name: str) -> None:
    for sample in REGISTRY[name].samples():
        operands = [apply(Input(f"in{i}", type)) for i, type in enumerate(sample.operands)]
        found = texts(to_dot(Graph((apply(sample.op, *operands),))))
        assert {f"in{i}" for i in range(len(operands))} <= set(found)


# What is told apart by its looks


def kinds() -> Picture:
    """One vertex of each kind."""
    w, v = state("weight", 3), state("velocity", 3, trainable=False)
    x = declare("x", 3)
    y = ops.sum(ops.exp(w * w * x) + np.ones(3, np.float32))
    updated = w - hyperparameter("lr", 0.1) * (v + grad(y, w))
    return Picture(to_dot(Graph((y,), {w: updated}, ("loss",))))


def looks(attributes: Attributes) -> tuple[str, str, str]:
    return attributes["shape"], attributes["style"], attributes["fillcolor"]


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
    annotated = to_dot(Graph((ops.exp(x),)), values={x: "1"}, gradients={x: "2"})
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


# The gradient


def test_gradient_edges_run_back() -> None:
    x = declare("x")
    y = ops.exp(ops.sin(x))
    drawn = Picture(to_dot(Graph((y, grad(y, x)), {}, ("y", "dx"))))
    # seed -> × exp -> × cos -> dx, written in reverse for the layout
    products = [v for v in drawn.vertices().values() if v["label"] == "×"]
    assert len(products) == 2
    back = sorted((s, t) for s, t, a in drawn.edges() if a.get("dir") == "back")
    assert back == [("cos", "×"), ("seed 1", "×"), ("×", "dx"), ("×", "×")]
    ahead = {(s, t) for s, t, a in drawn.edges() if "dir" not in a}
    assert {("x", "sin"), ("sin", "exp"), ("exp", "y"), ("x", "cos"), ("exp", "×")} <= ahead


def heights(dot: str) -> dict[str, float]:
    """Where each vertex is, by its label: greater is lower in the picture."""
    root = ElementTree.fromstring(render_svg(dot))
    found = {}
    for element in root.iter(f"{SVG}g"):
        if element.get("class") == "node":
            (text, *_) = element.iter(f"{SVG}text")
            found[str(text.text)] = float(str(text.get("y")))
    return found


def test_the_forward_pass_runs_down_and_the_gradient_up() -> None:
    x = declare("x")
    y = ops.tanh(ops.exp(ops.sin(x)))
    found = heights(to_dot(Graph((y, grad(y, x)), {}, ("y", "dx"))))
    assert found["x"] < found["sin"] < found["exp"] < found["tanh"] < found["y"]
    assert found["dx"] < found["cos"] < found["1 − x"] < found["x × x"]
    assert found["dx"] < found["seed 1"]


def test_a_fan_out_sum_is_one_circle() -> None:
    x = declare("x")
    y = ops.exp(x) + ops.sin(x) + ops.tanh(x)
    drawn = Picture(to_dot(Graph((y, grad(y, x)))))
    (circle,) = [v for v in drawn.vertices().values() if v["shape"] == "circle"]
    assert circle["label"] == "+"
    assert "fan-out sum" in circle["tooltip"]
    name = next(n for n, v in drawn.vertices().items() if v is circle or v == circle)
    # a gradient edge is written from where it arrives
    assert sum(a == name for a, b, _ in drawn.statements() if b.startswith("n")) == 3


def test_outputs_are_named_after_what_they_are_the_derivative_of() -> None:
    x, w = declare("x", "batch", 3), state("w", 3)
    with scope("model"):
        y = x @ w
    with scope("loss"):
        loss = ops.sum(ops.tanh(y))
    labels = Picture(to_dot(Graph((loss, *grad(loss, [w, x]))))).labels()
    assert {"loss", "∂ w", "∂ x"} <= set(labels)
    assert {"output 1", "output 2"} <= set(Picture(to_dot(Graph((y, y)))).labels())
    given = Picture(to_dot(Graph((loss, y), {}, ("same", "same"))))
    assert given.labels().count("same") == 2


def test_second_derivatives_have_boxes_of_their_own() -> None:
    w = state("w")
    with scope("cubed"):
        y = w * w * w
    first = grad(y, w)
    drawn = Picture(to_dot(Graph((y, first, grad(first, w)))))
    assert drawn.boxes() == ["cubed", "∂ cubed", "∂² cubed"]


# Layers


def test_layers_are_nested_boxes_and_two_uses_are_two_boxes() -> None:
    x, w = declare("x", 3), state("outer/inner/w", 3)
    for _ in range(2):
        with scope("outer"), scope("inner"):
            x = ops.tanh(x * w)
    drawn = Picture(to_dot(Graph((x,))))
    assert drawn.boxes() == ["outer", "inner", "outer", "inner"]
    assert count(drawn.dot, "cluster") == 4


def test_a_parameter_stands_in_the_box_that_reads_it() -> None:
    y = layer("dense", declare("x", 2, 3), 3, 4)
    lines = to_dot(Graph((y,))).splitlines()
    start, end = lines.index("subgraph cluster_0 {"), lines.index("}")
    inside = [_STATEMENT.match(line) for line in lines[start + 2 : end]]
    labels = {dict(_ATTRIBUTE.findall(m[3]))["label"] for m in inside if m}
    assert labels == {"weight", "bias", "A B", "+"}  # without "dense/", which the box says


def test_gradients_of_a_layer_have_a_box_beside_it() -> None:
    x, loss = perceptron()
    drawn = Picture(to_dot(Graph((loss, grad(loss, x)))))
    assert sorted(drawn.boxes()) == ["first", "second", "∂ first", "∂ second"]


def test_scopes_without_end_are_drawn() -> None:
    x = declare("x")

    def deep(level: int) -> Node:
        if level == 0:
            return ops.tanh(x)
        with scope(f"s{level}"):
            return deep(level - 1)

    assert count(to_dot(Graph((deep(300),))), "cluster") == 10


def test_closed_layers_say_what_they_hold() -> None:
    x, loss = perceptron()
    drawn = Picture(to_dot(Graph((loss, grad(loss, x))), collapse=True))
    assert {"first\\n2 ops, 2 parameters", "∂ first\\n1 op", "ReLU"} <= set(drawn.labels())
    assert drawn.into("first") == {("x", "[batch,64]")}
    assert drawn.into("ReLU") == {("first", "[batch,32]")}
    assert drawn["first"]["peripheries"] == "2"
    assert "layers closed" in texts(drawn.dot)


def test_layers_are_closed_at_a_depth() -> None:
    x = declare("x", 3)
    with scope("outer"):
        for name in ("one", "two"):
            with scope(name):
                x = ops.tanh(x)
    graph = Graph((x,))
    assert "outer\\n2 ops" in Picture(to_dot(graph, collapse=1)).labels()
    two = Picture(to_dot(graph, collapse=2))
    assert {"one\\n1 op", "two\\n1 op"} <= set(two.labels())
    assert two.boxes() == ["outer"]
    assert Picture(to_dot(graph, collapse=False)).labels().count("tanh") == 2


def test_a_large_graph_closes_as_few_layers_as_make_it_small() -> None:
    x = declare("x", 3)
    for block in range(5):
        with scope(f"block{block}"):
            for part in range(5):
                with scope(f"part{part}"):
                    for _ in range(10):
                        x = ops.tanh(x)
    drawn = Picture(to_dot(Graph((x,)), title="deep"))
    assert drawn.labels().count("part0\\n10 ops") == 5
    assert {"deep", "layers closed at depth 2"} <= set(texts(drawn.dot))
    assert len(drawn.labels()) == 27


def test_values_between_closed_layers_are_counted() -> None:
    x = declare("x", 3)
    with scope("make"):
        made = [ops.sin(x), ops.cos(x)]
    with scope("use"):
        y = made[0] * made[1]
    graph = Graph((y,), {}, ("y",))
    assert Picture(to_dot(graph, collapse=True)).into("use") == {("make", "2 values")}


# Huge graphs


def chain(length: int) -> Node:
    x = declare("x", 3)
    for _ in range(length):
        x = ops.tanh(x)
    return x


def test_the_middle_of_a_huge_graph_is_left_out() -> None:
    drawn = Picture(to_dot(Graph((chain(10_000),))))
    (omitted,) = [label for label in drawn.labels() if label.startswith("…")]
    left_out = int(re.sub(r"\D", "", omitted))
    assert len(drawn.labels()) < 60
    assert left_out + len(drawn.labels()) - 2 == 10_001  # the box and the output are no nodes
    assert f"{left_out:,} nodes left out" in texts(drawn.dot)
    assert {"x", "output"} <= set(drawn.labels())
    assert count(drawn.dot, "node") == len(drawn.labels())


@pytest.mark.parametrize("collapse", [None, False, True, 1])
def test_huge_graphs_stay_small_in_every_mode(collapse: bool | int | None) -> None:
    x = declare("x", 3)
    wide = Graph(tuple(ops.tanh(x) for _ in range(3000)))
    loss = ops.sum(chain(2000))
    deep = Graph((loss, grad(loss, next(n for n in Graph((loss,)).nodes if not n.inputs))))
    many = Graph((ops.stack([declare(f"x{i}") for i in range(3000)]),))
    for graph in (wide, deep, many):
        assert len(Picture(to_dot(graph, collapse=collapse)).labels()) < 100


# Updates


def test_a_new_value_returns_to_its_slot() -> None:
    w, count_ = state("w", 3), state("count", trainable=False)
    loss = ops.sum(ops.square(w))
    graph = Graph((loss,), {w: w - 0.1 * grad(loss, w), count_: count_ + 1.0})
    drawn = Picture(to_dot(graph))
    updates = [(s, t) for s, t, a in drawn.edges() if a.get("style") == "dashed"]
    assert sorted(updates) == [("+ 1", "count"), ("a − b", "w")]
    assert {(s, t) for s, t, a in drawn.edges() if t == "a − b"} == {
        ("w", "a − b"),
        ("× 0.1", "a − b"),
    }
    assert looks(drawn["+ 1"]) == looks(drawn["a − b"]) == looks(drawn["× 0.1"])
    assert looks(drawn["+ 1"]) != looks(drawn["Σ"])


def test_a_hyperparameter_with_many_readers_is_named_in_their_labels() -> None:
    lr = hyperparameter("lr", 0.1)
    slots = [state(f"w{i}") for i in range(3)]
    drawn = Picture(to_dot(Graph((), {slot: lr * slot for slot in slots})))
    assert drawn.labels().count("× lr") == 3
    assert "lr = 0.1" in drawn.labels()
    assert not any(s == "lr = 0.1" for s, _, _ in drawn.edges())
    few = Picture(to_dot(Graph((), {slot: lr * slot for slot in slots[:2]})))
    assert sum(s == "lr = 0.1" for s, _, _ in few.edges()) == 2


# Kernels


def test_a_fused_contraction_lists_its_steps() -> None:
    x, w, b, v = declare("x", 2, 3), state("w", 3, 4), state("b", 4), state("v", 2, 4)
    product, third, fourth = (scalar_input(i, float32) for i in range(3))
    body = Graph((third * 0.9 + ops.relu(product - fourth),))
    y = apply(FusedContract(Contract("ab", "bc", "ac"), body), x, w, v, b)
    drawn = Picture(to_dot(Graph((y,))))
    assert drawn["fused kernel"]["label"].replace("\\l", "\\n").split("\\n")[1:-1] == [
        "1  A B",
        "2  c × 0.9",
        "3  (1) − d",
        "4  ReLU",
        "5  + (2)",
    ]
    edges = {("x", "A [2,3]"), ("w", "B [3,4]"), ("v", "c [2,4]"), ("b", "d [4]")}
    assert drawn.into("fused kernel") == edges
    assert float(drawn["fused kernel"]["penwidth"]) > 2


def test_a_fused_region_lists_its_steps() -> None:
    x, y = (scalar_input(i, float32) for i in range(2))
    squared = x * x
    region = Region(Graph((ops.where(0.0 < squared, ops.exp(-y), squared) / 2.0,)))
    drawn = Picture(to_dot(Graph((apply(region, declare("p", 3), declare("q", 3)),))))
    assert drawn["fused kernel"]["label"].replace("\\l", "\\n").split("\\n")[1:-1] == [
        "1  a × a",
        "2  0 < (1)",
        "3  −b",
        "4  exp",
        "5  where((2), (4), (1))",
        "6  (5) / 2",
    ]


# Values and gradients


def places(dot: str) -> dict[str, tuple[float, float]]:
    root = ElementTree.fromstring(render_svg(dot))
    return {
        str(e.text): (float(str(e.get("x"))), float(str(e.get("y"))))
        for e in root.iter(f"{SVG}text")
    }


def test_values_stand_above_and_gradients_below() -> None:
    x = declare("x")
    y = ops.exp(x)
    graph, values, gradients = Graph((y,)), {x: "1.5", y: "4.48"}, {x: "4.49", y: "1"}
    found = places(to_dot(graph, values=values, gradients=gradients))
    for above, middle, below in (("1.5", "x", "4.49"), ("4.48", "exp", "1")):
        assert found[above][1] < found[middle][1] < found[below][1]
        assert found[above][0] == pytest.approx(found[below][0], abs=2)
    assert found["x"][0] < found["exp"][0]
    assert found["x"][1] == pytest.approx(found["exp"][1], abs=2)


def test_values_stand_left_and_gradients_right_of_a_column() -> None:
    x, z = declare("x"), declare("z")
    y = x * z
    values, gradients = {x: "2", y: "6", z: "3"}, {x: "3.0", y: "1", z: "2.0"}
    found = places(to_dot(Graph((y,)), values=values, gradients=gradients, direction="TB"))
    for left, middle, right in (("2", "x", "3.0"), ("6", "×", "1"), ("3", "z", "2.0")):
        assert found[left][0] < found[middle][0] < found[right][0]
        assert found[left][1] == pytest.approx(found[right][1], abs=2)


def test_values_alone_and_gradients_alone() -> None:
    x = declare("x")
    for direction in ("LR", "TB"):
        assert "7" in texts(to_dot(Graph((ops.exp(x),)), values={x: "7"}, direction=direction))
        assert "8" in texts(to_dot(Graph((ops.exp(x),)), gradients={x: "8"}, direction=direction))


# The whole


def test_equal_graphs_give_equal_text() -> None:
    def build() -> str:
        x, loss = perceptron()
        return to_dot(Graph((loss, grad(loss, x))))

    assert build() == build()


def test_the_text_does_not_depend_on_the_hash_seed() -> None:
    program = (
        "from tests.compiler.test_dot import perceptron; from chainc.dot import to_dot;"
        "from chainc.autodiff import grad; from chainc.ir import Graph; x, loss = perceptron();"
        "print(to_dot(Graph((loss, grad(loss, x))), collapse=1))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(["."])},
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1


@given(cases(max_steps=6, jumps=True))
@settings(max_examples=30)
def test_every_node_of_any_graph_is_drawn_or_told(case: Case) -> None:
    drawn = Picture(to_dot(case.graph, collapse=False))
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


def test_directions_and_depths_that_are_none() -> None:
    graph = Graph((declare("x"),))
    with pytest.raises(InputError, match=r"direction 'up'[\s\S]*direction=\"TB\""):
        to_dot(graph, direction="up")
    with pytest.raises(InputError, match=r"closed at depth 0[\s\S]*collapse=1"):
        to_dot(graph, collapse=0)
    with pytest.raises(InputError, match="closed at depth -3"):
        to_dot(graph, collapse=-3)


def test_an_empty_graph_is_an_empty_picture() -> None:
    assert count(to_dot(Graph(())), "node") == 0


def test_golden_circuit(golden: Callable[[str, str], None]) -> None:
    with originating(Origin(Location("circuit.py", 3))):
        x, y, z = declare("x"), declare("y"), declare("z")
        q = x + y
        f = q * z
    with originating(Origin(Location("circuit.py", 5))):
        gradient = grad(f, [x, z])
    golden("circuit.dot", to_dot(Graph((f,), {}, ("f",)), values={q: "3"}, gradients={q: "-4"}))
    golden("circuit_gradient.dot", to_dot(Graph((f, *gradient), {}, ("f",)), title="G1"))
