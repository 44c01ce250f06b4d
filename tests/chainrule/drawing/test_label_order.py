"""Labels that edges do not cross: the order of what is in a picture."""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree

from tests.pictures import SVG

import chainrule as cr
from chainrule.drawing.label_order import labels_in_front
from chainrule.drawing.rendering import render_svg

DOT = """digraph {
a [label="above"]; z [label="other"];
subgraph cluster_0 { label="title"; color=blue; b [label="inner"]; }
subgraph cluster_1 { label="coloured"; style=filled; fillcolor=pink; c [label="there"]; }
a -> b [label="first"]; z -> c [label="second"]; b -> c
}"""


def groups(svg: str) -> list[tuple[str, list[str]]]:
    """The groups of the picture in order, each with its texts."""
    (graph,) = ElementTree.fromstring(svg).findall(f"{SVG}g")
    return [
        (str(group.get("class")), ["".join(text.itertext()) for text in group.iter(f"{SVG}text")])
        for group in graph.findall(f"{SVG}g")
    ]


def test_titles_and_labels_of_edges_come_last() -> None:
    found = groups(render_svg(DOT))
    assert found[-2:] == [("titles", ["title"]), ("edge-labels", ["first", "second"])]
    others = Counter(text for _, texts in found[:-2] for text in texts)
    assert others == Counter(["above", "other", "inner", "there", "coloured"])
    assert [texts for kind, texts in found if kind == "edge"] == [[], [], []]


def test_each_text_is_there_once() -> None:
    x = cr.input("x", ("batch", 4))
    loss = cr.mean(cr.nn.Sequential(cr.nn.Linear(4, 3), cr.nn.Tanh(), name="net")(x))
    drawn = cr.draw(loss, cr.grad(loss, x))
    texts = [text for _, found in groups(drawn.svg()) for text in found]
    assert texts.count("linear1") == texts.count("∂ linear1") == 1
    assert {"net", "∂ net"} <= set(texts)
    assert groups(drawn.svg())[-2][0] == "titles"


def test_a_picture_without_such_labels_stays_as_it_is() -> None:
    plain = render_svg("digraph { a -> b }")
    assert "titles" not in plain
    assert labels_in_front(plain) == plain
    assert labels_in_front("<svg></svg>") == "<svg></svg>"
