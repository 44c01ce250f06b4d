"""Labels of edges stand beside them, also where Graphviz left them apart."""

from __future__ import annotations

import re

from tests.legibility import problems

import chainrule as cr
from chainrule.drawing.edge_labels import labels_beside_edges

FONT = 'font-family="Helvetica,Arial" font-size="10.00"'
EDGE = """<svg><g id="graph0" class="graph">
<g id="edge1" class="edge">
<title>a</title>
<path fill="none" stroke="black" d="M0,0C0,30 0,70 0,100"/>
<text xml:space="preserve" text-anchor="middle" x="{x}" y="50" {font}>B</text>
</g>
{more}</g>
</svg>"""
NODE = """<g id="node1" class="node">
<polygon fill="white" points="{left},0 {left},100 {right},100 {right},0"/>
</g>
"""


def place(svg: str) -> tuple[float, float]:
    found = re.search(r'x="([-\d.]+)" y="([-\d.]+)"', labels_beside_edges(svg))
    assert found
    return float(found[1]), float(found[2])


def test_a_label_far_from_its_edge_is_brought_beside_it() -> None:
    x, y = place(EDGE.format(x=60, font=FONT, more=""))
    assert 3 < x < 10
    assert 40 < y < 60


def test_a_label_at_its_edge_stays() -> None:
    svg = EDGE.format(x=8, font=FONT, more="")
    assert labels_beside_edges(svg) == svg


def test_a_label_is_brought_to_no_place_that_is_taken() -> None:
    right = NODE.format(left=2, right=40)
    x, _ = place(EDGE.format(x=60, font=FONT, more=right))
    assert -10 < x < -3
    both = right + NODE.format(left=-40, right=-2)
    svg = EDGE.format(x=60, font=FONT, more=both)
    assert labels_beside_edges(svg) == svg


def test_a_label_on_a_node_moves_off_it() -> None:
    x, _ = place(EDGE.format(x=8, font=FONT, more=NODE.format(left=2, right=40)))
    assert -10 < x < -3


def test_a_label_on_the_border_of_a_box_moves_off_it_and_may_stand_inside() -> None:
    box = NODE.format(left=-90, right=8).replace('class="node"', 'class="cluster"')
    x, _ = place(EDGE.format(x=7, font=FONT, more=box))
    assert -10 < x < -3  # on the other side of the edge
    wide = NODE.format(left=-90, right=18).replace('class="node"', 'class="cluster"')
    assert place(EDGE.format(x=7, font=FONT, more=wide)) == (7, 50)


def test_labels_in_the_very_same_place_are_parted() -> None:
    edge = EDGE.format(x=6, font=FONT, more="")
    again = edge.replace("edge1", "edge2").removeprefix("<svg>").removesuffix("</g>\n</svg>")
    svg = edge.replace("</g>\n</svg>", again.partition('class="graph">\n')[2] + "</g>\n</svg>")
    found = re.findall(r'x="([-\d.]+)" y="([-\d.]+)"', labels_beside_edges(svg))
    assert len(found) == 2
    assert found[0] != found[1]


def test_operand_letters_of_a_training_step_can_be_told_apart() -> None:
    x, t = cr.input("x", ("batch", 2)), cr.input("t", ("batch", 1))
    model = cr.nn.Linear(2, 1, bias=False, name="linear")
    loss = cr.losses.squared_error(model(x), t)
    drawn = cr.draw(loss, cr.grad(loss, model.weight), detail="ops").svg()
    assert problems(drawn) == []
    assert labels_beside_edges("<svg></svg>") == "<svg></svg>"
