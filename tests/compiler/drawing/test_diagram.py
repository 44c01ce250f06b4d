"""What a picture shows of gradients, layers, updates and huge graphs."""

from __future__ import annotations

from xml.etree import ElementTree

from tests.pictures import (
    SVG,
    Picture,
    count,
    declare,
    hyperparameter,
    layer,
    looks,
    perceptron,
    state,
    texts,
)

from chainc import ops
from chainc.autodiff import grad
from chainc.drawing.dot import to_dot
from chainc.ir import Graph, Node, scope
from chainrule.drawing.rendering import render_svg

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


def test_the_type_of_a_value_is_told_once_a_pass() -> None:
    x, y = declare("x", 3), declare("y", 3)
    loss = ops.sum(ops.exp(x) / y)
    drawn = Picture(to_dot(Graph((loss, grad(loss, x)), {}, ("loss", "dx"))))
    across = {(s, t): a.get("label", "").strip() for s, t, a in drawn.edges() if "penwidth" in a}
    assert across == {("y", "a / b"): "b", ("exp", "×"): ""}
    alone = Picture(to_dot(Graph((grad(ops.sum(x * y), x),))))
    assert ("y", "[3]") in alone.into("×")


def test_a_fan_out_sum_is_one_circle() -> None:
    x = declare("x")
    y = ops.exp(x) + ops.sin(x) + ops.tanh(x)
    drawn = Picture(to_dot(Graph((y, grad(y, x)))))
    ((name, circle),) = [(n, v) for n, v in drawn.vertices().items() if v["shape"] == "circle"]
    assert circle["label"] == "+"
    assert "fan-out sum" in circle["tooltip"]
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
    start, end = lines.index("\tsubgraph cluster_0 {"), lines.index("\t}")
    inside = Picture("\n".join(lines[start + 2 : end]))
    assert set(inside.labels()) == {"weight", "bias", "A B", "+"}  # without "dense/"


def test_gradients_of_a_layer_have_a_box_beside_it() -> None:
    x, loss = perceptron()
    drawn = Picture(to_dot(Graph((loss, grad(loss, x)))))
    assert sorted(drawn.boxes()) == ["first", "second", "∂ first", "∂ second"]


def test_a_derivative_that_is_an_output_stands_in_its_layers_box() -> None:
    x = declare("x", 2, 3)
    loss = ops.sum(layer("dense", x, 3, 4))
    lines = to_dot(Graph((loss, grad(loss, x)), {}, ("loss", "∂ dense/x"))).splitlines()
    box = next(i for i, line in enumerate(lines) if 'label="∂ dense"' in line)
    inside = Picture("\n".join(lines[box : lines.index("\t}", box)]))
    assert inside.labels() == ["A Bᵀ", "∂ x"]


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
    drawn = Picture(to_dot(Graph((loss, grad(loss, x))), detail="layers"))
    assert {"first\\n2 ops, 2 parameters", "∂ first\\n1 op", "ReLU"} <= set(drawn.labels())
    assert drawn.into("first") == {("x", "[batch,64]")}
    assert drawn.into("ReLU") == {("first", "[batch,32]")}
    assert drawn["first"]["peripheries"] == "2"
    assert "layers closed" in texts(drawn.dot)


def test_named_scopes_are_closed() -> None:
    x = declare("x", 3)
    with scope("outer"):
        for name in ("one", "two"):
            with scope(name):
                x = ops.tanh(x)
    graph = Graph((x,))
    assert "outer\\n2 ops" in Picture(to_dot(graph, fold="outer")).labels()
    two = Picture(to_dot(graph, fold=["outer/one", "two"]))
    assert {"one\\n1 op", "two\\n1 op"} <= set(two.labels())
    assert two.boxes() == ["outer"]
    assert Picture(to_dot(graph, detail="ops")).labels().count("tanh") == 2


def test_the_innermost_layers_are_closed_at_every_depth() -> None:
    x = declare("x", 3)
    with scope("outer"), scope("inner"):
        x = ops.tanh(x)
    with scope("loss"):
        x = ops.exp(x)
    drawn = Picture(to_dot(Graph((x,), {}, ("y",)), detail="layers"))
    assert drawn.labels() == ["x", "loss\\n1 op", "y", "inner\\n1 op"]


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
    assert {"deep", "layers closed"} <= set(texts(drawn.dot))
    assert len(drawn.labels()) == 27


def test_values_between_closed_layers_are_counted() -> None:
    x = declare("x", 3)
    with scope("make"):
        made = [ops.sin(x), ops.cos(x)]
    with scope("use"):
        y = made[0] * made[1]
    graph = Graph((y,), {}, ("y",))
    assert Picture(to_dot(graph, detail="layers")).into("use") == {("make", "2 values")}


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
    assert ("count", "+ 1") in {(s, t) for s, t, a in drawn.edges() if "penwidth" in a}
    assert looks(drawn["+ 1"]) == looks(drawn["a − b"]) == looks(drawn["× 0.1"])
    assert looks(drawn["+ 1"]) != looks(drawn["Σ"])


def test_a_closed_layer_is_read_and_updated_along_one_edge() -> None:
    w = state("net/layer/w", 3)
    with scope("layer"):
        loss = ops.sum(w * w)
    gradient = grad(loss, w)
    with scope("sgd"):
        new = w - 0.1 * gradient
    drawn = Picture(to_dot(Graph((loss,), {w: new}, ("loss",)), detail="layers"))
    between = [a for s, t, a in drawn.edges() if {s, t} == {"layer", "net/layer"}]
    assert [(a["style"], a["constraint"]) for a in between] == [("dashed", "false")]
    assert ("net/layer", "") in drawn.into("layer")


def two_layers(count: int = 2) -> Graph:
    """A training step with momentum."""
    x = declare("x", 4)
    step, lr = state("step", trainable=False), hyperparameter("lr", 0.1)
    slots = [state(f"net/layer{i}/w", 4) for i in range(count)]
    kept = [state(f"sgd/velocity/{slot.op.label}", 4, trainable=False) for slot in slots]
    y = x
    for i, slot in enumerate(slots):
        with scope(f"layer{i}"):
            y = y * slot
    with scope("loss"):
        loss = ops.sum(y)
    gradients = grad(loss, slots)
    with scope("sgd"):
        velocities = [0.9 * v + g for v, g in zip(kept, gradients, strict=True)]
        new = [w - lr * v for w, v in zip(slots, velocities, strict=True)]
        later = step + 1.0
    updates = {**dict(zip(slots, new, strict=True)), **dict(zip(kept, velocities, strict=True))}
    return Graph((loss,), {**updates, step: later}, ("loss",))


def test_a_training_step_opens_with_one_box_a_layer_of_the_optimizer() -> None:
    drawn = Picture(to_dot(two_layers()))
    assert drawn["net/layer0"]["label"].endswith("4 ops, 1 state slot")
    assert drawn["net/layer1"]["tooltip"] == "sgd / net/layer1"
    assert ("net/layer0", "") in drawn.into("layer0")
    assert {"layer0", "∂ layer0", "layer1", "loss", "step", "+ 1"} <= set(drawn.labels()) | {
        label.split("\\n")[0] for label in drawn.labels()
    }
    assert 'label="layers closed"' in drawn.dot


def test_a_training_step_shows_its_ops_where_they_are_asked_for() -> None:
    drawn = Picture(to_dot(two_layers(), detail="ops"))
    assert drawn.labels().count("× 0.9") == 2
    assert {"sgd", "net/layer0", "net/layer1"} <= set(drawn.boxes())


def test_what_changes_several_layers_stands_beside_their_boxes() -> None:
    w, v = state("a/w"), state("b/w")
    with scope("sgd"):
        shared = ops.exp(w * v)
        updates = {w: w - shared, v: v - shared}
    drawn = Picture(to_dot(Graph((), updates)))
    assert "exp" in drawn.labels()
    assert {label.split("\\n")[0] for label in drawn.labels()} >= {"a", "b"}


def test_a_hyperparameter_with_many_readers_is_named_in_their_labels() -> None:
    lr = hyperparameter("lr", 0.1)
    slots = [state(f"w{i}") for i in range(3)]
    drawn = Picture(to_dot(Graph((), {slot: lr * slot for slot in slots})))
    assert drawn.labels().count("× lr") == 3
    assert "lr = 0.1" in drawn.labels()
    assert not any(s == "lr = 0.1" for s, _, _ in drawn.edges())
    few = Picture(to_dot(Graph((), {slot: lr * slot for slot in slots[:2]})))
    assert sum(s == "lr = 0.1" for s, _, _ in few.edges()) == 2
