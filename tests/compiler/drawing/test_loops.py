"""Pictures of loops: one step in a box, closed, or copies of it one after the other."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainc.drawing.change_picture import change_picture
from chainc.drawing.diagram import Course, Diagram, Form, Vertex, diagram
from chainc.drawing.node_roles import Kind
from chainc.ir import Graph, Node
from chainc.ops.runs.scan import Scan
from chainc.ops.runs.unroll import unroll
from chainc.rewriting.change import change

STEPS = 3


def network() -> tuple[Node, Node, list[Node]]:
    """What it is given, the loss, and the gradients."""
    x = cr.input("x", (STEPS, 2))
    w, b = cr.parameter("w", (2, 2), 0.5), cr.parameter("b", (2,), 0.0)

    def cell(h: Node, x_t: Node) -> tuple[Node, Node]:
        h = cr.tanh(h @ w + x_t + b)
        return h, h

    _, every = cr.scan(cell, carry=cr.broadcast_to(0.0, (2,)), xs=x)
    assert isinstance(every, Node)
    loss = cr.sum(every)
    return x, loss, cr.grad(loss, [w, b])


def labels(picture: Diagram, box: str = "") -> list[str]:
    """The first lines of the vertices, of those in a box if one is named."""
    inside = (v for v in picture.vertices if not box or box in [b.label for b in v.path])
    return sorted(" ".join(vertex.lines) for vertex in inside)


def test_a_loop_is_a_box_with_one_step() -> None:
    _, loss, _ = network()
    picture = diagram(Graph((loss,)))
    inside = ["+", "+", "A B", "every h", "h starts at 0", "tanh", "x_t"]
    assert labels(picture, f"scan, {STEPS} steps") == inside
    (back,) = (edge for edge in picture.edges if edge.course is Course.RETURN)
    assert back.source.lines == ("tanh",)
    assert back.target.kind is Kind.CARRY
    outside = [vertex for vertex in picture.vertices if not vertex.path]
    assert sum(vertex.kind is Kind.PARAMETER for vertex in outside) == 2


def test_its_gradient_is_another_box_with_sums_over_the_steps() -> None:
    _, loss, gradients = network()
    picture = diagram(Graph((loss, *gradients)))
    back = labels(picture, f"∂ scan back, {STEPS} steps")
    assert {"Σ over steps ∂ w", "Σ over steps ∂ b", "∂ h starts at 0", "∂ h above"} <= set(back)
    assert len({vertex.path for vertex in picture.vertices}) == 3
    assert labels(picture, f"scan, {STEPS} steps").count("every h") == 1
    kinds = {vertex.kind for vertex in picture.vertices if "∂" in str(vertex.path)}
    assert Kind.FORWARD not in kinds


def test_a_closed_one_says_what_it_carries_reads_and_gives() -> None:
    _, loss, gradients = network()
    picture = diagram(Graph((loss, *gradients)), "layers")
    forward, back = (v for v in picture.vertices if v.form is Form.LAYER)
    assert forward.lines == (
        "scan, 3 steps",
        "carries h",
        "over x_t",
        "gives every h, every h before",
    )
    assert back.lines[-1] == "gives Σ ∂ w, Σ ∂ b"
    assert back.nodes
    assert set(back.nodes) <= set(Graph((loss, *gradients)).nodes)
    folded = diagram(Graph((loss,)), fold="scan")
    assert [v.lines[0] for v in folded.vertices if v.form is Form.LAYER] == ["scan, 3 steps"]


def test_a_layer_closes_with_its_loop_and_names_what_it_remembers() -> None:
    lstm = cr.nn.LSTM(2, 3)
    y = lstm(cr.input("x", ("batch", "time", 2)))
    closed = diagram(Graph((y,)), "layers")
    assert [v.lines[0] for v in closed.vertices if v.form is Form.LAYER] == ["lstm"]
    opened = labels(diagram(Graph((y,))), "scan, time steps")
    assert {"h starts at 0", "c starts at 0", "every h"} <= set(opened)


def test_the_condition_of_a_while_is_in_the_box_as_its_step_is() -> None:
    small, _ = cr.while_loop(lambda x: cr.exp(x) > 1.5, lambda x: x / 2.0, cr.input("y"), limit=9)
    assert isinstance(small, Node)
    box = "while, at most 9 steps"
    picture = diagram(Graph((small,)))
    inside = ["1.5 < x", "another step", "exp", "last x", "x", "x / 2"]
    assert labels(picture, box) == inside
    back = [edge for edge in picture.edges if edge.course is Course.RETURN]
    ends = {(edge.source.lines, edge.target.lines) for edge in back}
    assert ends == {(("x / 2",), ("x",)), (("1.5 < x",), ("another step",))}
    closed = diagram(Graph((small,)), "layers").vertices
    assert [v.lines for v in closed if v.form is Form.LAYER] == [
        (box, "carries x, another step", "gives last x")
    ]


def test_in_the_picture_of_a_pass_all_results_of_a_loop_are_one_vertex() -> None:
    lstm = cr.nn.LSTM(3, 4)
    loss = cr.mean(cr.square(lstm(cr.input("x", ("batch", 5, 3)))))
    program = cr.compile(cr.Graph([loss, *cr.grad(loss, lstm.parameters())]))
    for name in ("lift", "cse"):
        stage = program.stage(name)
        assert stage.before is not None
        picture = change_picture(change(stage.before, stage.graph, stage.fired))
        before, after = (
            [v for v in picture.diagram.vertices if v.path[0].label == side and is_loop(v)]
            for side in ("before", "after")
        )
        assert len(before) == len(after) == 2
        results = sum(isinstance(node.op, Scan) for node in stage.graph.nodes)
        assert sum(len(vertex.nodes) for vertex in after) == results > 4
        assert picture.marks.keys() >= {*before, *after}


def is_loop(vertex: Vertex) -> bool:
    return any(isinstance(node.op, Scan) for node in vertex.nodes)


def test_loops_in_loops_are_boxes_in_boxes_also_twice_differentiated() -> None:
    z = cr.input("z", (3, 4))

    def outer(t: Node, row: Node) -> tuple[Node, None]:
        last, _ = cr.scan(lambda s, e: (s + e * t, None), carry=cr.constant(1.0), xs=row)
        assert isinstance(last, Node)
        return last, None

    last, _ = cr.scan(outer, carry=cr.constant(0.5), xs=z)
    assert isinstance(last, Node)
    first = cr.grad(last, z)
    picture = diagram(Graph((last, first)))
    assert ["scan, 3 steps", "scan, 4 steps"] in [
        [b.label for b in v.path] for v in picture.vertices
    ]
    inner = labels(picture, "∂ scan back, 4 steps")
    assert {"every ∂ e", "∂ s", "Σ over steps ∂ outside"} <= set(inner)
    assert "every ∂ row" in labels(picture, "∂ scan back, 3 steps")
    again = diagram(Graph((cr.grad(cr.sum(first * first), z),)))
    assert any(box.order == 2 for vertex in again.vertices for box in vertex.path)


def test_copies_share_what_all_steps_read() -> None:
    _, loss, gradients = network()
    picture = diagram(unroll(Graph((loss, *gradients))))
    texts = labels(picture)
    assert texts.count("w") == 1
    assert texts.count("tanh") == STEPS
    assert {"[0]", "[1]", "[2]", "stack"} <= set(texts)
    boxes = {box.label for vertex in picture.vertices for box in vertex.path}
    assert boxes == {f"{sign}t = {t}" for t in range(STEPS) for sign in ("", "∂ ")}
    assert "slice" in labels(diagram(unroll(Graph((loss,))), "ops"))


def test_an_unrolled_circuit_adds_up_what_each_step_sends_back() -> None:
    x, w = cr.input("x", ("time",)), cr.parameter("w", (), 0.5)
    last, _ = cr.scan(lambda h, x_t: (cr.tanh(w * h + x_t), None), carry=0.0, xs=x)
    assert isinstance(last, Node)
    loss = last * last
    given = np.array([1.0, -2.0, 0.5])
    drawn = cr.draw(loss, cr.grad(loss, w), unrolled=3, values={x: given, w: 0.5}).dot
    h = [0.0]
    for x_t in given:
        h.append(float(np.tanh(0.5 * h[-1] + x_t)))
    g, parts = 2 * h[3], []
    for t in (3, 2, 1):
        g *= 1 - h[t] ** 2
        parts.append(g * h[t - 1])
        g *= 0.5
    first, second, third = (f"{part:.4g}".replace("-", "−") for part in parts)
    total = f"{sum(parts):.4g}".replace("-", "−")
    assert f"{first} + {second} + {third} = {total}" in drawn


def test_unrolled_is_a_number_of_steps() -> None:
    _, loss, _ = network()
    with pytest.raises(
        cr.InputError, match=r"unrolled=0 is no number of steps[\s\S]*try: give how"
    ):
        cr.draw(loss, unrolled=0)
