"""The judge of pictures is judged by pictures with known faults."""

from __future__ import annotations

import pytest
from tests.legibility import problems, text_width

from chainrule.drawing.rendering import render_svg

NODE = '<g class="node"><polygon fill="white" points="10,10 60,10 60,40 10,40"/>{}</g>'
TEXT = '<text x="{}" y="{}" font-size="10" text-anchor="middle">{}</text>'


def page(*elements: str) -> str:
    start = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 100">'
    return f'{start}<g transform="translate(4 4)">{"".join(elements)}</g></svg>'


def test_a_picture_of_graphviz_has_no_problems() -> None:
    dot = (
        'digraph { node [fontname=Helvetica]; subgraph cluster_0 { label="both layers"; '
        'a [label="multiply and add" shape=box]; b [label="×" shape=ellipse]; } '
        'a -> b [label=" [batch,10]" fontname=Helvetica]; b -> c }'
    )
    assert problems(render_svg(dot)) == []


def test_texts_side_by_side_are_legible() -> None:
    assert problems(page(TEXT.format(30, 20, "above"), TEXT.format(30, 30, "below"))) == []


def test_overlapping_texts_are_found() -> None:
    svg = page(TEXT.format(30, 20, "one"), TEXT.format(34, 24, "two"))
    assert problems(svg) == ["'one' overlaps 'two'"]


def test_a_text_wider_than_its_box_is_found() -> None:
    svg = page(NODE.format(TEXT.format(35, 25, "a label that is long")))
    assert "'a label that is long' sticks out of its box" in problems(svg)
    assert problems(page(NODE.format(TEXT.format(35, 25, "short")))) == []


def test_a_title_that_is_in_no_box_is_found() -> None:
    box = '<g class="cluster"><polygon fill="none" points="10,10 60,10 60,40 10,40"/></g>'
    titles = '<g class="titles">{}</g>'
    long = titles.format(TEXT.format(35, 25, "a title that is long"))
    assert problems(page(box, long)) == ["'a title that is long' sticks out of its box"]
    assert problems(page(box, titles.format(TEXT.format(35, 25, "short")))) == []


def test_a_text_on_another_box_is_found() -> None:
    assert problems(page(NODE.format(""), TEXT.format(60, 25, "wire"))) == [
        "'wire' is cut by a box"
    ]
    frame = NODE.format("").replace("node", "cluster").replace("white", "none")
    assert problems(page(frame, TEXT.format(60, 25, "wire"))) == []


def test_a_text_outside_the_picture_is_found() -> None:
    assert problems(page(TEXT.format(190, 20, "label"))) == ["'label' lies outside the picture"]


def test_pictures_inside_pictures_are_moved_and_scaled() -> None:
    inner = f'<svg x="50" y="20">{TEXT.format(30, 20, "inner")}</svg>'
    scaled = f'<g transform="translate(50 20) scale(2)">{TEXT.format(15, 10, "inner")}</g>'
    outer = TEXT.format(80, 40, "outer")
    assert problems(page(inner, outer)) == ["'inner' overlaps 'outer'"]
    assert problems(page(scaled, outer)) == ["'inner' overlaps 'outer'"]
    assert problems(page(inner, TEXT.format(30, 20, "outer"))) == []


@pytest.mark.parametrize("text", ["multiply", "−0.1966", "x1 [batch,32]", "G·Bᵀ", "ReLU"])
def test_widths_are_those_that_graphviz_measures(text: str) -> None:
    """A box without a margin is as wide as its text."""
    look = "fontname=Helvetica shape=box margin=0 width=0 fontsize=20"
    svg = render_svg(f'digraph {{ a [{look} label="{text}"] }}')
    points = svg.split('<polygon fill="none"')[1].split('points="')[1].split('"')[0]
    xs = [float(point.split(",")[0]) for point in points.split()]
    assert text_width(text, 20) == pytest.approx(max(xs) - min(xs), rel=0.12)


def test_a_turned_text_stands_where_it_is_turned_to() -> None:
    flat = TEXT.format(60, 50, "flat and long")
    upright = TEXT.format(60, 50, "upright").replace(
        "<text ", '<text transform="rotate(-90 60 50)" '
    )
    beside = upright.replace("60", "30")
    assert problems(page(flat, upright)) == ["'flat and long' overlaps 'upright'"]
    assert problems(page(flat, beside)) == []
    slanted = [
        TEXT.format(x, 60, "slanted").replace("<text ", f'<text transform="rotate(-60 {x} 60)" ')
        for x in (60, 80)
    ]
    assert problems(page(*slanted)) == []
